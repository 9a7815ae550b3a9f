"""`_tendril.reducing`: what is sent for a value that is not a plain builtin: a function of `_tendril.values` and its arguments,
then perhaps the members of a list, then those of a dict (PROTOCOL.md section 6; twin: src/protocol/codec/value-types.ts).

Types are known by name, so that nothing is imported that the value's owner has not imported already.
"""
import _tendril
from _tendril import GIVEN, PASS, PROTOCOL, PY2, Bytes, DumpError, extra, pickle, sys
from _tendril.originals import common, own
from _tendril.values import (OURS, PATH_KINDS, SIGNED, UNSIGNED, JSValue, array, aware_datetime, base, complex_number, date, decimal,
                             deque, fraction, int_range, naive_datetime, ndarray, ordered_dict, path, plain_dict, plain_list, time,
                             timedelta, uuid)

_codecs = own('_codecs')


def reduce_datetime(value):
    if value != value or getattr(value, 'nanosecond', 0):
        raise DumpError('%r has nanoseconds, or is no time at all' % value)
    fields = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    fold = getattr(value, 'fold', 0)
    offset = value.utcoffset()
    if offset is None:
        return naive_datetime, fields + (fold,)
    zone = getattr(value.tzinfo, 'key', None) or getattr(value.tzinfo, 'zone', None)  # zoneinfo's name for it, and pytz's
    return aware_datetime, fields + (_microseconds(offset), _text(zone), fold)


def reduce_time(value):
    offset = value.utcoffset()
    if offset is None and value.tzinfo is not None:
        raise DumpError('the time %s is in a zone, but has no offset without a date' % value)
    offset = None if offset is None else _microseconds(offset)
    return time, (value.hour, value.minute, value.second, value.microsecond, offset, getattr(value, 'fold', 0))


def _microseconds(delta):
    return (delta.days * 86400 + delta.seconds) * 1000000 + delta.microseconds


def _text(value):
    return None if value is None else u'%s' % (value,)


def reduce_path(value):
    kind = [kind.__name__ for kind in type(value).__mro__ if kind.__name__ in PATH_KINDS][0]
    return path, (kind, _text(value))


def reduce_array(value):
    if value.typecode not in 'bhilqBHILQfd':
        raise DumpError('array(%r) has no wire type: send text' % value.typecode)
    letter = value.typecode
    if letter not in 'fd':
        letter = (SIGNED if letter.islower() else UNSIGNED)[value.itemsize]
    if sys.byteorder == 'big':
        value = value[:]
        value.byteswap()
    return array, (_text(letter), Bytes(value.tostring()) if PY2 else value.tobytes())


def reduce_numpy_array(value):
    if hasattr(value, 'mask') or value.dtype.kind not in 'biufc':
        raise DumpError('a numpy array of %s has no wire type' % (value.dtype if not hasattr(value, 'mask') else 'masked values'))
    plain = value.astype(value.dtype.newbyteorder('<'))
    data, kind, size = Bytes(plain.tobytes()) if PY2 else plain.tobytes(), plain.dtype.kind, plain.dtype.itemsize
    letters = {'i': SIGNED, 'u': UNSIGNED, 'f': {4: 'f', 8: 'd'}}.get(kind, {})
    if value.ndim == 1 and size in letters:
        return array, (_text(letters[size]), data)
    return ndarray, (u'%s%s%d' % ('|' if size == 1 else '<', kind, size), value.shape, data)


def reduce_numpy_scalar(value):
    plain = value.item()
    if type(plain) not in _tendril.PLAIN and type(plain) is not complex:
        raise DumpError('%s has no wire type' % _name(type(value)))
    return base, (plain,)


def reduce_dataclass(value):
    fields = common('dataclasses').fields
    return plain_dict, (), None, None, iter([(field.name, getattr(value, field.name)) for field in fields(value)])


BUILTIN = {
    'complex': lambda value: (complex_number, (value.real, value.imag)),
    'range': lambda value: (int_range, value.__reduce__()[1]),
    'dict_keys': lambda value: (plain_list, (), None, iter(value)),
    'memoryview': lambda value: (base, (Bytes(value.tobytes()) if PY2 else value.tobytes(),)),
    'bytearray': lambda value: (base, (Bytes(value) if PY2 else bytes(value),)),
    # Of subclasses the methods of the builtin are called: their own may do anything.
    'list': lambda value: (plain_list, (), None, list.__iter__(value)),
    'dict': lambda value: (plain_dict, (), None, None, iter(dict.items(value))),
    'tuple': lambda value: (base, (tuple(tuple.__iter__(value)),)),
    'set': lambda value: (base, (set(set.__iter__(value)),)),
    'frozenset': lambda value: (base, (frozenset(frozenset.__iter__(value)),)),
    'int': lambda value: (base, (int.__add__(value, 0),)),
    'float': lambda value: (base, (float.__pos__(value),)),
    'bytes': lambda value: (base, (b''.join((value,)),)),
    'str': lambda value: (base, (''.join((value,)),)),
}
if PY2:
    BUILTIN.update({
        'xrange': BUILTIN['range'],
        'long': lambda value: (base, (long.__add__(value, 0),)),  # noqa: F821
        'unicode': lambda value: (base, (u''.join((value,)),)),
        'buffer': lambda value: (base, (Bytes(value),)),
    })
BUILTIN['dict_values'] = BUILTIN['dict_items'] = BUILTIN['dict_keys']
REDUCERS = {
    ('datetime', 'datetime'): reduce_datetime,
    ('datetime', 'date'): lambda value: (date, (value.year, value.month, value.day)),
    ('datetime', 'time'): reduce_time,
    ('datetime', 'timedelta'): lambda value: (timedelta, (value.days, value.seconds, value.microseconds)),
    ('decimal', 'Decimal'): lambda value: (decimal, (_text(value),)),
    ('fractions', 'Fraction'): lambda value: (fraction, (value.numerator, value.denominator)),
    ('uuid', 'UUID'): lambda value: (uuid, (_text(value),)),
    ('pathlib', 'PurePath'): reduce_path,
    ('pathlib._local', 'PurePath'): reduce_path,  # 3.13
    ('array', 'array'): reduce_array,
    ('collections', 'OrderedDict'): lambda value: (ordered_dict, (), None, None, iter(value.items())),
    ('collections.abc', 'MappingView'): BUILTIN['dict_keys'],
    ('_abcoll', 'MappingView'): BUILTIN['dict_keys'],  # Python 2
    ('collections', 'deque'): lambda value: (deque, (value.maxlen,), None, iter(value)),
    ('enum', 'Enum'): lambda value: (base, (value.value,)),
    ('numpy', 'ndarray'): reduce_numpy_array,
    ('numpy', 'generic'): reduce_numpy_scalar,
    ('_tendril', 'Bytes'): lambda value: (_tendril.from_latin1, (value.decode('latin-1'), u'latin1')),
    ('_tendril.values', 'JSValue'): lambda value: (JSValue, (value.document,)),
}
for _name_of_type, _reducer in BUILTIN.items():
    REDUCERS[type(0).__module__, _name_of_type] = _reducer


def reduce(value, channel_id):
    kind = type(value)
    if hasattr(kind, '__dataclass_fields__'):
        return reduce_dataclass(value)
    for ancestor in getattr(kind, '__mro__', ()):
        reducer = REDUCERS.get((ancestor.__module__, ancestor.__name__))
        if reducer is not None:
            return reducer(value)
    if hasattr(kind, 'n_sequence_fields'):  # Python 2's sys.version_info and its like are no tuples
        return base, (tuple(value),)
    number = None if channel_id is None else channel_id(value)
    if number is None:
        raise DumpError('%s has no wire type. Convert it first.' % _name(kind))
    value.given = GIVEN
    return _tendril.Channel, (number,)


def _name(kind):
    return '%s.%s' % (kind.__module__, getattr(kind, '__qualname__', kind.__name__))


def answers_for(channel_id, protocol):
    """What the pickler of one payload is to ask."""
    ours = set(map(id, OURS + [getattr(_tendril, 'Channel', None)]))
    if PY2 or protocol < 5:  # names that Python's own pickler writes for bytes and sets
        ours.update(map(id, (set, frozenset, bytes, bytearray, _codecs.encode)))

    def answer(value):
        if id(value) in ours:
            return PASS
        if type(value) is bytearray and protocol == 5:
            return PASS
        return reduce(value, channel_id)

    return answer if PROTOCOL == 5 else _persistent_ids(answer)


def _persistent_ids(answer):
    """Old Pythons' hook: a tuple (module, name, arguments) for a value, the same one each time."""
    known = {}

    def persistent_id(value):
        if id(value) in known:
            return known[id(value)][1]
        answered = answer(value)
        if answered is PASS:
            return PASS
        function, args, _, items, pairs = (tuple(answered) + (None, None, None))[:5]
        later = [] if function is plain_list else {} if function is plain_dict else None
        if later is not None:  # filled once it is known, so that a cycle ends
            function, args = base, (later,)
        elif items is not None or pairs is not None:
            args += (list(items if pairs is None else pairs),)
        name = '_codecs encode' if function is _tendril.from_latin1 else '%s %s' % (function.__module__, function.__name__)
        known[id(value)] = value, tuple(name.split()) + (args,)
        if later is not None:
            later.extend(items) if isinstance(later, list) else later.update(pairs)
        return known[id(value)][1]

    return persistent_id


# Why a value could not be sent: a second, slow walk finds the place.

DEEP = 100  # what Python can always pickle
FAULTS_OF_VALUES = (DumpError, pickle.PicklingError, TypeError, ValueError, LookupError, AttributeError, OverflowError)  # as the pickler tells them


def explain(error, value, channel_id):
    """The DumpError for what went wrong in a dump of the value; an exception that has nothing to do with the value, as it came."""
    if issubclass(type(error), RuntimeError) and 'recursion' in _detail(error).lower():  # 3.14 says RecursionError: Stack overflow
        return _dump_error('', 'it is nested deeper than Python can pickle. Flatten it.') if _is_deep(value, channel_id) else error
    if isinstance(error, MemoryError):  # which looking for a place would only take more of
        return error
    answer, seen, waiting = answers_for(channel_id, 2), set(), [(None, '', value)]
    while waiting:
        place = waiting.pop()
        if id(place[2]) in seen:
            continue
        seen.add(id(place[2]))
        try:
            waiting.extend(reversed([(place, step, child) for step, child in _children(place[2], channel_id)]))
        except FAULTS_OF_VALUES as e:
            return _dump_error(_path(place), _detail(e))
    return _dump_error('', _detail(error)) if isinstance(error, FAULTS_OF_VALUES) else error


def _is_deep(value, channel_id):
    """Whether it is the value that takes so much of the stack, rather than the code that sends it."""
    level, seen = [value], set()
    for _ in range(DEEP):
        level = [child for each in level for _, child in _children(each, channel_id) if id(child) not in seen]
        seen.update(map(id, level))
    return bool(level)


def _detail(error):
    failures = extra('failures')
    message = failures.tolerant(failures.message_of, type(error), error)
    message = message.encode('utf-8') if PY2 else message
    return message if type(error) is DumpError else '%s: %s' % (failures.names_of(type(error))[0], message)


def _dump_error(path, detail):
    error = DumpError('cannot send item%s: %s' % (path, detail))
    error.path = path
    return error


def _path(place):
    steps = []
    while place is not None:
        steps.append(place[1])
        place = place[0]
    return ''.join(reversed(steps))


def _children(value, channel_id):
    kind = type(value)
    if kind in (list, tuple):
        return [('[%d]' % i, child) for i, child in enumerate(value)]
    if kind in (set, frozenset):
        return [('{%r}' % (child,), child) for child in value]
    if kind is dict:
        return [('{%r}' % (key,), key) for key in value] + [(_step(key), child) for key, child in value.items()]
    if kind in _tendril.PLAIN:
        return []
    function, args, _, items, pairs = (tuple(reduce(value, channel_id)) + (None, None, None))[:5]
    children = [('', args[0])] if function is base else []
    if pairs is not None:
        children = _children(dict(pairs), channel_id)
    return children if items is None else _children(list(items), channel_id)


def _step(key):
    is_word = isinstance(key, (str, type(u''))) and own('re').match(r'[A-Za-z_]\w*\Z', key)
    return '.%s' % key if is_word else '[%r]' % (key,)
