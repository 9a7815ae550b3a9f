# --- codec (PROTOCOL.md section 6; twin: src/protocol/codec.ts) -----------------------------------------------------------------

# Python's own pickler, held to plain data both ways: it asks about whatever is not a plain builtin, and finds no name but ours.
# The answers are in `_tendril.reducing`, the names in `_tendril.values`: the first value that needs them brings them.
if PY2:
    from cPickle import Pickler, Unpickler
    from cStringIO import StringIO as BytesIO
    HOOK, FIND, PASS, PROTOCOL = 'persistent_id', 'find_global', None, 2
else:
    from io import BufferedReader, BytesIO
    try:
        import _pickle as pickle
    except ImportError:  # PyPy
        import pickle
    Pickler, Unpickler = [type(base.__name__, (base,), {}) for base in (pickle.Pickler, pickle.Unpickler)]  # may be hooked
    HOOK, FIND, PASS, PROTOCOL = 'persistent_id', 'find_class', None, 4
    if sys.version_info >= (3, 8):  # asks about instances only, where the older hook is asked about each value
        HOOK, PASS, PROTOCOL = 'reducer_override', NotImplemented, 5
PLAIN = frozenset([type(None), bool, int, float, bytes, type(u''), type(1 << 64), list, tuple, dict, set, frozenset])


class DumpError(Exception):
    """A value has no form on the wire; the text names its path. Nothing was sent."""


class LoadError(Exception):
    """A payload is not a value, or asks for a name that may not be looked up."""


class Bytes(bytes):
    """On Python 2 what came as bytes, to go back as bytes: its plain `str` goes as text where it is UTF-8."""


def from_latin1(text, encoding):
    """Bytes as protocol 2 has them, a call of `_codecs.encode`; the real one would load any codec that it is told to."""
    return (Bytes if PY2 else bytes)(text.encode('latin-1'))


NAMES = {('_codecs', 'encode'): from_latin1}
for _module in ('__builtin__', 'builtins'):
    NAMES.update({(_module, 'set'): set, (_module, 'frozenset'): frozenset})


def dumps(value, channel_id=None, protocol=PROTOCOL):
    """The payload of a value. `channel_id` gives the id of a channel, and None for any other object."""
    answers = []

    def ask(value):
        if type(value) in PLAIN:
            return PASS
        if not answers:
            from _tendril.reducing import answers_for
            answers.append(answers_for(channel_id, protocol))
        return answers[0](value)

    out = BytesIO()
    try:
        pickler = Pickler(out, protocol)
        setattr(pickler, HOOK, ask)
        pickler.dump(value)
        return out.getvalue()
    except Exception as e:
        from _tendril.reducing import explain
        raise explain(e, value, channel_id)


def loads(payload, channel=None):
    """The value of a payload. `channel` gives the channel with an id."""
    def find(module, name):
        if name == 'Channel' and module == '_tendril' and channel is not None:
            return channel
        if (module, name) not in NAMES:
            import _tendril.values  # adds its names
            if (module, name) not in NAMES:
                raise LoadError('cannot load an item: it asks for "%s.%s", which has no wire type' % (module, name))
        return NAMES[module, name]

    try:
        source = BytesIO(bytes(payload))
        if not PY2 and payload[1] < 4:  # without frames, the unpickler would read from a BytesIO byte by byte
            source = BufferedReader(source)
        unpickler = Unpickler(source)
        setattr(unpickler, FIND, find)
        unpickler.persistent_load = lambda pid: find(pid[0], pid[1])(*pid[2])
        return unpickler.load()
    except LoadError:
        raise
    except Exception as e:
        raise LoadError('cannot load an item: %s: %s' % (type(e).__name__, e))
