"""`_tendril.channel`: one end of a conversation (PROTOCOL.md sections 4 and 5; twins: src/protocol/endpoint.ts and channel.ts beside it).

The names of what code in the worker holds are execnet's, so that code written for it runs unchanged.
"""
from itertools import compress
from operator import eq

import _tendril
from _tendril import (BYTES, CLOSE, CREDIT, DATA, END, ERROR, FRAGMENT_BYTES, GIVEN, HEADER, ITEM_OVERHEAD, MORE, PY2, READ_BYTES, Bytes, DumpError,
                      Mailbox, ProtocolError, dump_parts, dumps, extra, loads, pickle, struct, sys, worker)

if PY2:
    from itertools import imap as map, izip as zip

NUMBERS, dump_number = frozenset([bool, int, float]), pickle.dumps  # what loops send: each call on its way counts
BINARY = frozenset([Bytes if PY2 else bytes, bytearray])


class EndOfChannel(EOFError):
    """No item will follow. Code that lets it out of a remote_exec has simply come to its end."""


class GatewayEnding(IOError):
    """The gateway is ending, so that nothing can be sent that would have to wait."""


ENDED = object()  # stands behind the last item, for ever


class Endpoint(object):
    """One end of a channel: its state, its windows, what has arrived of it. Features hold it; user code holds the channel that it is."""

    is_aside = is_over = False  # it is that of a task of tendril's own; its task has ended, and this is being told
    references = given = 0      # references to it that have been decoded (`_tendril.handles`); GIVEN when one has been encoded

    def __init__(self, channel_id):
        self.id = channel_id
        self.claimed = False     # a reference to it has been decoded, so the id may be forgotten when it is over
        self.items = Mailbox()   # (payload, cost of all until this one) or (None, cost, value), then ENDED
        self.parts = None        # what has arrived of an item that is not complete (`_tendril.arriving`)
        self.arrived = 0         # cost of all that arrived; only frames write it
        self.returned = 0        # what of that has been consumed and given back
        self.sent = 0            # cost of all that we sent; only Outgoing writes it
        self.given_back = 0      # what of that the peer has given back; only frames write it
        self.credits = Mailbox()
        self.callback = self.error = None
        self.is_closed = self.is_ended = False  # we may not send any more; the peer sends no more
        self.farewell = None     # the item or control frame with our CLOSE, once it is being written
        self.over = Mailbox()    # ENDED when no item can arrive any more
        self.is_dropped = False  # the peer has closed it first: what waits to be written is dropped
        self.is_cut = False      # its code met the end of the gateway, or an error because the peer has closed it

    def send_parts(self, parts, kind=DATA):
        """Sends the payload of an item, given in parts."""
        size = len(parts[0]) if len(parts) == 1 else sum(map(len, parts))
        if size > worker.max_item:
            raise DumpError(extra('memory').too_long('cannot send item: it', size))
        if size <= READ_BYTES and not worker.headed:
            frames = [(HEADER.pack(kind, 0, self.id, size) + b''.join(parts), [])]
        else:
            frames = worker.frames_of(kind, self.id, parts)
        last, outgoing = frames[-1][1], worker.outgoing
        if self.sent - self.given_back >= worker.window:
            self.wait_for_room()
        if not self.is_closed:
            outgoing.put((frames, self, size + ITEM_OVERHEAD, [], []))
        if (self.is_closed or worker.leaving) and not sum(last):
            raise self.refusal()
        if worker.on_sent:
            worker.on_sent()

    def wait_for_room(self):
        try:
            while not self.has_room() and not self.is_closed and not worker.outgoing.is_amid():
                if worker.leaving:
                    self.is_cut = True
                    raise GatewayEnding('cannot send to %r: the gateway is ending' % self)
                worker.wait(self.credits)
        finally:
            self.credits.put(None)  # for the next one who waits: there may be room for it, too, or there will be none

    def has_room(self):
        return self.sent - self.given_back < worker.window

    def refusal(self):
        """What is raised by a send on a channel that has been closed."""
        self.is_cut = self.is_dropped
        return IOError('cannot send to %r' % self)

    def take(self, timeout=None):
        entry = worker.wait(self.items, timeout)
        if entry is ENDED:
            self.items.put(ENDED)
            self.is_cut = self.error is not None or worker.leaving and not (self.is_ended or self.is_closed)
            raise EndOfChannel('no more items on %r' % self) if self.error is None else self.RemoteError(self.error)
        if entry[1] > self.arrived:
            self.arrived = entry[1]  # the thread that read it was interrupted before it could
        try:
            try:
                return entry[2] if entry[0] is None else loads(entry[0], channel_with)
            finally:
                if entry[1] - self.returned >= worker.window // 4:
                    self.give_back(entry[1])
        except RuntimeError:
            frame, left = sys._getframe(), sys.getrecursionlimit() - 99
            while frame and left:
                frame, left = frame.f_back, left - 1
            if not left:  # it is the stack that is full, and has no room for a call of ours: the item is received again
                self.items.items.appendleft(entry)
            raise

    def give_back(self, consumed):
        state, outgoing = self.__dict__, worker.outgoing
        while consumed > self.returned and not self.is_closed:
            before = self.returned
            credit = worker.frame(HEADER.pack(CREDIT, 0, self.id, 4) + struct.pack('>I', consumed - before)), self, None
            # In one call into C, so that no exception comes in between: unless another thread has given some back, this does.
            list(zip(map(outgoing.control.append, compress((credit,), map(eq, map(state.get, ('returned',)), (before,)))),
                     map(state.__setitem__, ('returned',), (consumed,))))
        if outgoing.control:
            outgoing.pass_on()

    def finish(self, error=None):
        if error is None and self.is_cut and not self.is_closed:
            self.is_closed = True  # of code that was cut off no clean end may be told: what it has sent is not all
            return self.end()
        if not self.is_closed:
            try:
                worker.outgoing.put((worker.frames_of(CLOSE, self.id, [b'' if error is None else reason_of(error)], self.given | (0 if error is None else ERROR)), self, None, [], []))
            finally:
                self.end()
        elif type(error) is dict and not self.is_cut:
            extra('failures').print_late(self, error)

    def end(self):
        self.items.ended = True
        self.items.put(ENDED)
        self.credits.put(None)
        over = self.over
        if self.callback is None:
            over.put(ENDED)

    # Frames that arrive. Nothing here waits.

    def on_frame(self, kind, flags, payload):
        {CREDIT: self.on_credit, END: self.on_end, CLOSE: self.on_close}[kind](flags, payload)

    def on_data(self, kind, flags, payload):
        if self.is_closed:
            return
        if self.is_ended:
            raise ProtocolError('DATA after END on channel %d' % self.id)
        if self.parts or flags & MORE or kind != DATA:
            return extra('arriving').take(self, kind, flags, payload)
        self.arrived += len(payload) + ITEM_OVERHEAD
        self.items.put((payload, self.arrived))

    def on_credit(self, flags, payload):
        self.given_back += struct.unpack('>I', payload)[0]
        if self.given_back > self.sent:
            raise ProtocolError('CREDIT for more than is outstanding on channel %d' % self.id)
        self.credits.put(None)
        if worker.outgoing.waiting:
            worker.outgoing.pass_on()

    def on_end(self, flags, payload):
        self.is_ended = True
        self.end()

    def on_close(self, flags, payload):
        if not self.is_closed:
            self.is_dropped = self.is_closed = True  # in this order: who sees the second has to see the first
        worker.outgoing.post(worker.frame(HEADER.pack(CLOSE, 0, self.id, 0)), self)
        if flags & ERROR and self.error is None:
            self.error = loads(payload)
        self.end()
        del worker.channels[self.id]
        if flags & GIVEN and not self.claimed:
            worker.unclaimed[self.id] = self


class Channel(Endpoint):
    """One end of a conversation: `send` and `receive` items, until `close`. Its other end is in the controller."""

    def __getattr__(self, name):
        extra('members')  # gives the class what few tasks use
        return object.__getattribute__(self, name)

    def __repr__(self):
        return '<Channel id=%d %s>' % (self.id, 'closed' if self.is_closed else 'open')

    def send(self, item):
        """Sends a value; blocks while the other side's window is full. Raises DumpError (nothing is sent) or IOError."""
        kind = DATA
        if type(item) in NUMBERS:
            parts = [dump_number(item, 2)]
        elif type(item) in BINARY and len(item) > FRAGMENT_BYTES:
            kind, parts = BYTES, [struct.pack('>Q', len(item)), item]
        else:
            parts = dump_parts(item, channel_id)
        self.send_parts(parts, kind)

    def receive(self, timeout=None):
        """The next item, oldest first. After the last: RemoteError or EOFError, every time. TimeoutError after `timeout` seconds."""
        if self.callback is not None:
            raise IOError('cannot receive(), channel has receiver callback')
        if timeout is not None and timeout < 0:
            raise ValueError('timeout must not be negative: %r' % timeout)
        return self.take(timeout)

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self.receive()
        except EOFError:
            raise StopIteration

    next = __next__

    def close(self, error=None):
        """Ends the channel both ways; with `error` the peer's receive raises a RemoteError with that text. Twice is no error."""
        self.finish(None if error is None else str(error))

    def isclosed(self):
        return self.is_closed


Channel.__module__, _tendril.Channel = '_tendril', Channel  # its name on the wire


def reason_of(error):
    """The payload that says why a channel was closed."""
    reason = dumps(error)
    if len(reason) <= worker.max_item:
        return reason
    return dumps(extra('failures').fitting(error, len(reason)))


def channel_id(value):
    """For dumps: the id of a channel, None for anything else."""
    if isinstance(value, Channel):
        if value.is_closed:
            raise DumpError('%r is closed' % value)
        return value.id


def channel_with(channel_id):
    """For loads: the channel with this id; one that is over, if it is over."""
    return extra('handles').channel_with(channel_id)
