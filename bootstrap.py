"""The worker: what a bare Python runs to become the far end of a tendril gateway.

Sent as it stands to an interpreter that has nothing of ours; there it is the module `_tendril`. PROTOCOL.md is what both languages
implement; sections have the names of their twins in src/. Python 2.7 and 3.6+; what the first result can do without is an extra.
"""
from __future__ import absolute_import  # or Python 2 would wait for a `_tendril.fcntl`

import sys
plain = set(sys.modules) - {'select', 'zlib'}  # what is there without us

import errno
import gc
import os
import select
import struct
import time
import zlib
from _collections import deque
from itertools import count
try:
    import _signal as signal  # the plain C module: `signal` itself costs 5 ms of enum
    import _thread
    import _imp as imp
except ImportError:  # Python 2
    import imp
    import signal
    import thread as _thread

PY2 = sys.version_info[0] == 2
IMPORTS_AHEAD = PY2 or '__pypy__' in sys.builtin_module_names  # see `_tendril.threads`
if PY2:
    from itertools import imap as map, izip as zip


def original(module):
    """A module as it is now, before any user code: what that patches (mocks of time, gevent) is not what the worker runs on."""
    copy = type(sys)(module.__name__)
    copy.__dict__.update(module.__dict__)
    return copy


os, select, signal, time, _thread = [original(module) for module in (os, select, signal, time, _thread)]
# Never set back: Python 2 has no other. No attribute of ours is the function itself, which freezegun looks for in all modules.
clock = time.time = (lambda: os.times()[4]) if PY2 else (lambda: time.monotonic())
READ_BYTES = 65536  # more than malloc's mmap threshold would map and unmap memory on every read
worker = None       # the one Worker of this process


# --- frames (PROTOCOL.md section 2; twin: src/protocol/frames.ts) ---------------------------------------------------------------

HELLO, SETUP, PUSH, EXEC, OPEN, DATA, CREDIT, END, CLOSE, OUTPUT, STATUS, TERMINATE = 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15
BATCH, BYTES, ASIDE, DROPPED, MORE, ERROR, STDOUT, STDERR, GIVEN, VERSION = 16, 17, 18, 19, 1, 2, 4, 8, 16, 1  # the first two carry items as DATA does
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


# What the unpickler and the types of values raise; anything else comes from elsewhere, such as from a handler of signals.
FAULTS_OF_PAYLOADS = (pickle.UnpicklingError, EOFError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, ImportError, struct.error)


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
            answers.append(extra('reducing').answers_for(channel_id, protocol))
        return answers[0](value)

    parts = Parts()
    try:
        pickler = Pickler(parts, protocol)
        setattr(pickler, HOOK, ask)
        pickler.dump(value)
        return parts
    except Exception as e:
        raise extra('reducing').explain(e, value, channel_id)


def loads(payload, channel=None):
    """The value of a payload. `channel` gives the channel with an id."""
    if len(payload) <= 64 and type(payload) is not list and len(payload.translate(None, NAMING)) == len(payload):
        try:
            return pickle.loads(payload)
        except FAULTS_OF_PAYLOADS + (MemoryError,) as e:
            raise LoadError('cannot load an item: %s: %s' % (type(e).__name__, e))

    def find(module, name):
        if name == 'Channel' and module == '_tendril' and channel is not None:
            return channel
        if (module, name) not in NAMES:
            extra('values')  # adds its names
            if (module, name) not in NAMES:
                raise LoadError('cannot load an item: it asks for "%s.%s", which has no wire type' % (module, name))
        return NAMES[module, name]

    collects = gc.isenabled()
    try:
        gc.disable()  # what is being loaded is no garbage: looking for some takes a quarter of the time
        if type(payload) is list and payload[0][1:2] >= b'\4':
            source = extra('pieces').Pieces(payload)
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
    except FAULTS_OF_PAYLOADS + (MemoryError,) as e:
        if isinstance(e, MemoryError) and not (isinstance(payload, bytes) and len(payload) <= MAX_FRAME_BYTES):
            raise  # it is as long as it says, rather than one that claims a length that it has not
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
        """All that sleep: one of them may have left without a word, because an exception came at the wrong moment."""
        try:
            while self.sleepers:
                self.sleepers.popleft().release()
        except IndexError:  # it has woken by itself
            pass

    def sleep(self, timeout):
        """Until the next put or for `timeout` seconds; False when the time is up."""
        turn = _thread.allocate_lock()
        turn.acquire()
        self.sleepers.append(turn)
        try:
            return bool(self.items) or (turn.acquire() if timeout is None else acquire(turn, timeout))
        finally:
            try:
                self.sleepers.remove(turn)
            except ValueError:  # a put has woken it
                pass


class TimeoutError(IOError):
    """Nothing arrived in time; the channel stays usable."""


def is_inside(thread, *functions):
    """Whether a thread, or with None any, is in one of these methods now."""
    codes = [getattr(function, '__func__', function).__code__ for function in functions]
    for ident, frame in sys._current_frames().items():
        while frame is not None and thread in (None, ident):
            if frame.f_code in codes:
                return True
            frame = frame.f_back
    return False


def wait_for(reading, writing, timeout=None):
    """Those of the descriptors that are ready; none also when a signal has come in between, on Python 2."""
    try:
        return sum(select.select(reading, writing, [], timeout), [])
    except select.error as e:
        if e.args[0] != errno.EINTR:
            raise
        return []


def acquire(lock, timeout):
    """lock.acquire with a timeout in seconds. Python 2 can only poll, as its own threading module does."""
    if not PY2:
        return lock.acquire(True, max(timeout, 0))
    end, pause = clock() + timeout, 0.0005
    while not lock.acquire(0):
        left = end - clock()
        if left <= 0:
            return False
        pause = min(pause * 2, left, 0.05)
        time.sleep(pause)
    return True


# --- the worker (twin: src/protocol/connection.ts and src/gateways/gateway.ts) --------------------------------------------------

class Worker(object):
    """The gateway as code in the worker sees it (`channel.gateway`), and all that happens behind it."""

    receive, transmit = staticmethod(os.read), staticmethod(os.write)  # or those of a link
    channel = None  # the module of channels, once there may be any
    on_sent = None  # called when an item is out, by the thread that sent it
    headed = None  # of a link: function(bytes, how many follow apart) that gives the bytes behind a header of the link's own

    def __init__(self, marker):
        self.marker, self.main = marker, _thread.get_ident()
        self.fd_in, self.fd_out = private(os.dup(0)), private(os.dup(1))
        self.chunks, self.need = [], 0  # read and not acted upon; bytes of a frame of which only a part has come
        self.handlers = set()      # signals that user code has handlers for
        self.users = set([Worker.execute.__code__])  # code of ours beneath which user code runs
        self.partial = None        # channel, kind, flags and bytes left of a long frame of an item
        self.parts = {}            # fragments of EXEC, PUSH and CLOSE, by kind and channel
        self.channels = {}
        self.unclaimed = {}        # over, but a reference to them may still lie undecoded in a queue
        self.tasks = Mailbox()     # what the main thread does next: (channel, payload), or None to look whether to leave
        self.main_holder = {}      # under None the task or call that has the main thread: setdefault takes it in one step
        self.others, self.asides = {}, {}  # calls in other threads, tasks of tendril's own: they may have something for the main one, which must not be reading then
        self.main_runs = self.lost = self.leaving = self.has_extras = False
        self.executing, self.texts, self.sources = {}, {}, {}  # channels of running tasks; sources of tasks and of modules
        self.scopes = {}           # variables of running tasks, by thread (`_tendril.scopes`)
        self.pushed, self.mutex = Mailbox(), _thread.allocate_lock()

    # Reading. A thread of its own acts on frames, until `_tendril.reading` has those that wait read for themselves.

    def wait(self, mailbox, timeout=None):
        """Takes what comes first in `mailbox`; TimeoutError after `timeout` seconds."""
        end = None if timeout is None else clock() + timeout
        while True:
            try:
                if mailbox.items or not self.sleep(mailbox, None if end is None else end - clock()):
                    return mailbox.items.popleft()
            except IndexError:  # nothing came in time, or another thread was faster
                if end is not None and clock() >= end:
                    raise TimeoutError('no item after %s seconds' % timeout)

    def sleep(self, mailbox, timeout):
        self.outgoing.pass_on()
        if not PY2 and self.has_extras:
            extra('reading').install()
            if self.__class__ is not Worker:
                return self.sleep(mailbox, timeout)
        with Unlocked():
            return mailbox.sleep(timeout)

    def read_all(self):
        while not self.lost:
            self.read_turn()

    def read_turn(self):
        self.read_some()

    def read_some(self):
        """Acts on every frame that is complete in what was read; first reads, at least a byte, if that is needed for one."""
        if self.chunks and sum(len(chunk or b'') for chunk in self.chunks) >= self.need or self.read():
            self.act()

    def read(self):
        """Reads a chunk into `chunks`, in one step of C; False when there is none."""
        try:
            self.chunks.extend(map(self.receive, (self.fd_in,), (READ_BYTES,)))
        except EnvironmentError as e:
            if e.errno in (errno.EAGAIN, errno.EINTR):
                wait_for([self.fd_in], [])
                return False
            self.chunks.append(b'')
        return True

    def act(self):
        """Acts on the frames that are complete in what was read."""
        chunks = self.chunks
        while None in chunks:  # of a link, which has read something for itself only
            chunks.remove(None)
        if chunks and not chunks[-1]:
            del chunks[:]
            return self.lose()
        if len(chunks) != 1:
            if sum(map(len, chunks)) < self.need:
                return
            chunks[:] = [b''.join(chunks)]
        self.on_chunk(chunks.pop())

    def on_chunk(self, data):
        at, size, self.need = 0, len(data), 0
        try:
            if self.partial:
                channel, kind, flags, left = self.partial
                at = min(left, size)
                self.partial = (channel, kind, flags, left - at) if at < left else None
                channel.on_data(kind, flags | MORE if at < left else flags, data[:at])
            while size - at >= HEADER.size:
                kind, flags, channel_id, length = HEADER.unpack_from(data, at)
                stop = at + HEADER.size + length
                if stop > size:
                    if length > MAX_FRAME_BYTES:
                        raise ProtocolError('a frame of %d bytes' % length)
                    if kind in (DATA, BYTES) and stop - size > READ_BYTES:  # what is there is a fragment for us: joining costs
                        self.partial = (self.channels[channel_id], kind, flags, stop - size)
                        return self.partial[0].on_data(kind, flags | MORE, data[at + HEADER.size:])
                    break
                if kind == DATA or BATCH <= kind <= BYTES:
                    self.channels[channel_id].on_data(kind, flags, data[at + HEADER.size:stop])
                else:
                    self.on_frame(kind, flags, channel_id, data[at + HEADER.size:stop])
                at = stop
        except (ProtocolError, LoadError, KeyError, struct.error, zlib.error, IOError) as e:
            os.write(2, ('tendril worker: protocol error: %r; got %r\n' % (e, data[at:at + 64])).encode('ascii', 'backslashreplace'))
            return self.lose()
        if at < size:
            self.chunks[:], self.need = [data[at:]], stop - at if size - at >= HEADER.size else HEADER.size

    def on_frame(self, kind, flags, channel_id, payload):
        if flags & MORE or (kind, channel_id) in self.parts:
            self.parts.setdefault((kind, channel_id), []).append(payload)
            if self.has_extras:
                payload = extra('memory').gather(self.parts, kind, channel_id, flags)
            elif not flags & MORE:
                payload = b''.join(self.parts.pop((kind, channel_id)))
            if flags & MORE:
                return
        if kind in self.FRAMES and (self.channel or kind in (SETUP, PUSH)):
            self.FRAMES[kind](self, channel_id, payload)
        else:
            self.channels[channel_id].on_frame(kind, flags, payload)

    def on_setup(self, _, payload):
        extra('setup').apply(loads(payload))

    def on_push(self, _, payload):
        self.sources.update(loads(zlib.decompress(payload)))
        self.has_extras = '_tendril.leaving' in self.sources
        self.pushed.put(None)
        if self.has_extras and not PY2:
            extra('reading')
        if self.has_extras and IMPORTS_AHEAD and 'threads' not in extras:
            _thread.start_new_thread(self.attend, (lambda: extra('threads').import_ahead(),))

    def on_exec(self, channel_id, payload):
        channel = self.on_open(channel_id, payload)
        channel.claimed = True
        if self.execmodel == 'thread':
            self.executing[channel_id] = channel
            if self.main_holder.setdefault(None, channel) is not channel:
                return self.start_thread(self.run, channel, payload)
        self.tasks.put((channel, payload))

    def on_aside(self, channel_id, payload):
        """A task of tendril's own: the main thread is the user's, and so is what is printed."""
        channel = self.asides[channel_id] = self.on_open(channel_id, payload)
        channel.claimed = channel.is_aside = True
        self.start_thread(self.run, channel, payload)

    def on_open(self, channel_id, payload):
        if channel_id % 2 == 0 or channel_id in self.channels:
            raise ProtocolError('channel id %d' % channel_id)
        self.unclaimed.pop(channel_id, None)
        return self.channels.setdefault(channel_id, self.channel.Channel(channel_id))

    def on_status(self, request, payload):
        self.post(STATUS, request, dumps(extra('status').status()))  # which came ahead of the request

    def on_terminate(self, _, payload):
        self.leave(struct.unpack('>I', payload)[0] / 1000.0)

    FRAMES = {SETUP: on_setup, PUSH: on_push, EXEC: on_exec, ASIDE: on_aside, OPEN: on_open, STATUS: on_status, TERMINATE: on_terminate}

    # Writing. One os.write a frame where the system takes it whole.

    def write(self, kind, channel_id, payload, channel=None, flags=0):
        """Writes a payload in fragments, between which other channels have their turn. Stops when `channel` has been closed."""
        self.outgoing.put((self.frames_of(kind, channel_id, [payload], flags), channel, 0, [], []))

    def frame(self, data, more=0):
        """Bytes to be written, ahead of `more` that go with them."""
        return self.headed(data, more) if self.headed else data, []

    def frames_of(self, kind, channel_id, parts, flags=0):
        """The frames of a payload that is given in parts. What is long is not copied."""
        if len(parts) > 1 and sum(map(len, parts)) <= FRAGMENT_BYTES:
            parts = [b''.join(parts)]
        if len(parts) == 1 and len(parts[0]) <= READ_BYTES:
            head = HEADER.pack(kind, flags, channel_id, len(parts[0])) + parts[0]
            return deque([self.frame(head)])
        frames, parts = deque(), [part for part in parts if part]
        for number, part in enumerate(parts, 1):
            view = part if PY2 else memoryview(part)
            for at in range(0, len(part), FRAGMENT_BYTES):
                fragment = view[at:at + FRAGMENT_BYTES]
                more = MORE if number < len(parts) or at + FRAGMENT_BYTES < len(part) else 0
                head = HEADER.pack(kind, flags | more, channel_id, len(fragment))
                frames.append(self.frame(head, len(fragment)))
                frames.append((fragment, [0]))
        return frames

    def post(self, kind, channel_id, payload=b''):
        """Has a small frame written before any other."""
        self.outgoing.post(self.frame(HEADER.pack(kind, 0, channel_id, len(payload)) + payload))

    # Tasks. The first runs on the main thread (signals, event loops and GUIs want it), others beside it in threads.

    def serve(self):
        while not self.leaving or self.executing:
            task = self.wait(self.tasks)
            if task:
                self.main_runs = True
                self.run(*task)
                self.main_runs = False

    def run(self, channel, payload):
        if payload is None:  # a call of the session (`_tendril.scheduling`)
            return channel.begin()
        failure = None
        self.executing[channel.id] = channel
        try:
            self.execute(channel, loads(payload, self.channel.channel_with))
        except (self.channel.EndOfChannel, self.channel.GatewayEnding):
            pass
        except BaseException:
            failure = self.describe_failure()
        self.free_main(channel)  # if it has not come to run
        try:
            self.output.drain()
            channel.is_over = True
            channel.finish(failure)
        except IOError:  # the gateway is gone, and with it whoever wanted to know
            pass
        finally:
            self.forget(channel)

    def forget(self, channel):
        """A task is over, and that has been told."""
        self.executing.pop(channel.id, None)
        self.asides.pop(channel.id, None)
        if self.leaving:
            self.tasks.put(None)

    def free_main(self, holder):
        if self.main_holder.get(None) is holder:
            del self.main_holder[None]

    def execute(self, channel, task):
        scope = {'channel': channel, '__name__': '__channelexec__'}
        if task['function'] is None:
            scope.update(task['kwargs'])
        if PY2:
            sys.exc_clear()
        try:
            self.scopes[_thread.get_ident()] = scope
            if 'is_file' in task:
                extra('pure').run(task, scope)
            else:
                exec(self.compile(task['source'], task['file']), scope)
            if task['function'] is not None:
                if task['function'] not in scope:
                    extra('failures').miss(task, scope)
                result = scope[task['function']](channel, **task['kwargs'])
                if result is not None:
                    extra('awaiting').finish(result)
        finally:
            self.free_main(channel)  # at once: whoever has had its last item may want it
            for thread in [thread for thread, its in list(self.scopes.items()) if its is scope]:
                del self.scopes[thread]
            if len(scope) > 3:  # it has left variables
                extra('leaving').flush_files_of(scope)

    def compile(self, source, file, flags=0):
        """The code of a source, whose text is kept for tracebacks. One that declares its encoding may be bytes."""
        self.texts[file] = source
        if PY2 or isinstance(source, bytes):
            source = extra('encoded').prepare(source, file)
        return compile(source, file, 'exec', flags, True)

    def describe_failure(self):
        """The exception that is being handled, as CLOSE carries it (PROTOCOL.md section 4)."""
        return extra('failures').describe(*sys.exc_info())

    def attend(self, function):
        """Runs what the worker cannot do without. What nobody expects of it ends the worker, which says so, as nobody would act on frames or tasks any more."""
        try:
            function()
        except BaseException:
            self.fail()

    def fail(self, end=os._exit):
        """Says that code of ours has raised what is being handled, and ends. There may be no memory for that, either."""
        try:
            if self.has_extras:  # else nobody may wait for those that come
                extra('failures').confess()
            else:
                os.write(2, b'tendril worker: there is no memory left, no thread, or a fault of tendril:\n')
                sys.__excepthook__(*sys.exc_info())  # on Python's own stderr, which is still there
        except MemoryError:
            os.write(2, b'tendril worker: there is no memory left: MemoryError\n')
        finally:  # it may be this that fails
            end(1)

    def start_thread(self, function, *args):
        """A thread for user code."""
        def run():
            extra('threads').run(function, args)
        if not self.has_extras:  # which nobody may wait for here
            return _thread.start_new_thread(self.attend, (run,))
        extra('threads').start(function, args)

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
                channel.is_closed = channel.is_closed or self.lost
                channel.end()
            self.tasks.put(None)
            if not self.has_extras:
                self.end_group()
            extra('leaving').begin(grace)

    def end_group(self):
        """Ends this process with all that the worker has started."""
        try:
            os.killpg(self.group, signal.SIGKILL)  # none before there is a guard: nothing has been started then
        finally:
            os._exit(1)

    def on_interrupt(self, signum, frame):
        """SIGINT. Code of ours does not expect any exception."""
        while frame:
            if frame.f_code in self.users:
                raise KeyboardInterrupt
            frame = frame.f_back


# --- extras (PROTOCOL.md section 7; twin: src/gateways/extras.ts) ---------------------------------------------------------------

extras = {}  # those that have been imported, by name; what another thread is amid importing stands in sys.modules already


def extra(name):
    """A module of ours. One that is there costs no lock of Python's: who holds that may be waiting for the thread that asks."""
    return extras[name] if name in extras else __import__('_tendril.' + name, None, None, [name])


class Unlocked(object):
    """Python holds one lock while it asks a finder: without it, other threads, the reading one too, may import meanwhile.

    Whoever waits or imports in a finder does it so. Python 2 has no other lock: there only waits let go of it (`_tendril.shelf`).
    """

    def __enter__(self):
        self.times = 0
        try:
            while imp.lock_held():  # a forked child of PyPy's may release one that is not
                imp.release_lock()
                self.times += 1
        except RuntimeError:  # it is not this thread's any more
            pass

    def __exit__(self, *_):
        for _ in range(self.times):
            imp.acquire_lock()


class Importer(object):
    """Imports what the controller has pushed. Most extras follow the first task: an import may have to wait for one."""

    def find_spec(self, name, path=None, target=None):
        with Unlocked():
            found = self.find_module(name, path)
        if found is not self:
            return found
        return type(sys.__spec__)(name, self, origin=worker.sources[name]['file'], is_package=worker.sources[name]['package'])

    def find_module(self, name, path=None):
        while name.startswith('_tendril.') and name not in worker.sources and not worker.has_extras and not worker.lost:
            worker.pushed.put(worker.wait(worker.pushed))
        if name.endswith('_tracker') and worker.guard:  # multiprocessing's
            extra('start_methods').watch()
        if name not in worker.sources and '_tendril.elastic' in worker.sources:
            from _tendril.elastic import find
            return find(name, path)
        return self if name in worker.sources else None

    def load_module(self, name):  # of Python 2
        if name in sys.modules:  # by now
            return sys.modules[name]
        module = sys.modules[name] = type(sys)(name)
        module.__loader__ = self
        try:
            self.exec_module(module)
        except BaseException:  # as Python 3 does
            sys.modules.pop(name, None)
            raise
        return module

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__file__ = worker.sources[module.__name__]['file']
        exec(compile(self.get_source(module.__name__), module.__file__, 'exec', absolute_import.compiler_flag, True), module.__dict__)
        extras[module.__name__[9:]] = module

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


class Scopes(type(sys)):
    """The module that the variables of each task are (`_tendril.scopes`): who asks it first has it become what it is."""

    def __getattribute__(self, name):
        extra('scopes')
        return getattr(self, name)

    def __setattr__(self, name, value):
        extra('scopes')
        setattr(self, name, value)


def stand_in(kept, home, *names):
    """Puts what a late extra has in the place of functions of Python's. Of signals, no handler is the user's before the first call, so that none meets the import."""
    def make(name):
        def ours(*args, **kwargs):
            return getattr(extra(home), name)(*args, **kwargs)

        ours.__name__, ours.__doc__ = name, getattr(kept, name).__doc__
        return ours

    for name in names:
        if hasattr(kept, name):
            setattr(sys.modules[kept.__name__], name, make(name))


def start(marker, extras):
    """Moves the protocol away from fds 0, 1 and 2, says hello and works until told to leave. What follows is the end of the interpreter."""
    global worker
    try:
        os.fstat(2)
    except OSError:
        os.open(os.devnull, os.O_RDWR)
    if os.name == 'posix' and os.getpgrp() not in (os.getpid(), os.getsid(0)):
        os.setsid()
    worker = Worker(marker)
    for name, source in zip(extras[::2], extras[1::2]):
        worker.sources['_tendril.' + name] = {'source': source, 'file': '<tendril>/%s.py' % name, 'package': False}
    if 'tendril_link' in sys.modules:  # fds 0 and 1 are no plain stream (src/transports/websocket/link.py)
        sys.modules['tendril_link'].attach(worker)
    sys.modules[__name__].__path__ = []
    sys.meta_path.insert(0, Importer())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    signal.signal(signal.SIGINT, lambda *args: worker.on_interrupt(*args))
    try:
        while not hasattr(worker, 'output') and not worker.lost:
            worker.read_some()
        stand_in(signal, 'handlers', 'signal', 'getsignal')
        stand_in(_thread, 'scopes', 'start_new_thread', 'start_new', 'start_joinable_thread')
        stand_in(sys.modules.get('threading', _thread), 'scopes', '_start_new_thread', '_start_joinable_thread')
        sys.modules['__channelexec__'] = Scopes('__channelexec__')
        _thread.start_new_thread(int, ())  # the end of the first one may load libgcc, for which user code may leave no descriptor
        for loop in (worker.output.forward, worker.read_all):
            _thread.start_new_thread(worker.attend, (loop,))
        worker.serve()
        extra('leaving').end()
    except BaseException:
        worker.fail()
