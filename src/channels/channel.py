"""`_tendril.channel`: what code in the worker holds of a conversation (PROTOCOL.md sections 4 and 5; twin: channel.ts beside it).

The names are execnet's, so that code written for it runs unchanged.
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


class Channel(object):
    """One end of a conversation: `send` and `receive` items, until `close`. Its other end is in the controller."""

    is_aside = is_over = False  # it is that of a task of tendril's own; its task has ended, and this is being told
    _read = _given = 0       # references to it that have been decoded (`_tendril.handles`); GIVEN when one has been encoded

    def __init__(self, channel_id):
        self.id = channel_id
        self.claimed = False     # a reference to it has been decoded, so the id may be forgotten when it is over
        self._items = Mailbox()  # (payload, cost of all until this one) or (None, cost, value), then ENDED
        self._parts = None       # what has arrived of an item that is not complete (`_tendril.arriving`)
        self._arrived = 0        # cost of all that arrived; only frames write it
        self._returned = 0       # what of that has been consumed and given back
        self._sent = 0           # cost of all that we sent; only Outgoing writes it
        self._given_back = 0     # what of that the peer has given back; only frames write it
        self._credits = Mailbox()
        self._callback = self._error = None
        self._closed = self._ended = False  # we may not send any more; the peer sends no more
        self._farewell = None    # the item or control frame with our CLOSE, once it is being written
        self._over = Mailbox()   # ENDED when no item can arrive any more
        self._dropped = False    # the peer has closed it first: what waits to be written is dropped
        self._cut = False        # its code met the end of the gateway, or an error because the peer has closed it

    def __getattr__(self, name):
        extra('members')  # gives the class what few tasks use
        return object.__getattribute__(self, name)

    def __repr__(self):
        return '<Channel id=%d %s>' % (self.id, 'closed' if self._closed else 'open')

    def send(self, item):
        """Sends a value; blocks while the other side's window is full. Raises DumpError (nothing is sent) or IOError."""
        kind = DATA
        if type(item) in NUMBERS:
            parts = [dump_number(item, 2)]
        elif type(item) in BINARY and len(item) > FRAGMENT_BYTES:
            kind, parts = BYTES, [struct.pack('>Q', len(item)), item]
        else:
            parts = dump_parts(item, channel_id)
        self._send(parts, kind)

    def _send(self, parts, kind=DATA):
        """Sends the payload of an item, given in parts."""
        size = len(parts[0]) if len(parts) == 1 else sum(map(len, parts))
        if size > worker.max_item:
            raise DumpError(extra('memory').too_long('cannot send item: it', size))
        if size <= READ_BYTES and not worker.headed:
            frames = [(HEADER.pack(kind, 0, self.id, size) + b''.join(parts), [])]
        else:
            frames = worker.frames_of(kind, self.id, parts)
        last, outgoing = frames[-1][1], worker.outgoing
        if self._sent - self._given_back >= worker.window:
            self._wait_for_room()
        if not self._closed:
            outgoing.put((frames, self, size + ITEM_OVERHEAD, [], []))
        if (self._closed or worker.leaving) and not sum(last):
            raise self._refusal()
        if worker.on_sent:
            worker.on_sent()

    def _wait_for_room(self):
        try:
            while not self._has_room() and not self._closed and not worker.outgoing.is_amid():
                if worker.leaving:
                    self._cut = True
                    raise GatewayEnding('cannot send to %r: the gateway is ending' % self)
                worker.wait(self._credits)
        finally:
            self._credits.put(None)  # for the next one who waits: there may be room for it, too, or there will be none

    def _has_room(self):
        return self._sent - self._given_back < worker.window

    def _refusal(self):
        """What is raised by a send on a channel that has been closed."""
        self._cut = self._dropped
        return IOError('cannot send to %r' % self)

    def receive(self, timeout=None):
        """The next item, oldest first. After the last: RemoteError or EOFError, every time. TimeoutError after `timeout` seconds."""
        if self._callback is not None:
            raise IOError('cannot receive(), channel has receiver callback')
        if timeout is not None and timeout < 0:
            raise ValueError('timeout must not be negative: %r' % timeout)
        return self._receive(timeout)

    def _receive(self, timeout=None):
        entry = worker.wait(self._items, timeout)
        if entry is ENDED:
            self._items.put(ENDED)
            self._cut = self._error is not None or worker.leaving and not (self._ended or self._closed)
            raise EndOfChannel('no more items on %r' % self) if self._error is None else self.RemoteError(self._error)
        if entry[1] > self._arrived:
            self._arrived = entry[1]  # the thread that read it was interrupted before it could
        try:
            try:
                return entry[2] if entry[0] is None else loads(entry[0], channel_with)
            finally:
                if entry[1] - self._returned >= worker.window // 4:
                    self._return(entry[1])
        except RuntimeError:
            frame, left = sys._getframe(), sys.getrecursionlimit() - 99
            while frame and left:
                frame, left = frame.f_back, left - 1
            if not left:  # it is the stack that is full, and has no room for a call of ours: the item is received again
                self._items.items.appendleft(entry)
            raise

    def _return(self, consumed):
        state, outgoing = self.__dict__, worker.outgoing
        while consumed > self._returned and not self._closed:
            before = self._returned
            credit = worker.frame(HEADER.pack(CREDIT, 0, self.id, 4) + struct.pack('>I', consumed - before)), self, None
            # In one call into C, so that no exception comes in between: unless another thread has given some back, this does.
            list(zip(map(outgoing.control.append, compress((credit,), map(eq, map(state.get, ('_returned',)), (before,)))),
                     map(state.__setitem__, ('_returned',), (consumed,))))
        if outgoing.control:
            outgoing.pass_on()

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
        self._close(None if error is None else str(error))

    def isclosed(self):
        return self._closed

    def _close(self, error=None):
        if error is None and self._cut and not self._closed:
            self._closed = True  # of code that was cut off no clean end may be told: what it has sent is not all
            return self._no_more_items()
        if not self._closed:
            try:
                worker.outgoing.put((worker.frames_of(CLOSE, self.id, [b'' if error is None else reason_of(error)], self._given | (0 if error is None else ERROR)), self, None, [], []))
            finally:
                self._no_more_items()
        elif type(error) is dict and not self._cut:
            extra('failures').print_late(self, error)

    def _no_more_items(self):
        self._items.ended = True
        self._items.put(ENDED)
        self._credits.put(None)
        over = self._over
        if self._callback is None:
            over.put(ENDED)

    # Frames that arrive. Nothing here waits.

    def _on_frame(self, kind, flags, payload):
        {CREDIT: self._on_credit, END: self._on_end, CLOSE: self._on_close}[kind](flags, payload)

    def _on_data(self, kind, flags, payload):
        if self._closed:
            return
        if self._ended:
            raise ProtocolError('DATA after END on channel %d' % self.id)
        if self._parts or flags & MORE or kind != DATA:
            return extra('arriving').take(self, kind, flags, payload)
        self._arrived += len(payload) + ITEM_OVERHEAD
        self._items.put((payload, self._arrived))

    def _on_credit(self, flags, payload):
        self._given_back += struct.unpack('>I', payload)[0]
        if self._given_back > self._sent:
            raise ProtocolError('CREDIT for more than is outstanding on channel %d' % self.id)
        self._credits.put(None)
        if worker.outgoing.waiting:
            worker.outgoing.pass_on()

    def _on_end(self, flags, payload):
        self._ended = True
        self._no_more_items()

    def _on_close(self, flags, payload):
        if not self._closed:
            self._dropped = self._closed = True  # in this order: who sees the second has to see the first
        worker.outgoing.post(worker.frame(HEADER.pack(CLOSE, 0, self.id, 0)), self)
        if flags & ERROR and self._error is None:
            self._error = loads(payload)
        self._no_more_items()
        del worker.channels[self.id]
        if flags & GIVEN and not self.claimed:
            worker.unclaimed[self.id] = self


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
        if value._closed:
            raise DumpError('%r is closed' % value)
        return value.id


def channel_with(channel_id):
    """For loads: the channel with this id; one that is over, if it is over."""
    return extra('handles').channel_with(channel_id)
