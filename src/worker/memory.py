"""`_tendril.memory`: what comes in fragments, and for which there is no memory; what is longer than anything may be.

An item that cannot be held is dropped while there is some left for all else: its receiver gets a MemoryError. When even that is
gone, the worker ends, and says so (`_tendril.failures`). Runs on the thread that reads, and never waits.
"""
from _tendril import CLOSE, MORE, PUSH, SETUP, Worker, dumps, extra, loads, worker
from _tendril.originals import own

try:
    mmap = own('mmap')
except ImportError:  # not built: it is seen when an allocation fails
    mmap = None

RESERVE = 16 << 20  # bytes that must be there for all else
STEP = 8 << 20      # bytes of an item between two looks whether they are
LOOK = 8            # the same for EXEC and the like, in fragments
HEAD = 256          # bytes that are kept of what is lost


def check(size, more):
    """Raises MemoryError when nothing of `size` bytes, of which `more` have just come, may become longer. What is asked for and not used costs nothing."""
    if mmap is not None and size // STEP != (size - more) // STEP:
        try:
            mmap.mmap(-1, RESERVE).close()
        except (EnvironmentError, mmap.error):  # on Python 2 these are two
            raise MemoryError


def too_long(what, size):
    """Why something is not sent."""
    return '%s takes %d bytes, and %d are the most (maxItemBytes)' % (what, size, worker.max_item)


def size_of(description):
    """About as many bytes as the description of a failure is sent in. Texts, which the other side has to read, count twice."""
    size = 0
    while description is not None:
        size += sum(map(len, description['args']))
        size += 2 * sum(bytes_of(description[name]) for name in ('message', 'traceback'))
        size += 2 * sum(bytes_of(frame[name]) for frame in description['frames'] for name in ('file', 'name', 'text'))
        description = description['cause']
    return size


def bytes_of(text):
    return len(text) if len(text) < 256 else len(text.encode('utf-8', 'replace'))


class Lost(object):
    """Stands for the fragments of something, then for its payload: whoever reads that gets the MemoryError. `head` are its first bytes, which tell what it was."""

    def __init__(self, kind, size, head):
        self.kind, self.size, self.head = kind, size, head

    def append(self, piece):
        self.size += len(piece)

    def __bool__(self):
        return True

    __nonzero__ = __bool__

    def entry(self, cost):
        return self, cost

    def __len__(self):
        raise MemoryError(self.message())

    __bytes__ = __str__ = __len__

    def message(self):
        return 'there was no memory for %d bytes that arrived' % self.size


def gather(parts, kind, channel_id, flags):
    """The payload of a long EXEC and the like, once it is complete. `parts` has the fragments that have come."""
    whole = parts[kind, channel_id]
    if type(whole) is list:
        try:
            if len(whole) % LOOK == 0:
                check(STEP, STEP)
            whole = whole if flags & MORE else b''.join(whole)
        except MemoryError:
            if kind == SETUP:  # nothing would be as it should without
                raise
            whole = parts[kind, channel_id] = Lost(kind, sum(map(len, whole)), b'')
    if not flags & MORE:
        del parts[kind, channel_id]
        return readable(whole) if kind == CLOSE else whole


def readable(reason):
    """Why a channel was closed; or, when there is no memory to read it, that. Whoever reads is about to do so."""
    try:
        loads(reason)
        return reason
    except MemoryError:
        lost = reason if type(reason) is Lost else Lost(CLOSE, len(reason), b'')
        return dumps('MemoryError: ' + lost.message())


def take_sources(_, channel_id, payload):
    """Without memory for sources, what needs them, such as a template, finds that they are not there."""
    try:
        on_push(worker, channel_id, bytes(payload))
    except MemoryError as e:
        extra('failures').say('tendril worker: MemoryError: sources that arrived are left out: %s\n' % (str(e) or 'there was no memory for them'))


on_push, Worker.FRAMES[PUSH] = Worker.FRAMES[PUSH], take_sources
