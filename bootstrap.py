"""The worker: what a bare Python runs to become the far end of a tendril gateway.

This file is sent whole, as it stands, to an interpreter that has nothing of ours. There it is the module `_tendril`: the stage
(src/gateways/bootstrap.ts) inflates it and calls start(). PROTOCOL.md is the page that both languages implement; the sections
below carry the names of their twins in src/. It is written in the common subset of Python 2.7 and 3.6 and later, and it imports
only what is cheap: whatever the first result can do without is an extra (`_tendril.values`, `_tendril.failures`, `_tendril.files`).
"""
import errno
import os
import select
import struct
import sys
import time
from _collections import deque
try:
    import _signal as signal  # the plain C module: `signal` itself costs 5 ms of enum
    import _thread
except ImportError:  # Python 2
    import signal
    import thread as _thread

PY2 = sys.version_info[0] == 2
POSIX = os.name == 'posix'
READ_BYTES = 65536  # more than malloc's mmap threshold would map and unmap memory on every read


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

    woken = 0  # how many threads puts have woken; the reading thread counts with it

    def __init__(self):
        self.items = deque()
        self.sleepers = deque()

    def put(self, item):
        self.items.append(item)
        self.wake()

    def wake(self):
        try:
            self.sleepers.popleft().release()
            Mailbox.woken += 1
        except IndexError:
            pass

    def sleep(self, timeout):
        """Until the next put or `timeout` seconds; False when the time is up."""
        turn = _thread.allocate_lock()
        turn.acquire()
        self.sleepers.append(turn)
        try:
            return bool(self.items) or acquire(turn, timeout)
        finally:
            try:
                self.sleepers.remove(turn)
            except ValueError:  # a put chose this thread; what it does not take, the next sleeper may
                if len(self.items) > 1:
                    self.wake()


def acquire(lock, timeout):
    """lock.acquire with a timeout in seconds or None, on Python 2 too (which can only poll, as its threading module does)."""
    if timeout is None:
        return lock.acquire()
    if not PY2:
        return lock.acquire(True, max(timeout, 0))
    end, pause = time.time() + timeout, 0.0005
    while not lock.acquire(0):
        left = end - time.time()
        if left <= 0:
            return False
        pause = min(pause * 2, left, 0.05)
        time.sleep(pause)
    return True


class FairLock(object):
    """A lock that goes to whoever has waited longest. Python's own let a thread that sends in a loop starve all the others."""

    def __init__(self):
        self.mutex = _thread.allocate_lock()
        self.held = False
        self.waiting = deque()

    def acquire(self, blocking=True):
        with self.mutex:
            if not self.held:
                self.held = True
                return True
            if not blocking:
                return False
            turn = _thread.allocate_lock()
            turn.acquire()
            self.waiting.append(turn)
        return turn.acquire()

    def release(self):
        with self.mutex:
            if self.waiting:
                self.waiting.popleft().release()
            else:
                self.held = False

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


ENDED = object()  # stands in `items` behind the last one, for ever
NO_ENDMARKER = object()


class Channel(object):
    """One end of a conversation: `send` and `receive` items, until `close`. Its other end is in the controller."""

    RemoteError = RemoteError
    TimeoutError = TimeoutError

    def __init__(self, gateway, channel_id):
        self.gateway = gateway
        self.id = channel_id
        self.claimed = False     # a reference to it has been decoded, so the id may be forgotten when it is over
        self._items = Mailbox()  # (payload, cost), then ENDED
        self._parts = []         # fragments of an item that is still arriving
        self._due = 0            # cost of what was consumed and not given back yet
        self._unread = 0         # cost of what we sent and the peer has not given back
        self._credits = Mailbox()
        self._sending = FairLock()
        self._callback = None
        self._closed = self._receive_ended = False
        self._over = Mailbox()   # ENDED when no item can arrive any more
        self._error = None

    def __repr__(self):
        return '<Channel id=%d %s>' % (self.id, 'closed' if self._closed else 'open')

    def send(self, item):
        """Sends a value; blocks while the other side's window is full. Raises DumpError (nothing is sent) or IOError."""
        payload = dumps(item, self.gateway.channel_id)
        with self._sending:
            while self._unread >= self.gateway.window and not self._closed and not self.gateway.leaving:
                self.gateway.wait(self._credits)
            if self._closed or self.gateway.leaving and self._unread >= self.gateway.window:
                raise IOError('cannot send to %r' % self)
            self._unread += len(payload) + ITEM_OVERHEAD
            self.gateway.write(DATA, self.id, payload, self)

    def receive(self, timeout=None):
        """The next item, oldest first. After the last: RemoteError or EOFError, every time. TimeoutError after `timeout` seconds."""
        if self._callback is not None:
            raise IOError('cannot receive(), channel has receiver callback')
        if timeout is not None and timeout < 0:
            raise ValueError('timeout must not be negative: %r' % timeout)
        return self._receive(timeout)

    def _receive(self, timeout=None):
        entry = self.gateway.wait(self._items, timeout)
        if entry is ENDED:
            self._items.put(ENDED)
            raise self._end()
        try:
            return loads(entry[0], self.gateway.channel)
        finally:
            self._give_back(entry[1])

    def _end(self):
        return EndOfChannel('no more items on %r' % self) if self._error is None else RemoteError(self._error)

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
        self.gateway.start_thread(self._deliver, callback, endmarker)

    def _deliver(self, callback, endmarker):
        try:
            while True:
                try:
                    item = self._receive()
                except (EOFError, RemoteError):
                    break
                callback(item)
            if endmarker is not NO_ENDMARKER:
                callback(endmarker)
        except BaseException:
            self._close(self.gateway.describe_failure())
        self._over.put(ENDED)

    def waitclose(self, timeout=None):
        """Waits until no item can arrive any more (with a callback: until it has had them all). Raises RemoteError or TimeoutError."""
        self.gateway.wait(self._over, timeout)
        self._over.put(ENDED)
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

    # Below: what the worker calls when frames arrive. Nothing here waits.

    def _close(self, error=None):
        with self._sending:  # an item that has been started completes
            if self._closed:
                return
            self._closed = True
            self._parts = []
            self.gateway.write(CLOSE, self.id, b'' if error is None else dumps(error), flags=0 if error is None else ERROR)
        self._no_more_items()

    def _no_more_items(self, error=None):
        if error is not None and self._error is None:
            self._error = error
        self._items.put(ENDED)
        self._credits.put(None)
        if self._callback is None:
            self._over.put(ENDED)

    def _on_data(self, flags, payload):
        if self._closed:
            return
        if self._receive_ended:
            raise ProtocolError('DATA after END on channel %d' % self.id)
        if self._parts or flags & MORE:
            self._parts.append(payload)
            if flags & MORE:
                return
            payload = b''.join(self._parts)
            self._parts = []
        self._items.put((payload, len(payload) + ITEM_OVERHEAD))

    def _on_credit(self, cost):
        self._unread -= cost
        if self._unread < 0:
            raise ProtocolError('CREDIT of %d more than was outstanding on channel %d' % (-self._unread, self.id))
        self._credits.put(None)

    def _give_back(self, cost):
        self._due += cost
        if self._due >= self.gateway.window // 4 and not self._closed:
            due, self._due = self._due, 0
            self.gateway.post(CREDIT, self.id, struct.pack('>I', due))

    def _on_end(self):
        if self._receive_ended:
            raise ProtocolError('END twice on channel %d' % self.id)
        self._receive_ended = True
        self._no_more_items()

    def _on_close(self, error):
        if not self._closed:
            self._closed = True
            self.gateway.post(CLOSE, self.id)
        self._no_more_items(error)


# --- the worker (twin: src/protocol/connection.ts and src/gateways/gateway.ts) --------------------------------------------------

class Worker(object):
    """The gateway as code in the worker sees it (`channel.gateway`), and all that happens behind it."""

    STEP_ASIDE = 0.02  # seconds that the reading thread leaves the input to a thread that reads for itself

    def __init__(self, fd_in, fd_out):
        self.fd_in, self.fd_out = fd_in, fd_out
        self.id = 'worker'
        self.window = 16 * 1024 * 1024
        self.execmodel = 'thread'
        self.channels = {}
        self.unclaimed = {}        # over, but a reference to them may still lie undecoded in a queue
        self.next_id = 2
        self.mutex = _thread.allocate_lock()
        self.chunks, self.have, self.need = [], 0, HEADER.size
        self.parts = {}            # fragments of EXEC, PUSH and CLOSE, by kind and channel
        self.writing = FairLock()
        self.control = deque()     # frames that go before any other, and that nobody waits to have written
        self.tasks = Mailbox()     # what the main thread does next: (channel, payload), or None to look whether to leave
        self.main_busy = False
        self.executing = {}        # channel ids of running tasks
        self.lost = self.leaving = False
        self.texts = {}            # sources of tasks by file name, for tracebacks
        self.sources, self.pushed = {}, Mailbox()
        self.reading = _thread.allocate_lock()  # held by whoever reads the input
        self.reader = None
        self.standby = _thread.allocate_lock()
        self.standby.acquire()
        self.standing_by = False
        self.self_reads = 0
        self.asleep = set()                     # threads that sleep in a mailbox

    # Reading. A thread that waits reads for itself if nobody else does: that saves a hop from thread to thread, most of a round
    # trip. The reading thread looks after the input while nobody waits, and steps aside when it has served the only one who did.

    def wait(self, mailbox, timeout=None):
        """Takes what comes first in `mailbox`; TimeoutError after `timeout` seconds."""
        end = None if timeout is None else time.time() + timeout
        while True:
            try:
                return mailbox.items.popleft()
            except IndexError:
                pass
            left = None if end is None else end - time.time()
            if not PY2 and self.reading.acquire(False):
                in_time = self.read_for(mailbox, left)
            else:
                self.asleep.add(_thread.get_ident())
                try:
                    in_time = mailbox.sleep(left)
                finally:
                    self.asleep.discard(_thread.get_ident())
            if not in_time and not mailbox.items:
                raise TimeoutError('no item after %s seconds' % timeout)

    def read_for(self, mailbox, timeout):
        self.reader = _thread.get_ident()
        self.self_reads += 1
        try:
            if self.lost:
                return mailbox.sleep(timeout)
            if timeout is not None and not select.select([self.fd_in], [], [], max(timeout, 0))[0]:
                return False
            while not mailbox.items and not self.lost:
                self.read_some()
                if timeout is not None:
                    break
            return True
        finally:
            self.reader = None
            self.reading.release()
            if self.standing_by or self.asleep:
                self.take_over()

    def take_over(self):
        try:
            self.standby.release()
        except (RuntimeError, _thread.error):
            pass  # it has been told already

    def read_for_others(self):
        while not self.lost:
            self.stand_by()
            try:
                while not self.lost:
                    Mailbox.woken = 0
                    self.read_some()
                    if not PY2 and 0 < Mailbox.woken >= len(self.asleep):
                        break
            finally:
                self.reading.release()

    def stand_by(self):
        """Returns, as the reader, when nobody else has read for STEP_ASIDE seconds. Sleeps without a timeout while one thread stays."""
        if PY2:
            return self.reading.acquire()
        seen = None
        while True:
            told = self.standby.acquire(True, self.STEP_ASIDE)
            if (self.asleep or not told) and self.reading.acquire(False):
                return
            if told or seen != self.self_reads:
                seen = None if told else self.self_reads
                continue
            self.standing_by = True
            if not self.reading.acquire(False):
                self.standby.acquire()
                self.standing_by, seen = False, None
                continue
            self.standing_by = False
            return

    def read_some(self):
        """Reads what there is, at least a byte, and acts on every frame that is complete."""
        try:
            chunk = os.read(self.fd_in, READ_BYTES)
        except (IOError, OSError) as e:
            if e.errno == errno.EAGAIN:
                select.select([self.fd_in], [], [])
                return
            if e.errno == errno.EINTR:
                return
            chunk = b''
        if not chunk:
            return self.lose()
        self.chunks.append(chunk)
        self.have += len(chunk)
        if self.have < self.need:
            return
        data = chunk if len(self.chunks) == 1 else b''.join(self.chunks)
        at, size, self.need = 0, self.have, HEADER.size
        try:
            while size - at >= HEADER.size:
                kind, flags, channel_id, length = HEADER.unpack_from(data, at)
                stop = at + HEADER.size + length
                if stop > size:
                    if length > MAX_FRAME_BYTES:
                        raise ProtocolError('a frame of %d bytes' % length)
                    self.need = stop - at
                    break
                payload = data[at + HEADER.size:stop]
                at = stop
                if kind == DATA:
                    self.channel_for(channel_id)._on_data(flags, payload)
                else:
                    self.on_frame(kind, flags, channel_id, payload)
        except (ProtocolError, LoadError, struct.error, IOError) as e:
            sys.stderr.write('tendril worker: protocol error: %s; got %r\n' % (e, data[at:at + 64]))
            return self.lose()
        self.chunks, self.have = ([data[at:]], size - at) if at < size else ([], 0)

    def on_frame(self, kind, flags, channel_id, payload):
        handle = self.HANDLERS.get(kind)
        if handle is None:
            raise ProtocolError('unknown kind of frame: %d' % kind)
        if flags & MORE or (kind, channel_id) in self.parts:
            parts = self.parts.setdefault((kind, channel_id), [])
            parts.append(payload)
            if flags & MORE:
                return
            payload = b''.join(self.parts.pop((kind, channel_id)))
        handle(self, flags, channel_id, payload)

    def on_setup(self, flags, channel_id, payload):
        setup, error = loads(payload), None
        self.id, self.execmodel, self.window = setup['id'], setup['execmodel'], setup['window']
        try:
            if setup['nice']:
                os.nice(setup['nice'])
            if setup['chdir']:
                if not os.path.isdir(setup['chdir']):
                    os.makedirs(setup['chdir'])
                os.chdir(setup['chdir'])
        except (EnvironmentError, AttributeError) as e:
            error = str(e)
        if setup['dont_write_bytecode']:
            sys.dont_write_bytecode = True
        self.write(HELLO, 0, dumps(dict(self.info(), version=VERSION, pickle=PROTOCOL, error=error)), marker=self.marker)
        if error is not None:
            os._exit(1)

    def on_push(self, flags, channel_id, payload):
        self.sources.update(loads(payload))
        self.pushed.put(None)

    def on_exec(self, flags, channel_id, payload):
        channel = self.on_open(flags, channel_id, payload)
        channel.claimed = True
        if self.main_busy and self.execmodel == 'thread':
            self.start_thread(self.run, channel, payload)
        else:
            self.main_busy = True
            self.tasks.put((channel, payload))

    def on_open(self, flags, channel_id, payload):
        if channel_id % 2 == 0 or channel_id in self.channels:
            raise ProtocolError('channel id %d cannot be opened' % channel_id)
        self.unclaimed.pop(channel_id, None)
        channel = self.channels[channel_id] = Channel(self, channel_id)
        return channel

    def on_credit(self, flags, channel_id, payload):
        self.channel_for(channel_id)._on_credit(struct.unpack('>I', payload)[0])

    def on_end(self, flags, channel_id, payload):
        self.channel_for(channel_id)._on_end()

    def on_close(self, flags, channel_id, payload):
        channel = self.channel_for(channel_id)
        channel._on_close(loads(payload) if flags & ERROR else None)
        self.channels.pop(channel_id, None)
        if not channel.claimed:
            self.unclaimed[channel_id] = channel

    def on_status(self, flags, channel_id, payload):
        status = dict(self.info(), num_channels=sum(not c._closed for c in list(self.channels.values())),
                      num_executing=len(self.executing), execmodel=self.execmodel)
        self.post(STATUS, channel_id, dumps(status))

    def on_terminate(self, flags, channel_id, payload):
        self.leave(struct.unpack('>I', payload)[0] / 1000.0)

    HANDLERS = {SETUP: on_setup, PUSH: on_push, EXEC: on_exec, OPEN: on_open, CREDIT: on_credit, END: on_end, CLOSE: on_close,
                STATUS: on_status, TERMINATE: on_terminate}

    def channel_for(self, channel_id):
        try:
            return self.channels[channel_id]
        except KeyError:
            raise ProtocolError('channel %d is not open' % channel_id)

    # Writing. One os.write a frame where the system takes it whole; control frames first; the reading thread never waits for others.

    def write(self, kind, channel_id, payload, channel=None, flags=0, marker=b''):
        """Writes a payload in fragments, between which other threads have their turn. Stops when `channel` has been closed."""
        size = len(payload)
        view = payload if PY2 or size <= FRAGMENT_BYTES else memoryview(payload)
        for at in range(0, size or 1, FRAGMENT_BYTES):
            part = view[at:at + FRAGMENT_BYTES]
            more = MORE if at + FRAGMENT_BYTES < size else 0
            with self.writing:
                if channel is not None and channel._closed:
                    raise IOError('cannot send to %r' % channel)
                while self.control:
                    self.write_all(self.control.popleft())
                self.write_all(marker + HEADER.pack(kind, flags | more, channel_id, len(part)) + part)
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
        while data:
            try:
                written = os.write(self.fd_out, data)
            except (IOError, OSError) as e:
                if e.errno == errno.EAGAIN:
                    select.select([], [self.fd_out], [])
                elif e.errno != errno.EINTR:
                    raise IOError(e.errno, 'cannot send (the gateway is gone): %s' % e)
                continue
            if written == len(data):
                return
            data = memoryview(data)[written:]

    # What code in the worker may use.

    def newchannel(self):
        """A new channel. Send it over another one, so that the controller has its other end."""
        with self.mutex:
            channel_id, self.next_id = self.next_id, self.next_id + 2
            channel = self.channels[channel_id] = Channel(self, channel_id)
        channel.claimed = True
        self.post(OPEN, channel_id)
        return channel

    def channel_id(self, value):
        """For dumps: the id of a channel, None for anything else."""
        if not isinstance(value, Channel):
            return None
        if self.channels.get(value.id) is not value or value._closed:
            raise DumpError('%r is closed' % value)
        return value.id

    def channel(self, channel_id):
        """For loads: the channel with this id; one that is over, if it is over."""
        channel = self.channels.get(channel_id) or self.unclaimed.pop(channel_id, None)
        if channel is None:
            channel = Channel(self, channel_id)
            channel._closed = True
            channel._no_more_items()
        channel.claimed = True
        return channel

    def info(self):
        try:
            cwd = os.getcwd()
        except OSError:
            cwd = None
        implementation = 'PyPy' if '__pypy__' in sys.builtin_module_names else 'CPython'
        return {'pid': os.getpid(), 'executable': sys.executable, 'version_info': list(sys.version_info), 'platform': sys.platform,
                'implementation': implementation, 'cwd': cwd}

    # Tasks. The first runs on the main thread (signals, event loops and GUIs want it), others beside it in threads.

    def serve(self):
        while True:
            task = self.wait(self.tasks)
            if self.leaving or self.lost:
                if not self.executing:
                    return
            elif task is not None:
                self.run(*task)
                self.main_busy = bool(self.tasks.items)

    def run(self, channel, payload):
        failure = None
        self.executing[channel.id] = channel
        try:
            self.execute(channel, loads(payload, self.channel))
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
        self.texts[task['file']] = task['source']
        scope = {'channel': channel, '__name__': '__channelexec__'}
        source, function = task['source'], task['function']
        if function is None:
            scope.update(task['kwargs'])
        if PY2:
            source = b'\xef\xbb\xbf' + source.encode('utf-8')
            sys.exc_clear()
        exec(compile(source, task['file'], 'exec', 0, True), scope)
        if function is not None:
            scope[function](channel, **task['kwargs'])

    def describe_failure(self):
        """The exception that is being handled, as CLOSE carries it (PROTOCOL.md section 4)."""
        kind, error, tb = sys.exc_info()
        try:
            from _tendril.failures import describe
            return describe(kind, error, tb, self.texts)
        except BaseException as e:
            return '%s: %s (no traceback: %s)' % (kind.__name__, error, e)

    def start_thread(self, function, *args):
        """A thread for user code. `threading` takes the thread that imports it for the main one: it must be told."""
        if 'threading' not in sys.modules and _thread.get_ident() != self.main:
            real = _thread.get_ident
            _thread.get_ident = lambda: self.main
            try:
                import threading
                setattr(threading, '_get_ident' if PY2 else 'get_ident', real)
            finally:
                _thread.get_ident = real
        _thread.start_new_thread(function, args)

    # Leaving.

    def lose(self):
        """The controller is gone, or has said what it must not say."""
        self.lost = True
        self.leave(1.0)
        self.pushed.put(None)

    def leave(self, grace):
        """Lets every receive come to its end, gives tasks `grace` seconds, and interrupts the main thread halfway."""
        if not self.leaving:
            self.leaving = True
            for channel in list(self.channels.values()):
                channel._closed = channel._closed or self.lost
                channel._no_more_items()
            self.tasks.put(None)
            _thread.start_new_thread(self.enforce, (grace,))

    def enforce(self, grace):
        time.sleep(grace / 2)
        if hasattr(signal, 'pthread_kill'):
            signal.pthread_kill(self.main, signal.SIGINT)
        elif POSIX:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(grace / 2)
        self.end_group()

    def end_group(self):
        if POSIX:
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    def on_interrupt(self, signum, frame):
        if self.reader != self.main:  # a wait of ours ends by itself, and must not lose what it has read
            raise KeyboardInterrupt

    def end(self):
        """What the interpreter would do at its end, but for waiting for threads and tearing down modules under them."""
        try:
            if 'atexit' in sys.modules:
                sys.modules['atexit']._run_exitfuncs()
            self.output.drain()
        finally:
            os._exit(0)


# --- output (PROTOCOL.md section 8; twin: src/gateways/output.ts) ---------------------------------------------------------------

class Output(object):
    """Takes fds 1 and 2, so that no print, of Python, of C or of a child process, can touch the protocol; forwards what arrives."""

    def __init__(self, worker):
        self.worker = worker
        self.lock = _thread.allocate_lock()
        self.stderr = private(os.dup(2))
        self.streams = {self.capture(1): STDOUT, self.capture(2): STDERR}
        for name, fd in (('stdout', 1), ('stderr', 2)):
            stream = getattr(sys, name, None)
            if hasattr(stream, 'reconfigure'):
                stream.reconfigure(encoding='utf-8', errors='backslashreplace', line_buffering=True)
            elif PY2:
                setattr(sys, name, os.fdopen(fd, 'w', 1))
            else:
                setattr(sys, name, open(fd, 'w', 1, 'utf-8', 'backslashreplace', closefd=False))

    def capture(self, fd):
        read_end, write_end = os.pipe()
        os.dup2(write_end, fd)
        os.close(write_end)
        return private(read_end)

    def forward(self):
        """The thread of this object: sends what is printed as it is printed."""
        try:
            while True:
                select.select(list(self.streams), [], [])
                self.send_what_is_there()
        except IOError:
            pass  # the gateway is gone

    def send_what_is_there(self):
        with self.lock:
            for fd in select.select(list(self.streams), [], [], 0)[0]:
                tasks = list(self.worker.executing)
                text = os.read(fd, READ_BYTES)
                self.worker.write(OUTPUT, tasks[0] if len(tasks) == 1 else 0, text, flags=self.streams[fd])

    def drain(self):
        """Sends all that has been printed until now: a pipe holds no more than READ_BYTES."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:  # user code may have put anything there
                pass
        if 'ctypes' in sys.modules:
            try:
                sys.modules['ctypes'].pythonapi.fflush(None)
            except Exception:  # no such function in this process
                pass
        self.send_what_is_there()


# --- the guard (twin: src/gateways/end.ts) --------------------------------------------------------------------------------------

class Guard(object):
    """A forked process that needs no GIL of ours: when the controller is gone it ends the worker, when the worker is gone what
    the worker started; and what a crash left unsent in the output pipes it passes on to the real stderr."""

    GRACE = 1.4  # seconds that the worker has to leave by itself after the controller has gone

    def __init__(self, worker, output):
        lifeline, self.end = os.pipe()
        if not os.fork():
            if not os.fork():
                os.close(self.end)
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN)
                try:
                    self.watch(worker, output, lifeline)
                    if worker.pid != os.getpgrp():
                        time.sleep(0.1)  # the command that started the worker may still have its exit code to pass on
                finally:
                    worker.end_group()
            os._exit(0)
        os.wait()
        os.close(lifeline)
        private(self.end)

    def watch(self, worker, output, lifeline):
        for fd in (0, 1, 2, worker.fd_out):
            os.close(fd)
        poll = select.poll()
        poll.register(lifeline, select.POLLIN)
        poll.register(worker.fd_in, 0)  # no events: only the hang-up, which is always told
        if lifeline not in [fd for fd, _ in poll.poll()]:
            poll.unregister(worker.fd_in)
            poll.poll(self.GRACE * 1000)
        while True:
            ready = select.select(list(output.streams), [], [], 0)[0]
            left = [os.read(fd, READ_BYTES) for fd in ready]
            if not any(left):
                break
            os.write(output.stderr, b''.join(left))


# --- extras (PROTOCOL.md section 7; twin: src/gateways/extras.ts) ---------------------------------------------------------------

class Importer(object):
    """Imports modules that the controller has pushed. Ours follow the first task, so an import of one may have to wait for them."""

    def __init__(self, worker):
        self.worker = worker

    def find_spec(self, name, path=None, target=None):
        if self.has(name):
            from _frozen_importlib import ModuleSpec
            return ModuleSpec(name, self, origin=self.worker.sources[name]['file'], is_package=self.worker.sources[name]['package'])

    def find_module(self, name, path=None):
        return self if PY2 and self.has(name) else None

    def has(self, name):
        while name.startswith('_tendril.') and not self.worker.sources and not self.worker.lost:
            self.worker.pushed.put(self.worker.wait(self.worker.pushed))
        return name in self.worker.sources

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__file__ = self.worker.sources[module.__name__]['file']
        exec(compile(self.get_source(module.__name__), module.__file__, 'exec', 0, True), module.__dict__)

    def load_module(self, name):
        module = sys.modules[name] = type(sys)(name)
        module.__loader__ = self
        if self.worker.sources[name]['package']:
            module.__path__ = []
        try:
            self.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    def get_source(self, name):
        source = self.worker.sources[name]['source']
        return source.encode('utf-8') if PY2 else source


# --- start (PROTOCOL.md section 1; twin: src/gateways/bootstrap.ts) -------------------------------------------------------------

def private(fd):
    """Keeps a descriptor from child processes. Python 3 has done so by itself."""
    if PY2 and POSIX:
        import fcntl
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    return fd


def start(marker):
    """Moves the protocol away from fds 0, 1 and 2, says hello and works until told to leave. Does not return."""
    try:
        os.fstat(2)
    except OSError:
        os.open(os.devnull, os.O_RDWR)
    if POSIX and os.getpgrp() != os.getsid(0):
        os.setsid()
    worker = Worker(private(os.dup(0)), private(os.dup(1)))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    worker.main, worker.pid = _thread.get_ident(), os.getpid()
    worker.marker = marker.encode('ascii')
    worker.output = output = Output(worker)
    sys.meta_path.insert(0, Importer(worker))
    sys.modules['_tendril'].__path__ = []
    if not (getattr(sys.flags, 'isolated', 0) or getattr(sys.flags, 'safe_path', 0)):
        sys.path.insert(0, '')
    private_fds = [worker.fd_in, worker.fd_out, output.stderr] + list(output.streams)
    if hasattr(os, 'fork'):
        private_fds.append(Guard(worker, output).end)
    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(after_in_child=lambda: [os.close(private_fds.pop()) for _ in private_fds[:]])
    signal.signal(signal.SIGINT, worker.on_interrupt)
    _thread.start_new_thread(output.forward, ())
    _thread.start_new_thread(worker.read_for_others, ())
    worker.serve()
    worker.end()
