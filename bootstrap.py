"""The worker: what a bare Python runs to become the far end of a tendril gateway.

Sent as it stands to an interpreter that has nothing of ours; there it is the module `_tendril`. PROTOCOL.md is what both languages
implement; sections have the names of their twins in src/. Python 2.7 and 3.6+; what the first result can do without is an extra.
"""
from __future__ import absolute_import  # or Python 2 would wait for a `_tendril.fcntl`

import errno
import gc
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
BATCH, BYTES, MORE, ERROR, STDOUT, STDERR, VERSION = 16, 17, 1, 2, 4, 8, 1  # the first two carry items as DATA does
FRAGMENT_BYTES, MAX_FRAME_BYTES, ITEM_OVERHEAD = 256 * 1024, 1024 * 1024, 128
HEADER = struct.Struct('>BBII')


class ProtocolError(Exception):
    """The controller sent what PROTOCOL.md does not allow: the gateway ends."""


# --- codec (PROTOCOL.md section 6; twin: src/protocol/codec.ts) -----------------------------------------------------------------

# Python's own pickler, held to plain data: answers about the rest are in `_tendril.reducing`, names in `_tendril.values`.
if PY2:
    import cPickle as pickle
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
SCALARS = frozenset([type(None), bool, int, float, bytes, type(u''), type(1 << 64)])
PLAIN = SCALARS.union([list, tuple, dict, set, frozenset])
Parts = type('Parts', (list,), {'write': list.append})  # what a pickler writes to
NAMING = b'ci\x82\x83\x84\x93'  # opcodes that name things: a payload without their bytes names none


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
NAMES.update(((module, kind.__name__), kind) for module in ('__builtin__', 'builtins') for kind in (set, frozenset))


def dumps(value, channel_id=None, protocol=PROTOCOL):
    """The payload of a value. `channel_id` gives the id of a channel, and None for any other object."""
    return b''.join(dump_parts(value, channel_id, protocol))


def dump_parts(value, channel_id, protocol=PROTOCOL):
    """The payload in parts: long bytes are a part of their own, and are not copied."""
    if type(value) in SCALARS and (type(value) is not bytes or len(value) < FRAGMENT_BYTES):  # three times as fast as asking
        return [pickle.dumps(value, protocol)]
    answers = []

    def ask(value):
        if type(value) in PLAIN:
            return PASS
        if not answers:
            from _tendril.reducing import answers_for
            answers.append(answers_for(channel_id, protocol))
        return answers[0](value)

    parts = Parts()
    try:
        pickler = Pickler(parts, protocol)
        setattr(pickler, HOOK, ask)
        pickler.dump(value)
        return parts
    except Exception as e:
        from _tendril.reducing import explain
        raise explain(e, value, channel_id)


def loads(payload, channel=None):
    """The value of a payload. `channel` gives the channel with an id."""
    if len(payload) <= 64 and type(payload) is not list and len(payload.translate(None, NAMING)) == len(payload):
        try:
            return pickle.loads(payload)
        except Exception as e:
            raise LoadError('cannot load an item: %s: %s' % (type(e).__name__, e))

    def find(module, name):
        if name == 'Channel' and module == '_tendril' and channel is not None:
            return channel
        if (module, name) not in NAMES:
            import _tendril.values  # adds its names
            if (module, name) not in NAMES:
                raise LoadError('cannot load an item: it asks for "%s.%s", which has no wire type' % (module, name))
        return NAMES[module, name]

    collects = gc.isenabled()
    gc.disable()  # what is being loaded is no garbage: looking for some takes a quarter of the time
    try:
        if type(payload) is list and payload[0][1:2] >= b'\4':
            from _tendril.pieces import Pieces
            source = Pieces(payload)
        else:
            data = b''.join(payload) if type(payload) is list else bytes(payload)
            source = BytesIO(data)
            if not PY2 and data[1] < 4:  # without frames, the unpickler would read from a BytesIO byte by byte
                source = BufferedReader(source)
        unpickler = Unpickler(source)
        setattr(unpickler, FIND, find)
        unpickler.persistent_load = lambda pid: find(pid[0], pid[1])(*pid[2])
        return unpickler.load()
    except LoadError:
        raise
    except Exception as e:
        raise LoadError('cannot load an item: %s: %s' % (type(e).__name__, e))
    finally:
        if collects:
            gc.enable()


# --- waiting --------------------------------------------------------------------------------------------------------------------

class Mailbox(object):
    """Things that frames bring and threads wait for (Worker.wait). Only threads that are asleep cost anybody a wake-up."""

    by_frames = True  # nothing else does, so that whoever waits may read
    ended = False     # nothing more will be put; what is said of the end is put back by whoever takes it

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
                from _tendril.python2 import acquire
                return bool(self.items) or acquire(turn, timeout)
            return bool(self.items) or (turn.acquire() if timeout is None else turn.acquire(True, max(timeout, 0)))
        finally:
            try:
                self.sleepers.remove(turn)
            except ValueError:  # a put chose this thread; what it does not take, the next sleeper may
                if len(self.items) > 1:
                    self.wake()


class TimeoutError(IOError):
    """Nothing arrived in time; the channel stays usable."""


class FairLock(object):
    """A lock that goes to whoever has waited longest. Python's own let a thread that sends in a loop starve all the others."""

    def __init__(self):
        self.lock = _thread.allocate_lock()
        self.turns = deque()

    def acquire(self, blocking=True):
        taken = self.lock.acquire(False)
        if taken or not blocking:
            return taken
        turn = _thread.allocate_lock()
        turn.acquire()
        self.turns.append(turn)
        if self.lock.acquire(False):  # it was released meanwhile: it stays locked, and is the first one's now
            self.turns.popleft().release()
        return turn.acquire()

    def release(self):
        self.lock.release()
        if self.turns and self.lock.acquire(False):
            self.turns.popleft().release()


# --- the worker (twin: src/protocol/connection.ts and src/gateways/gateway.ts) --------------------------------------------------

class Worker(object):
    """The gateway as code in the worker sees it (`channel.gateway`), and all that happens behind it."""

    receive, transmit = staticmethod(os.read), staticmethod(os.write)  # or those of a link

    def __init__(self, marker):
        self.marker, self.main = marker, _thread.get_ident()
        self.fd_in, self.fd_out = private(os.dup(0)), private(os.dup(1))
        self.chunks, self.have, self.need = [], 0, 0  # of a frame that is still arriving
        self.partial = None        # channel, kind, flags and bytes left of a long frame of an item
        self.parts = {}            # fragments of EXEC, PUSH and CLOSE, by kind and channel
        self.writing = FairLock()
        self.control = deque()     # frames that go before any other, and that nobody waits to have written
        self.channels, self.next_id = {}, 2
        self.unclaimed = {}        # over, but a reference to them may still lie undecoded in a queue
        self.tasks = Mailbox()     # what the main thread does next: (channel, payload), or None to look whether to leave
        self.main_busy = self.main_runs = self.lost = self.leaving = self.has_extras = False
        self.executing, self.texts, self.sources = {}, {}, {}  # channels of running tasks; sources of tasks and of modules
        self.pushed, self.mutex = Mailbox(), _thread.allocate_lock()

    def newchannel(self):
        """A new channel. Send it over another one, so that the controller has its other end."""
        with self.mutex:
            channel = self.channel.Channel(self.next_id)
            self.next_id += 2
        channel.claimed, self.channels[channel.id] = True, channel
        self.post(OPEN, channel.id)
        return channel

    # Reading. A thread of its own acts on frames, until `_tendril.reading` has those that wait read for themselves.

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
        if not PY2 and self.has_extras:
            from _tendril import reading
            reading.install()
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
            chunk = self.receive(self.fd_in, READ_BYTES)
        except EnvironmentError as e:
            if e.errno in (errno.EAGAIN, errno.EINTR):
                select.select([self.fd_in], [], [])
                return
            chunk = b''
        if not chunk:
            return None if chunk is None else self.lose()
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
            if self.partial:
                channel, kind, flags, left = self.partial
                at = min(left, size)
                self.partial = (channel, kind, flags, left - at) if at < left else None
                channel._on_data(kind, flags | MORE if at < left else flags, data[:at])
            while size - at >= HEADER.size:
                kind, flags, channel_id, length = HEADER.unpack_from(data, at)
                stop = at + HEADER.size + length
                if stop > size:
                    if length > MAX_FRAME_BYTES:
                        raise ProtocolError('a frame of %d bytes' % length)
                    if kind in (DATA, BYTES) and stop - size > READ_BYTES:  # what is there is a fragment for us: joining costs
                        self.partial = (self.channels[channel_id], kind, flags, stop - size)
                        return self.partial[0]._on_data(kind, flags | MORE, data[at + HEADER.size:])
                    break
                if kind == DATA or kind >= BATCH:
                    self.channels[channel_id]._on_data(kind, flags, data[at + HEADER.size:stop])
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
        if kind in self.FRAMES:
            self.FRAMES[kind](self, channel_id, payload)
        else:
            self.channels[channel_id]._on_frame(kind, flags, payload)

    def on_setup(self, _, payload):
        from _tendril.setup import apply
        apply(loads(payload))

    def on_push(self, _, payload):
        self.sources.update(loads(zlib.decompress(payload)))
        self.has_extras = '_tendril.leaving' in self.sources
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
        return self.channels.setdefault(channel_id, self.channel.Channel(channel_id))

    def on_status(self, request, payload):
        from _tendril.setup import status
        self.post(STATUS, request, dumps(status()))

    def on_terminate(self, _, payload):
        self.leave(struct.unpack('>I', payload)[0] / 1000.0)

    FRAMES = {SETUP: on_setup, PUSH: on_push, EXEC: on_exec, OPEN: on_open, STATUS: on_status, TERMINATE: on_terminate}

    # Writing. One os.write a frame where the system takes it whole; control frames first; the reading thread waits for no other.

    def write(self, kind, channel_id, payload, channel=None, flags=0):
        """Writes a payload in fragments, between which other threads have their turn. Stops when `channel` has been closed."""
        if len(payload) <= FRAGMENT_BYTES:
            return self.write_frame(kind, flags, channel_id, payload, channel)
        view = payload if PY2 else memoryview(payload)
        for at in range(0, len(payload), FRAGMENT_BYTES):
            more = at + FRAGMENT_BYTES < len(payload)
            self.write_frame(kind, flags | MORE if more else flags, channel_id, view[at:at + FRAGMENT_BYTES], channel)

    def write_frame(self, kind, flags, channel_id, payload, channel):
        if not self.writing.lock.acquire(False):  # acquire() does the same, for the price of a call
            self.writing.acquire()
        try:
            while self.control:
                self.write_all(self.control.popleft())
            if channel is not None and channel._closed:
                raise IOError('cannot send to %r' % channel)
            header = HEADER.pack(kind, flags, channel_id, len(payload))
            written = self.write_long(header, payload) if len(payload) > READ_BYTES else 0
            if written < len(header) + len(payload):
                self.write_all((header + payload)[written:])
        finally:
            self.writing.release()
            if self.control:
                self.flush_control()

    def write_long(self, header, payload):
        try:
            return os.writev(self.fd_out, [header, payload])  # without a copy
        except (AttributeError, EnvironmentError):  # no such call here, or a failure that write_all will meet again
            return 0

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
                written = self.transmit(self.fd_out, data)
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
                self.main_runs = True
                self.run(*task)
                self.main_runs, self.main_busy = False, bool(self.tasks.items)

    def run(self, channel, payload):
        failure = None
        self.executing[channel.id] = channel
        try:
            self.execute(channel, loads(payload, self.channel.channel_with))
        except self.channel.EndOfChannel:
            pass
        except BaseException:
            failure = self.describe_failure()
        try:
            self.output.drain()
            del self.executing[channel.id]
            channel._close(failure)
        except IOError:  # the gateway is gone, and with it whoever wanted to know
            self.executing.pop(channel.id, None)
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
            from _tendril.failures import describe
            return describe(kind, error, tb)
        except BaseException as e:
            return '%s: %s (no traceback: %r)' % (kind.__name__, error, e)

    def start_thread(self, function, *args):
        """A thread for user code."""
        def run():
            from _tendril import threads
            threads.run(function, args)
        _thread.start_new_thread(run, ())

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
            if not self.has_extras:
                self.end_group()
            from _tendril.leaving import enforce
            _thread.start_new_thread(enforce, (grace,))

    def end_group(self):
        """Ends this process with all that it has started."""
        if os.name == 'posix':
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    def on_interrupt(self, signum, frame):
        if self.main_runs:
            raise KeyboardInterrupt


# --- extras (PROTOCOL.md section 7; twin: src/gateways/extras.ts) ---------------------------------------------------------------

class Importer(object):
    """Imports what the controller has pushed. Most extras follow the first task: an import may have to wait for one."""

    def find_spec(self, name, path=None, target=None):
        found = self.find_module(name, path)
        if found is not self:
            return found
        from _frozen_importlib import ModuleSpec
        return ModuleSpec(name, self, origin=worker.sources[name]['file'], is_package=worker.sources[name]['package'])

    def find_module(self, name, path=None):
        while name.startswith('_tendril.') and name not in worker.sources and not worker.has_extras and not worker.lost:
            worker.pushed.put(worker.wait(worker.pushed))
        if name not in worker.sources and '_tendril.elastic' in worker.sources:
            from _tendril.elastic import find
            return find(name, path)
        return self if name in worker.sources else None

    def load_module(self, name):  # of Python 2
        module = sys.modules[name] = type(sys)(name)
        module.__loader__ = self
        self.exec_module(module)
        return module

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__file__ = worker.sources[module.__name__]['file']
        exec(compile(self.get_source(module.__name__), module.__file__, 'exec', absolute_import.compiler_flag, True), module.__dict__)

    def get_source(self, name):
        source = worker.sources[name]['source']
        return source.encode('utf-8') if PY2 else source


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
    if os.name == 'posix' and os.getpgrp() not in (os.getpid(), os.getsid(0)):
        os.setsid()
    worker = Worker(marker)
    if 'tendril_link' in sys.modules:  # fds 0 and 1 are no plain stream (src/transports/websocket/link.py)
        sys.modules['tendril_link'].attach(worker)
    sys.modules['_tendril'].__path__ = []
    sys.meta_path.insert(0, Importer())
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
    from _tendril.leaving import end
    end()
