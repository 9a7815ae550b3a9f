"""Runs on a carrier: starts a process beside it, or makes a connection from there, and carries the bytes over a channel.

The other halves are src/transports/channel.ts and src/transports/channel-stream.ts. Items of both: bytes are bytes, None ends them.
Of a process besides: a signal for its whole group comes by `pass_signal`, or as an int where there is no thread for that; from it
('stderr', bytes) is that, ('exit', code) is the end, a code below 0 a signal, ('failed', code, text) that it did not start.
A connection says None first, when it is there, or (code, text) when it cannot be made; a text is why it broke. Features use
both, from the module `_tendril.via_remote` that this is.
"""
from _tendril import PY2, READ_BYTES, _thread, acquire, errno, os, struct, sys, worker
from _tendril.attending import attend, release
from _tendril.originals import own
from _tendril.processes import beside, kill, start

socket = own('_socket')  # what gevent and eventlet leave as it is
STDOUT_SECONDS, STDERR_SECONDS = 2, 0.25  # for which somebody else may have more to say than a process (twin: src/transports/process.ts)
LOOK_AGAIN_SECONDS = 1  # nothing wakes a thread that sends to somebody who does not read, but an end, which would look proper
carried = {}  # by the ids of their channels, what takes signals for processes


class Signals(object):
    """For a process, which may have to be started yet."""

    def __init__(self):
        self.lock, self.child, self.early = _thread.allocate_lock(), None, []

    def adopt(self, child):
        with self.lock:
            self.child = child
            for number in self.early:
                self.pass_on(number)

    def take(self, number):
        with self.lock:
            if self.child is None:
                self.early.append(number)
            else:
                self.pass_on(number)

    def pass_on(self, number):
        try:
            if self.child.returncode is None:
                os.killpg(self.child.pid, number)
        except EnvironmentError:
            pass  # it has ended, which wait() tells


def pass_signal(carried_by, number):
    """Nothing that is on its way to the process is waited for: that may read nothing any more."""
    if carried_by in worker.channels:
        carried.setdefault(carried_by, Signals()).take(number)


def carry(channel, argv, env, attendant=None):
    """Starts the words of `argv`, of which None is the interpreter that runs this; with `attendant`, they do not outlive it."""
    signals = carried.setdefault(channel.id, Signals())
    try:
        carry_process(channel, signals, argv, env, attendant)
    finally:
        if signals.child is not None:
            release(signals.child.pid)
        del carried[channel.id]


def carry_process(channel, signals, argv, env, attendant):
    child = None
    try:
        child = start([word or sys.executable for word in argv], dict((str(name), str(value)) for name, value in env.items()))
        signals.adopt(child)
        pumps = [beside(pump, child.stdout, channel.send),
                 beside(pump, child.stderr, lambda data: channel.send(('stderr', data)))]
        beside(feed, channel, child, signals)
        if attendant is not None and os.name == 'posix':
            attend(attendant, child.pid)
    except EnvironmentError as e:
        if child is not None:  # nobody would carry for it
            kill(child)
        channel.send(('failed', code_of(e), str(e)))
        return
    code = child.wait()
    for thread, seconds in zip(pumps, (STDOUT_SECONDS, STDERR_SECONDS)):
        acquire(thread, seconds)  # a process that it forked may hold the pipes open
    channel.send(('exit', code))


def code_of(error):
    if isinstance(error, socket.gaierror):
        return 'ENOTFOUND'
    return errno.errorcode.get(error.errno, '')


def pump(stream, send):
    while True:
        data = os.read(stream.fileno(), READ_BYTES)
        if not data:
            return
        try:
            send(sendable(data))
        except EnvironmentError:  # the controller has given it up
            return


def sendable(data):
    return bytearray(data) if PY2 else data  # or it would go as text


def feed(channel, child, signals):
    """Input and signals, until the controller is gone: then the child is, too."""
    for item in channel:
        try:
            if item is None:
                child.stdin.close()
            elif isinstance(item, int):
                signals.take(item)
            else:
                write_all(child.stdin.fileno(), item)
        except EnvironmentError:
            pass  # it has ended, which wait() tells
    try:
        child.stdin.close()
    except EnvironmentError:
        pass


def write_all(fd, data):
    data = memoryview(data)
    while data:
        data = data[os.write(fd, data):]


def connect(channel, host, port, timeout):
    """Connects to a port, or where that is None to the Unix socket `host`; `timeout` is in seconds, or None."""
    stream = dial(channel, host, port, timeout)
    if stream is not None:
        Exchange(channel, stream).run()


def dial(channel, host, port, timeout):
    """A connection, after the controller has been told of it, or None."""
    try:
        stream = dial_first(addresses_of(host, port), timeout)
    except EnvironmentError as e:
        channel.send(failure(e))
        return None
    try:
        channel.send(None)
    except EnvironmentError:
        stream.close()
        raise
    return stream


def addresses_of(host, port, flags=0):
    """(family, kind, protocol, name, address) of each, as getaddrinfo gives them."""
    if port is None:
        return [(socket.AF_UNIX, socket.SOCK_STREAM, 0, '', host)]
    return socket.getaddrinfo(encoded(host), port, 0, socket.SOCK_STREAM, 0, flags)


def encoded(host):
    """A name as bytes: for text, C code has Python import a codec, and what that needs from wherever it finds it."""
    try:
        return host.encode('ascii')
    except UnicodeError:
        try:
            return own('encodings.idna').Codec().encode(host)[0]
        except UnicodeError as e:
            raise socket.gaierror(socket.EAI_NONAME, 'no host is called so: %s' % e)


def dial_first(addresses, timeout):
    """A connection to the first address that takes one. It waits, whatever default for timeouts user code has set."""
    for at, (family, kind, protocol, _, address) in enumerate(addresses):
        stream = socket.socket(family, kind, protocol)
        try:
            reset_on_close(stream, True)
            stream.settimeout(timeout)
            stream.connect(address)
            stream.settimeout(None)
            return stream
        except EnvironmentError:
            stream.close()
            if at == len(addresses) - 1:
                raise


def reset_on_close(stream, is_wanted):
    """Whether its far end sees a reset when it is closed, also by the end of this process. A connection that is taken has it from the socket that listens."""
    try:
        kind = 'hh' if os.name == 'nt' else 'ii'
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(kind, is_wanted, 0))
    except EnvironmentError:
        pass  # it has ended


def failure(error):
    return code_of(error) or 'ETIMEDOUT', error.strerror or str(error)


class Exchange(object):
    """A connection that is carried over a channel. Its far end sees a proper end behind the last byte, and else a reset: also of
    this process, however that ends."""

    def __init__(self, channel, stream):
        self.channel, self.stream = channel, stream
        self.has_read = self.has_fed = False  # one direction has come to its end
        self.is_cut = False
        if stream.family != getattr(socket, 'AF_UNIX', None):
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        reset_on_close(stream, True)
        if os.name == 'posix':
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', LOOK_AGAIN_SECONDS, 0))

    def run(self):
        """Carries both directions, until both have ended or the channel is closed."""
        try:
            feeder = beside(self.feed)
            while True:
                data = self.stream.recv(READ_BYTES)
                if self.is_cut:
                    break
                if not data:
                    self.check_end()
                self.channel.send(sendable(data) if data else None)
                if not data:
                    self.has_read = True
                    feeder.acquire()  # the other direction may go on
                    break
        except EnvironmentError as e:
            if not self.channel.isclosed():
                self.channel.send(failure(e)[1])
        finally:
            if self.has_read and self.has_fed:
                reset_on_close(self.stream, False)
            else:
                self.cut()
            self.stream.close()

    def refuse(self, error):
        """Nothing is carried, which both sides learn."""
        self.cut()
        self.stream.close()
        self.channel.send(failure(error)[1])

    def feed(self):
        """Input, until the controller ends it, or closes the channel: then nothing is read any more, either."""
        try:
            for item in self.channel:
                if item is None:
                    self.has_fed = True  # from now on the reading side alone learns of a reset
                    self.stream.shutdown(socket.SHUT_WR)
                    self.channel.waitclose()
                    break
                if not self.send_all(memoryview(item)):
                    break  # the end that may follow would look proper
        except (EnvironmentError, self.channel.RemoteError):
            pass  # the reading side tells
        if not (self.has_read and self.has_fed):
            self.cut()

    def send_all(self, data):
        """Whether all of it has gone out: not when the connection is cut, or was cut off while nobody took this."""
        while data and not self.is_cut and self.channel.error is None:
            try:
                data = data[self.stream.send(data):]
            except EnvironmentError as e:
                if e.errno != errno.EAGAIN:  # nobody takes it yet
                    raise
        return not data

    def check_end(self):
        """The system tells one thread of a reset: when that was the one that sends, whoever reads finds an end. Such a connection has no peer any
        more; where our side had ended no proper one has one, either, but nobody sends."""
        try:
            self.has_fed or self.stream.getpeername()
        except EnvironmentError:
            raise EnvironmentError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    def cut(self):
        """Ends both directions where they are. An end that were sent now would look proper: closing is the reset."""
        self.is_cut = True
        try:
            self.stream.shutdown(socket.SHUT_RD)  # wakes the reading side; the writing side looks from time to time
        except EnvironmentError:
            pass  # it has ended
