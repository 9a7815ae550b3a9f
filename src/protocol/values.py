"""`_tendril.values`: what the names in a payload make (PROTOCOL.md section 6; twin: src/protocol/codec/value-types.ts).

The unpickler finds the functions of this module by name, and nothing else. Each imports what it needs when it is called;
`_tendril.reducing` is the other way.
"""

import _tendril
from _tendril import PY2, Bytes, LoadError, sys
from _tendril.originals import common

if PY2:
    _timedelta, _tzinfo = common('datetime').timedelta, common('datetime').tzinfo

    class FixedOffset(_tzinfo):
        """What Python 3 has as `datetime.timezone`."""

        def __init__(self, microseconds):
            self.offset = _timedelta(microseconds=microseconds)

        def utcoffset(self, when):
            return self.offset

        def dst(self, when):
            return _timedelta(0)

        def tzname(self, when):
            return 'UTC%+03d:%02d' % divmod(self.offset.total_seconds() // 60, 60)

        def __repr__(self):
            return 'FixedOffset(%r)' % self.offset


class JSValue(object):
    """A value that only JavaScript has, as a superjson document. Sent back, it becomes the original again."""

    __slots__ = ('document',)

    def __init__(self, document):
        self.document = _checked(document, type(u''))

    def __eq__(self, other):
        return self.document == other.document if isinstance(other, JSValue) else NotImplemented

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self.document)

    def __repr__(self):
        return 'JSValue(%r)' % self.document


def base(value):
    """A value of a subclass of a builtin, or of an Enum, stands for this."""
    return value


def plain_list():
    return []


def plain_dict():
    return {}


def plain_bytes(data=b'', encoding=None):
    return Bytes(data.encode('latin-1') if encoding else _checked(data, bytes)) if PY2 or encoding else _checked(data, bytes)


def plain_bytearray(data=b'', encoding=None):
    return bytearray(plain_bytes(data, encoding))


def complex_number(real, imag):
    return complex(real, imag)


def int_range(start, stop, step):
    return (xrange if PY2 else range)(start, stop, step)  # noqa: F821


def decimal(text):
    return common('decimal').Decimal(text)


def fraction(numerator, denominator):
    return common('fractions').Fraction(numerator, denominator)


def uuid(text):
    return common('uuid').UUID(text)


PATH_KINDS = ('PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath')


def path(kind, text):
    """A path of another system's kind becomes the pure one: Python cannot make the other."""
    pathlib = common('pathlib')
    if kind not in PATH_KINDS:
        raise LoadError('cannot load an item: %s is no kind of path' % kind)
    try:
        return getattr(pathlib, kind)(text)
    except NotImplementedError:
        return getattr(pathlib, 'Pure' + kind)(text)


def date(year, month, day):
    return common('datetime').date(year, month, day)


def time(hour, minute, second, microsecond, offset, fold):
    made = common('datetime').time(hour, minute, second, microsecond, None if offset is None else _fixed_offset(offset))
    return made.replace(fold=1) if fold else made


def timedelta(days, seconds, microseconds):
    return common('datetime').timedelta(days, seconds, microseconds)


def naive_datetime(year, month, day, hour, minute, second, microsecond, fold):
    made = common('datetime').datetime(year, month, day, hour, minute, second, microsecond)
    return made.replace(fold=1) if fold else made


def aware_datetime(year, month, day, hour, minute, second, microsecond, offset, zone, fold):
    """In the zone that is named, where it is known here and still has that offset; else at the offset."""
    naive = naive_datetime(year, month, day, hour, minute, second, microsecond, fold)
    fixed = _fixed_offset(offset)
    if zone is not None:
        try:
            named = naive.replace(tzinfo=common('zoneinfo').ZoneInfo(zone))
            if named.utcoffset() == fixed.utcoffset(None):
                return named
        except (ImportError, LookupError, ValueError, OSError):  # an old Python, a machine without this zone
            pass
    return naive.replace(tzinfo=fixed)


def _fixed_offset(microseconds):
    if PY2:
        return FixedOffset(microseconds)
    datetime = common('datetime')
    return datetime.timezone(datetime.timedelta(microseconds=microseconds)) if microseconds else datetime.timezone.utc


SIGNED, UNSIGNED = {1: 'b', 2: 'h', 4: 'i', 8: 'q'}, {1: 'B', 2: 'H', 4: 'I', 8: 'Q'}
LETTERS = {'b': 'b', 'h': 'h', 'i': 'il', 'q': 'ql', 'B': 'B', 'H': 'H', 'I': 'IL', 'Q': 'QL', 'f': 'f', 'd': 'd'}
SIZES = {'b': 1, 'h': 2, 'i': 4, 'q': 8, 'f': 4, 'd': 8}


def array(letter, data):
    """Sizes are fixed on the wire: the first letter that has the size on this machine."""
    array_type = common('array').array
    for candidate in LETTERS[letter]:
        try:
            made = array_type(str(candidate))
        except ValueError:  # Python 2 has no q
            continue
        if made.itemsize == SIZES[letter.lower()]:
            getattr(made, 'fromstring' if PY2 else 'frombytes')(data)
            if sys.byteorder == 'big':
                made.byteswap()
            return made
    raise LoadError('cannot load an item: this Python has no array of %d-byte integers' % SIZES[letter.lower()])


def ndarray(dtype, shape, data):
    import numpy
    return numpy.frombuffer(data, str(dtype)).reshape(shape).copy()


def ordered_dict(items=()):
    return common('collections').OrderedDict(items)


def deque(maxlen, items=()):
    return _tendril.deque(items, maxlen)


def _checked(value, kind):
    if not isinstance(value, kind):
        raise LoadError('cannot load an item: a %s where there must be %s' % (type(value).__name__, kind.__name__))
    return value


OURS = [JSValue, base, plain_list, plain_dict, complex_number, int_range, decimal, fraction, uuid, path, date, time, timedelta,
        naive_datetime, aware_datetime, array, ndarray, ordered_dict, deque]
for _function in OURS:
    _tendril.NAMES[__name__, _function.__name__] = _function
for _module in ('__builtin__', 'builtins'):
    _tendril.NAMES.update({(_module, 'bytes'): plain_bytes, (_module, 'bytearray'): plain_bytearray})


def _of_session(name, module):
    def load(number):
        _tendril.extra(module)  # puts its own function in the place of this one
        return _tendril.NAMES['_tendril', name](number)
    return load


for _name, _module in ('Ref', 'references'), ('Lent', 'references'), ('Callback', 'controller'), ('Controller', 'controller'):
    _tendril.NAMES.setdefault(('_tendril', _name), _of_session(_name, _module))
