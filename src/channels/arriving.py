"""`_tendril.arriving`: items that do not come as one DATA frame each: in fragments, many at a time (BATCH), as mere bytes (BYTES).

PROTOCOL.md section 2; twins: fragments.ts, batch.ts and whole-bytes.ts in src/protocol. Runs on the thread that reads, and never waits.
"""
from _tendril import BATCH, BYTES, DATA, ITEM_OVERHEAD, MORE, PY2, Bytes, BytesIO, ProtocolError, loads, struct
from _tendril.memory import HEAD, Lost, check
from _tendril.originals import own

repeat = own('itertools').repeat
LENGTH = struct.Struct('>Q')
LONG_BYTES = 1024 * 1024  # of an item whose pieces are not joined before it is decoded


def take(channel, kind, flags, payload):
    """Takes a frame; puts the items that are complete then into the channel's mailbox."""
    if kind == BATCH:
        return take_batch(channel, payload)
    if channel.parts is None:
        channel.parts = WholeBytes() if kind == BYTES else Fragments()
    if channel.parts.kind != kind:
        raise ProtocolError('an item amid another on channel %d' % channel.id)
    parts = channel.parts
    try:
        parts.append(payload)
        check(parts.size, len(payload))
    except MemoryError:
        parts = channel.parts = lost(parts)
    if not flags & MORE:
        channel.parts = None
        channel.arrived += parts.size + ITEM_OVERHEAD
        channel.items.put(entry_of(parts, channel.arrived))


def entry_of(parts, cost):
    try:
        return parts.entry(cost)
    except MemoryError:
        return lost(parts).entry(cost)


def lost(parts):
    return parts if type(parts) is Lost else Lost(parts.kind, parts.size, bytes(parts.pieces[0][:HEAD]) if parts.kind == DATA else b'')


def take_batch(channel, payload):
    if channel.parts is not None:
        raise ProtocolError('a BATCH amid an item on channel %d' % channel.id)
    values = loads(payload)
    first = channel.arrived + len(payload) + ITEM_OVERHEAD
    channel.arrived = first + ITEM_OVERHEAD * (len(values) - 1)
    channel.items.items.extend(zip(repeat(None), range(first, channel.arrived + 1, ITEM_OVERHEAD), values))
    for _ in range(min(len(values), len(channel.items.sleepers))):
        channel.items.wake()


class Fragments(object):
    """Those of a pickle."""

    kind = DATA

    def __init__(self):
        self.size = 0
        self.pieces = []

    def append(self, piece):
        self.size += len(piece)
        self.pieces.append(piece)

    def entry(self, cost):
        return self.pieces if self.size > LONG_BYTES else b''.join(self.pieces), cost


class WholeBytes(object):
    """Those of an item that is bytes alone: its length, then its bytes. BytesIO hands out what it has gathered without a copy."""

    kind = BYTES

    def __init__(self):
        self.size = 0  # of what arrived, the length too
        self.length = b''
        self.file = BytesIO()

    def append(self, piece):
        self.size += len(piece)
        missing = LENGTH.size - len(self.length)
        if missing:
            self.length += piece[:missing]
            piece = piece[missing:]
        self.file.write(piece)

    def entry(self, cost):
        data = self.file.getvalue()
        if LENGTH.unpack(self.length)[0] != len(data):
            raise ProtocolError('%d bytes instead of those announced' % len(data))
        return None, cost, Bytes(data) if PY2 else data
