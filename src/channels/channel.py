"""`_tendril.channel`: what code in the worker holds of a conversation (PROTOCOL.md sections 4 and 5; twin: channel.ts beside it).

The names are execnet's, so that code written for it runs unchanged.
"""
import struct

import _tendril
from _tendril import (BYTES, CLOSE, CREDIT, DATA, END, ERROR, FRAGMENT_BYTES, ITEM_OVERHEAD, MORE, PY2, Bytes, DumpError,
                      Mailbox, ProtocolError, TimeoutError, _thread, dump_parts, dumps, loads, pickle, worker)

NUMBERS, dump_number = frozenset([bool, int, float]), pickle.dumps  # what loops send: each call on its way counts
BINARY = frozenset([Bytes if PY2 else bytes, bytearray])


class RemoteError(Exception):
    """What the other side closed a channel with; `formatted` is its text."""

    def __init__(self, formatted):
        Exception.__init__(self, formatted)
        self.formatted = formatted


class EndOfChannel(EOFError):
    """No item will follow. Code that lets it out of a remote_exec has simply come to its end."""


ENDED = object()  # stands behind the last item, for ever
NO_ENDMARKER = object()


class Channel(object):
    """One end of a conversation: `send` and `receive` items, until `close`. Its other end is in the controller."""

    RemoteError = RemoteError
    TimeoutError = TimeoutError

    def __init__(self, channel_id):
        self.gateway = worker
        self.id = channel_id
        self.claimed = False     # a reference to it has been decoded, so the id may be forgotten when it is over
        self._items = Mailbox()  # (payload, cost of all until this one) or (None, cost, value), then ENDED
        self._parts = None       # what has arrived of an item that is not complete (`_tendril.arriving`)
        self._arrived = 0        # cost of all that arrived; only frames write it
        self._returned = 0       # what of that has been consumed and given back
        self._sent = 0           # cost of all that we sent; only senders write it
        self._given_back = 0     # what of that the peer has given back; only frames write it
        self._credits = Mailbox()
        self._sending = _thread.allocate_lock()
        self._callback = self._error = None
        self._closed = self._ended = False  # we may not send any more; the peer sends no more
        self._over = Mailbox()   # ENDED when no item can arrive any more

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
        size = len(parts[0]) if len(parts) == 1 else sum(map(len, parts))
        with self._sending:
            while self._sent - self._given_back >= worker.window and not self._closed:
                if worker.leaving:
                    raise IOError('cannot send to %r: the gateway is ending' % self)
                worker.wait(self._credits)
            if self._closed:
                raise IOError('cannot send to %r' % self)
            self._sent += size + ITEM_OVERHEAD
            if size <= FRAGMENT_BYTES:
                return worker.write_frame(DATA, 0, self.id, parts[0] if len(parts) == 1 else b''.join(parts), self)
            for part in parts[:-1]:
                worker.write(kind, self.id, part, self, MORE)
            worker.write(kind, self.id, parts[-1], self)

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
            raise EndOfChannel('no more items on %r' % self) if self._error is None else RemoteError(self._error)
        try:
            return entry[2] if entry[0] is None else loads(entry[0], channel_with)
        finally:
            if entry[1] - self._returned >= worker.window // 4:
                self._return(entry[1])

    def _return(self, consumed):
        with worker.mutex:
            due = consumed - self._returned
            self._returned += max(due, 0)
        if due > 0 and not self._closed:
            worker.post(CREDIT, self.id, struct.pack('>I', due))

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return self.receive()
        except EOFError:
            raise StopIteration

    next = __next__

    def setcallback(self, callback, endmarker=NO_ENDMARKER):
        """Calls `callback(item)` for what has arrived and what will, in order, in a thread of its own; then `callback(endmarker)`."""
        if self._callback is not None:
            raise IOError('%r has callback already registered' % self)
        self._over, self._callback = Mailbox(), callback
        self._over.by_frames = False
        from _tendril.callbacks import deliver
        worker.start_thread(deliver, self, callback, endmarker)

    def waitclose(self, timeout=None):
        """Waits until no item can arrive any more (with a callback: until it has had them all). Raises RemoteError or TimeoutError."""
        if timeout is None and worker.tasks.items:
            from _tendril.threads import check_wait
            check_wait(self)
        self._over.put(worker.wait(self._over, timeout))
        if self._error is not None:
            raise RemoteError(self._error)

    def close(self, error=None):
        """Ends the channel both ways; with `error` the peer's receive raises a RemoteError with that text. Twice is no error."""
        self._close(None if error is None else str(error))

    def isclosed(self):
        return self._closed

    def makefile(self, mode='w', proxyclose=False):
        """A file whose writes are items sent ('w'), or that reads the text of items received ('r')."""
        from _tendril.files import make_file
        return make_file(self, mode, proxyclose)

    def _close(self, error=None):
        with self._sending:  # an item that has been started completes
            if self._closed:
                return
            self._closed = True
            worker.write(CLOSE, self.id, b'' if error is None else dumps(error), flags=0 if error is None else ERROR)
        self._no_more_items()

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
            from _tendril.arriving import take
            return take(self, kind, flags, payload)
        self._arrived += len(payload) + ITEM_OVERHEAD
        self._items.put((payload, self._arrived))

    def _on_credit(self, flags, payload):
        self._given_back += struct.unpack('>I', payload)[0]
        if self._given_back > self._sent:
            raise ProtocolError('CREDIT for more than is outstanding on channel %d' % self.id)
        self._credits.put(None)

    def _on_end(self, flags, payload):
        self._ended = True
        self._no_more_items()

    def _on_close(self, flags, payload):
        if not self._closed:
            self._closed = True
            worker.post(CLOSE, self.id)
        if flags & ERROR and self._error is None:
            self._error = loads(payload)
        self._no_more_items()
        del worker.channels[self.id]
        if not self.claimed:
            worker.unclaimed[self.id] = self


Channel.__module__, _tendril.Channel = '_tendril', Channel  # its name on the wire


def channel_id(value):
    """For dumps: the id of a channel, None for anything else."""
    if isinstance(value, Channel):
        if value._closed:
            raise DumpError('%r is closed' % value)
        return value.id


def channel_with(channel_id):
    """For loads: the channel with this id; one that is over, if it is over."""
    channel = worker.channels.get(channel_id) or worker.unclaimed.pop(channel_id, None)
    if channel is None:
        channel = Channel(channel_id)
        channel._closed = True
        channel._no_more_items()
    channel.claimed = True
    return channel
