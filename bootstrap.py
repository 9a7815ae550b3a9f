"""The worker: what a bare Python runs to become the far end of a tendril gateway.

Sent whole, as it stands, to an interpreter that has nothing of ours; there it is the module `_tendril`. PROTOCOL.md is the page
that both languages implement, and the sections below carry the names of their twins in src/. Common subset of Python 2.7 and
3.6+; imports only what is cheap: what the first result can do without is an extra (src/gateways/extras.ts).
"""
import errno
import os
import select
import struct
import sys
import time
import zlib
from _collections import deque
try:
    import _signal as signal  # the plain C module: `signal` itself costs 5 ms of enum
    import _thread
except ImportError:  # Python 2
    import signal
    import thread as _thread

PY2 = sys.version_info[0] == 2
READ_BYTES = 65536  # more than malloc's mmap threshold would map and unmap memory on every read
worker = None       # the one Worker of this process


# --- frames (PROTOCOL.md section 2; twin: src/protocol/frames.ts) ---------------------------------------------------------------

HELLO, SETUP, PUSH, EXEC, OPEN, DATA, CREDIT, END, CLOSE, OUTPUT, STATUS, TERMINATE = 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15
MORE, ERROR, STDOUT, STDERR = 1, 2, 4, 8
VERSION = 1
FRAGMENT_BYTES = 256 * 1024
MAX_FRAME_BYTES = 1024 * 1024
ITEM_OVERHEAD = 128
HEADER = struct.Struct('>BBII')


class ProtocolError(Exception):
    """The controller sent what PROTOCOL.md does not allow: the gateway ends."""


# --- codec (PROTOCOL.md section 6; twin: src/protocol/codec.ts) -----------------------------------------------------------------

import pickle


class DumpError(Exception):
    pass


class LoadError(Exception):
    pass


PROTOCOL = min(pickle.HIGHEST_PROTOCOL, 5)


def dumps(value, channel_id=None, protocol=PROTOCOL):
    return pickle.dumps(value, protocol)


def loads(payload, channel=None):
    return pickle.loads(payload)


# --- waiting --------------------------------------------------------------------------------------------------------------------

class Mailbox(object):
    """Things that frames bring and threads wait for (Worker.wait). Only threads that are asleep cost anybody a wake-up."""

    def __init__(self):
        self.items = deque()
        self.sleepers = deque()

    def put(self, item):
        self.items.append(item)
        if self.sleepers:
            self.wake()

    def wake(self):
        try:
            self.sleepers.popleft().release()
        except IndexError:  # it has woken by itself
            pass

    def sleep(self, timeout):
        """Until the next put or for `timeout` seconds; False when the time is up."""
        turn = _thread.allocate_lock()
        turn.acquire()
        self.sleepers.append(turn)
        try:
            if PY2 and timeout is not None:
                return bool(self.items) or extra('python2').acquire(turn, timeout)
            return bool(self.items) or (turn.acquire() if timeout is None else turn.acquire(True, max(timeout, 0)))
        finally:
            try:
                self.sleepers.remove(turn)
            except ValueError:  # a put chose this thread; what it does not take, the next sleeper may
                if len(self.items) > 1:
                    self.wake()


class FairLock(object):
    """A lock that goes to whoever has waited longest. Python's own let a thread that sends in a loop starve all the others."""

    def __init__(self):
        self.lock = _thread.allocate_lock()
        self.mutex = _thread.allocate_lock()
        self.turns = deque()

    def acquire(self, blocking=True):
        if self.lock.acquire(False):
            return True
        if not blocking:
            return False
        turn = _thread.allocate_lock()
        turn.acquire()
        with self.mutex:
            if self.lock.acquire(False):
                return True
            self.turns.append(turn)
        return turn.acquire()

    def release(self):
        with self.mutex:
            if self.turns:  # the lock stays locked: it is handed over
                self.turns.popleft().release()
            else:
                self.lock.release()

    __enter__ = acquire

    def __exit__(self, *_):
        self.release()


# --- channels (PROTOCOL.md sections 4 and 5; twin: src/channels/channel.ts) -----------------------------------------------------

class RemoteError(Exception):
    """What the other side closed a channel with; `formatted` is its text."""

    def __init__(self, formatted):
        Exception.__init__(self, formatted)
        self.formatted = formatted


class TimeoutError(IOError):
    """Nothing arrived in time; the channel stays usable."""


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
        self._items = Mailbox()  # (payload, cost), then ENDED
        self._parts = []         # fragments of an item that is still arriving
        self._due = 0            # cost of what was consumed and not given back yet
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
        payload = dumps(item, channel_id)
        with self._sending:
            while self._is_full() and not self._closed and not worker.leaving:
                worker.wait(self._credits)
            if self._closed or self._is_full():
                raise IOError('cannot send to %r' % self)
            self._sent += len(payload) + ITEM_OVERHEAD
            worker.write(DATA, self.id, payload, self)

    def _is_full(self):
        return self._sent - self._given_back >= worker.window

    def receive(self, timeout=None):
        """The next item, oldest first. After the last: RemoteError or EOFError, every time. TimeoutError after `timeout` seconds."""
        if self._callback is not None:
            raise IOError('cannot receive(), channel has receiver callback')
        return self._receive(timeout)

    def _receive(self, timeout=None):
        entry = worker.wait(self._items, timeout)
        if entry is ENDED:
            self._items.put(ENDED)
            raise EndOfChannel('no more items on %r' % self) if self._error is None else RemoteError(self._error)
        try:
            return loads(entry[0], channel_with)
        finally:
            with worker.mutex:
                due = self._due = self._due + entry[1]
                if due >= worker.window // 4:
                    self._due = 0
            if due >= worker.window // 4 and not self._closed:
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
        self._callback = callback
        extra('callbacks').start(self, callback, endmarker)

    def waitclose(self, timeout=None):
        """Waits until no item can arrive any more (with a callback: until it has had them all). Raises RemoteError or TimeoutError."""
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
        return extra('files').make_file(self, mode, proxyclose)

    def _close(self, error=None):
        with self._sending:  # an item that has been started completes
            if self._closed:
                return
            self._closed = True
            worker.write(CLOSE, self.id, b'' if error is None else dumps(error), flags=0 if error is None else ERROR)
        self._no_more_items()

    def _no_more_items(self):
        self._items.put(ENDED)
        self._credits.put(None)
        if self._callback is None:
            self._over.put(ENDED)

    # Frames that arrive. Nothing here waits.

    def _on_data(self, flags, payload):
        if self._closed:
            return
        if self._ended:
            raise ProtocolError('DATA after END on channel %d' % self.id)
        if self._parts or flags & MORE:
            self._parts.append(payload)
            if flags & MORE:
                return
            payload = b''.join(self._parts)
            self._parts = []
        self._items.put((payload, len(payload) + ITEM_OVERHEAD))

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


# --- the worker (twin: src/protocol/connection.ts and src/gateways/gateway.ts) --------------------------------------------------

class Worker(object):
    """The gateway as code in the worker sees it (`channel.gateway`), and all that happens behind it."""

    def __init__(self, marker):
        self.marker = marker
        self.fd_in, self.fd_out = private(os.dup(0)), private(os.dup(1))
        self.main = _thread.get_ident()
        self.chunks, self.have, self.need = [], 0, 0  # of a frame that is still arriving
        self.parts = {}            # fragments of EXEC, PUSH and CLOSE, by kind and channel
        self.writing = FairLock()
        self.control = deque()     # frames that go before any other, and that nobody waits to have written
        self.channels = {}
        self.unclaimed = {}        # over, but a reference to them may still lie undecoded in a queue
        self.next_id = 2
        self.tasks = Mailbox()     # what the main thread does next: (channel, payload), or None to look whether to leave
        self.main_busy = False
        self.executing = {}        # channels of running tasks, by id
        self.lost = self.leaving = False
        self.texts = {}            # sources of tasks by file name, for tracebacks
        self.sources, self.pushed, self.mutex = {}, Mailbox(), _thread.allocate_lock()

    def newchannel(self):
        """A new channel. Send it over another one, so that the controller has its other end."""
        with self.mutex:
            channel = Channel(self.next_id)
            self.next_id += 2
        channel.claimed = True
        self.channels[channel.id] = channel
        self.post(OPEN, channel.id)
        return channel

    def info(self):
        try:
            cwd = os.getcwd()
        except OSError:
            cwd = None
        return {'pid': os.getpid(), 'executable': sys.executable, 'version_info': list(sys.version_info), 'platform': sys.platform,
                'implementation': 'PyPy' if '__pypy__' in sys.builtin_module_names else 'CPython', 'cwd': cwd}

    # Reading. A thread of its own acts on frames. As soon as a thread has time to wait, `_tendril.reading` has those that wait
    # read for themselves: that saves a hop from thread to thread, which is most of a round trip.

    def wait(self, mailbox, timeout=None):
        """Takes what comes first in `mailbox`; TimeoutError after `timeout` seconds."""
        end = None if timeout is None else time.time() + timeout
        while True:
            try:
                if mailbox.items or not self.sleep(mailbox, None if end is None else end - time.time()):
                    return mailbox.items.popleft()
            except IndexError:  # nothing came in time, or another thread was faster
                if end is not None and time.time() >= end:
                    raise TimeoutError('no item after %s seconds' % timeout)

    def sleep(self, mailbox, timeout):
        if not PY2 and '_tendril.reading' in self.sources:
            extra('reading').install()
            return self.sleep(mailbox, timeout)
        return mailbox.sleep(timeout)

    def read_all(self):
        while not self.lost:
            self.read_turn()

    def read_turn(self):
        self.read_some()

    def read_some(self):
        """Reads what there is, at least a byte, and acts on every frame that is complete."""
        try:
            chunk = os.read(self.fd_in, READ_BYTES)
        except EnvironmentError as e:
            if e.errno in (errno.EAGAIN, errno.EINTR):
                select.select([self.fd_in], [], [])
                return
            chunk = b''
        if not chunk:
            return self.lose()
        if self.chunks:
            self.chunks.append(chunk)
            self.have += len(chunk)
            if self.have < self.need:
                return
            chunk = b''.join(self.chunks)
            self.chunks = []
        self.on_chunk(chunk)

    def on_chunk(self, data):
        at, size = 0, len(data)
        try:
            while size - at >= HEADER.size:
                kind, flags, channel_id, length = HEADER.unpack_from(data, at)
                stop = at + HEADER.size + length
                if stop > size:
                    if length > MAX_FRAME_BYTES:
                        raise ProtocolError('a frame of %d bytes' % length)
                    break
                if kind == DATA:
                    self.channels[channel_id]._on_data(flags, data[at + HEADER.size:stop])
                else:
                    self.on_frame(kind, flags, channel_id, data[at + HEADER.size:stop])
                at = stop
        except (ProtocolError, LoadError, KeyError, struct.error, zlib.error, IOError) as e:
            sys.stderr.write('tendril worker: protocol error: %r; got %r\n' % (e, data[at:at + 64]))
            return self.lose()
        if at < size:
            self.chunks, self.have, self.need = [data[at:]], size - at, stop - at if size - at >= HEADER.size else HEADER.size

    def on_frame(self, kind, flags, channel_id, payload):
        if flags & MORE or (kind, channel_id) in self.parts:
            parts = self.parts.setdefault((kind, channel_id), [])
            parts.append(payload)
            if flags & MORE:
                return
            payload = b''.join(self.parts.pop((kind, channel_id)))
        if kind in self.CHANNEL_FRAMES:
            self.CHANNEL_FRAMES[kind](self.channels[channel_id], flags, payload)
        else:
            self.FRAMES[kind](self, channel_id, payload)

    def on_setup(self, _, payload):
        setup, error = loads(payload), None
        self.id, self.execmodel, self.window = setup['id'], setup['execmodel'], setup['window']
        sys.dont_write_bytecode = sys.dont_write_bytecode or setup['dont_write_bytecode']
        try:
            if setup['nice']:
                os.nice(setup['nice'])
            if setup['chdir']:
                if not os.path.isdir(setup['chdir']):
                    os.makedirs(setup['chdir'])
                os.chdir(setup['chdir'])
        except (EnvironmentError, AttributeError) as e:
            error = str(e)
        self.output = extra('output').Output()
        if hasattr(os, 'fork'):
            extra('guard').start()
        hello = dumps(dict(self.info(), version=VERSION, pickle=PROTOCOL, error=error))
        os.write(self.fd_out, self.marker.encode('ascii') + HEADER.pack(HELLO, 0, 0, len(hello)) + hello)
        if error is not None:
            os._exit(1)

    def on_push(self, _, payload):
        self.sources.update(loads(zlib.decompress(payload)))
        self.pushed.put(None)

    def on_exec(self, channel_id, payload):
        channel = self.on_open(channel_id, payload)
        channel.claimed = True
        if self.main_busy and self.execmodel == 'thread':
            return self.start_thread(self.run, channel, payload)
        self.main_busy = True
        self.tasks.put((channel, payload))

    def on_open(self, channel_id, payload):
        if channel_id % 2 == 0 or channel_id in self.channels:
            raise ProtocolError('channel id %d cannot be opened' % channel_id)
        self.unclaimed.pop(channel_id, None)
        channel = self.channels[channel_id] = Channel(channel_id)
        return channel

    def on_status(self, request, payload):
        self.post(STATUS, request, dumps(dict(
            self.info(), execmodel=self.execmodel, num_executing=len(self.executing),
            num_channels=sum(not channel._closed for channel in list(self.channels.values())))))

    def on_terminate(self, _, payload):
        self.leave(struct.unpack('>I', payload)[0] / 1000.0)

    FRAMES = {SETUP: on_setup, PUSH: on_push, EXEC: on_exec, OPEN: on_open, STATUS: on_status, TERMINATE: on_terminate}
    CHANNEL_FRAMES = {CREDIT: Channel._on_credit, END: Channel._on_end, CLOSE: Channel._on_close}

    # Writing. One os.write a frame where the system takes it whole; control frames first; the reading thread waits for no other.

    def write(self, kind, channel_id, payload, channel=None, flags=0):
        """Writes a payload in fragments, between which other threads have their turn. Stops when `channel` has been closed."""
        size = len(payload)
        if size <= FRAGMENT_BYTES:
            return self.write_frame(kind, flags, channel_id, payload, channel)
        view = payload if PY2 else memoryview(payload)
        for at in range(0, size, FRAGMENT_BYTES):
            more = MORE if at + FRAGMENT_BYTES < size else 0
            self.write_frame(kind, flags | more, channel_id, view[at:at + FRAGMENT_BYTES], channel)

    def write_frame(self, kind, flags, channel_id, payload, channel):
        with self.writing:
            if channel is not None and channel._closed:
                raise IOError('cannot send to %r' % channel)
            while self.control:
                self.write_all(self.control.popleft())
            self.write_all(HEADER.pack(kind, flags, channel_id, len(payload)) + payload)
        if self.control:
            self.flush_control()

    def post(self, kind, channel_id, payload=b''):
        """Has a small frame written before any other, by this thread or by the one that is writing now."""
        self.control.append(HEADER.pack(kind, 0, channel_id, len(payload)) + payload)
        self.flush_control()

    def flush_control(self):
        while self.control and self.writing.acquire(False):
            try:
                while self.control:
                    self.write_all(self.control.popleft())
            except IOError:
                self.control.clear()
            finally:
                self.writing.release()

    def write_all(self, data):
        while True:
            try:
                written = os.write(self.fd_out, data)
                if written == len(data):
                    return
                data = memoryview(data)[written:]
            except EnvironmentError as e:
                if e.errno not in (errno.EAGAIN, errno.EINTR):
                    raise IOError(e.errno, 'cannot send (the gateway is gone): %s' % e)
                select.select([], [self.fd_out], [])

    # Tasks. The first runs on the main thread (signals, event loops and GUIs want it), others beside it in threads.

    def serve(self):
        while not self.leaving or self.executing:
            task = self.wait(self.tasks)
            if task is not None and not self.leaving:
                self.run(*task)
                self.main_busy = bool(self.tasks.items)

    def run(self, channel, payload):
        failure = None
        self.executing[channel.id] = channel
        try:
            self.execute(channel, loads(payload, channel_with))
        except EndOfChannel:
            pass
        except BaseException:
            failure = self.describe_failure()
        try:
            self.output.drain()
            channel._close(failure)
        except IOError:
            pass  # the gateway is gone, and with it whoever wanted to know
        del self.executing[channel.id]
        if self.leaving:
            self.tasks.put(None)

    def execute(self, channel, task):
        self.texts[task['file']] = source = task['source']
        scope = {'channel': channel, '__name__': '__channelexec__'}
        if task['function'] is None:
            scope.update(task['kwargs'])
        if PY2:
            source = b'\xef\xbb\xbf' + source.encode('utf-8')
            sys.exc_clear()
        exec(compile(source, task['file'], 'exec', 0, True), scope)
        if task['function'] is not None:
            scope[task['function']](channel, **task['kwargs'])

    def describe_failure(self):
        """The exception that is being handled, as CLOSE carries it (PROTOCOL.md section 4)."""
        kind, error, tb = sys.exc_info()
        try:
            return extra('failures').describe(kind, error, tb)
        except BaseException as e:
            return '%s: %s (no traceback: %r)' % (kind.__name__, error, e)

    def start_thread(self, function, *args):
        """A thread for user code."""
        _thread.start_new_thread(lambda: extra('threads').run(function, args), ())

    # Leaving.

    def lose(self):
        """The controller is gone, or has said what it must not say."""
        self.lost = True
        self.pushed.put(None)
        self.leave(1.0)

    def leave(self, grace):
        """Every receive comes to its end; tasks have `grace` seconds."""
        if not self.leaving:
            self.leaving = True
            for channel in list(self.channels.values()):
                channel._closed = channel._closed or self.lost
                channel._no_more_items()
            self.tasks.put(None)
            if '_tendril.leaving' not in self.sources:
                self.end_group()
            _thread.start_new_thread(extra('leaving').enforce, (grace,))

    def end_group(self):
        """Ends this process with all that it has started."""
        if os.name == 'posix':
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    def on_interrupt(self, signum, frame):
        raise KeyboardInterrupt


# --- extras (PROTOCOL.md section 7; twin: src/gateways/extras.ts) ---------------------------------------------------------------

def extra(name):
    """The module `_tendril.NAME`, made of what the controller pushed. Most come behind the first task, which may have to wait."""
    full = '_tendril.' + name
    while full not in worker.sources and not worker.lost:
        worker.pushed.put(worker.wait(worker.pushed))
    with worker.mutex:
        if full not in sys.modules:
            module, pushed = type(sys)(full), worker.sources[full]
            exec(compile(pushed['source'], pushed['file'], 'exec', 0, True), module.__dict__)
            sys.modules[full] = module
    return sys.modules[full]


# --- start (PROTOCOL.md section 1; twin: src/gateways/bootstrap.ts) -------------------------------------------------------------

def private(fd):
    """Keeps a descriptor from child processes. Python 3 has done so by itself."""
    if PY2 and os.name == 'posix':
        import fcntl
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    return fd


def start(marker):
    """Moves the protocol away from fds 0, 1 and 2, says hello and works until told to leave. Does not return."""
    global worker
    try:
        os.fstat(2)
    except OSError:
        os.open(os.devnull, os.O_RDWR)
    if os.name == 'posix' and os.getpgrp() != os.getsid(0):
        os.setsid()
    worker = Worker(marker)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if not (getattr(sys.flags, 'isolated', 0) or getattr(sys.flags, 'safe_path', 0)):
        sys.path.insert(0, '')
    signal.signal(signal.SIGINT, lambda *args: worker.on_interrupt(*args))
    while not hasattr(worker, 'output') and not worker.lost:
        worker.read_some()
    _thread.start_new_thread(worker.output.forward, ())
    _thread.start_new_thread(worker.read_all, ())
    worker.serve()
    extra('leaving').end()
