"""`_tendril.relay`: who reads what is printed (see docs/architecture.md, "Output").

C code may print while it holds the GIL, and then no thread of the worker could make room for it: so another process reads the
pipes behind fds 1 and 2, the guard. It gives on what it reads to the worker, which sends it; while the worker takes none,
it keeps as much as MOST. What the worker has taken it keeps until that says that it is sent: it may end in between, and these
are its last words.
"""
from _tendril import HEADER, ITEM_OVERHEAD, OUTPUT, PY2, READ_BYTES, STDERR, clock, deque, errno, os, private, select, wait_for, worker

MOST = 1 << 25           # bytes of a stream that are kept while the worker takes none; then who prints has to wait
PATIENCE = 0.02          # seconds for which a worker that is well may take nothing: it needs the GIL, which is handed over every 5 ms
STUCK = 1.0              # seconds after which one that keeps nobody from reading its frames must be held up by who prints
ATOMIC = 512             # bytes that a pipe takes at once when it takes any
LEFT_OUT = '\n[tendril: %d bytes are missing]\n'  # code printed them that kept the GIL


class Stream(object):
    """What is printed to one descriptor, on its way from `source`, through `outlet`, to `inlet`, where the worker takes it."""

    def __init__(self, source, flags):
        self.source, self.flags = source, flags
        self.wire = None                    # where it goes in frames, once the worker has left that to us
        self.inlet, self.outlet = pipe()
        self.held, self.size = deque(), 0   # chunks that the outlet had no room for
        self.given = bytearray()            # what the outlet took, and the worker has not sent
        self.came = self.gone = 0           # bytes that were read and given on, ever
        self.moved = 0                      # when the outlet took something
        self.missing, self.overflows = 0, False

    def patience(self):
        """How many seconds are to pass before the next chunk is read."""
        if not self.held:
            return 0
        if self.size < MOST or self.overflows:
            return self.moved + PATIENCE - clock()
        if not wait_for([], [worker.fd_out], 0):  # it is held up by the controller
            self.moved = clock()
            return PATIENCE
        return self.moved + STUCK - clock()

    def read(self):
        chunk = os.read(self.source, READ_BYTES)
        if not chunk:  # nobody has it open any more, and so nobody ever will
            os.close(self.source)
            self.source = None
        elif self.size >= MOST:
            self.missing, self.overflows = self.missing + len(chunk), True
        else:
            self.hold(chunk)
        self.write()

    def hold(self, chunk):
        if not self.held:
            self.moved = clock()
        self.held.append(chunk)
        self.came += len(chunk)
        self.size += len(chunk) + ITEM_OVERHEAD

    def write(self):
        """Gives on what there is room for. The end of it is the end of the outlet."""
        while self.held:
            chunk = self.held[0]
            try:
                if self.wire is None:
                    written = os.write(self.outlet, chunk)
                    self.given += chunk[:written]
                else:
                    written = self.write_frame(self.wire, chunk)
            except EnvironmentError as e:
                if e.errno not in (errno.EAGAIN, errno.EINTR):
                    raise
                return
            if not written:
                return
            self.moved = clock()
            self.gone += written
            self.size -= written
            if written < len(chunk):
                self.held[0] = chunk[written:]
                continue
            self.held.popleft()
            self.size -= ITEM_OVERHEAD
            if self.missing and not self.held:
                self.hold((LEFT_OUT % self.missing).encode('ascii'))
                self.missing, self.overflows = 0, False
        if self.source is None and self.outlet is not None:
            os.close(self.outlet)
            self.outlet = None

    def write_frame(self, wire, chunk):
        if not wait_for([], [wire], 0):
            return 0
        chunk = chunk[:ATOMIC - HEADER.size]
        tell(wire, HEADER.pack(OUTPUT, self.flags, 0, len(chunk)) + chunk)
        return len(chunk)


class Relay(object):
    """Made by the worker, which then has the one half of it, and its guard the other."""

    def __init__(self, flags):
        self.streams = [Stream(source, flags[source]) for source in sorted(flags)]
        self.mark = pipe()       # not empty while something is neither in a source nor in an inlet
        self.is_marked = False
        self.answers = pipe()
        self.sent = pipe()       # headers of what the worker has sent
        self.question = None     # what is to be answered, and how much of each stream must be gone by then

    # In the worker.

    def ends(self):
        """Of its pipes, those of the worker. The others it closes: the end of who has them must be seen."""
        for fd in [self.mark[1], self.answers[1], self.sent[0]] + [stream.outlet for stream in self.streams]:
            os.close(fd)
        return [self.mark[0], self.answers[0], self.sent[1]] + [stream.inlet for stream in self.streams]

    def confirm(self, flags, size):
        """So many bytes of a stream have been sent."""
        tell(self.sent[1], HEADER.pack(OUTPUT, flags, 0, size))

    # In the guard.

    def begin(self):
        os.close(self.answers[0])
        for stream in self.streams:
            if PY2:
                import fcntl
                fcntl.fcntl(stream.outlet, fcntl.F_SETFL, os.O_NONBLOCK)
            else:
                os.set_blocking(stream.outlet, False)

    def turn(self, watched, timeout):
        """Waits for something to do, and does it; gives those of the poll's `watched` fds that have something to tell."""
        self.count()
        poll = select.poll()
        for fd, events in watched.items():
            poll.register(fd, events)
        for stream in self.streams:
            if stream.held:
                poll.register(stream.outlet if stream.wire is None else stream.wire, select.POLLOUT)
            if stream.source is not None:
                patience = stream.patience()
                if patience <= 0:
                    poll.register(stream.source, select.POLLIN)
                else:
                    timeout = min(timeout, patience)
        ready = [fd for fd, _ in poll.poll(min(max(timeout, 0), 9999) * 1000 + 1)]
        for stream in self.streams:
            if stream.held:
                stream.write()
            if stream.source in ready:
                self.read(stream)
        self.answer()
        if self.is_marked and not any(stream.held for stream in self.streams):
            os.read(self.mark[0], 1)
            self.is_marked = False
        return [fd for fd in watched if fd in ready]

    def read(self, stream):
        if not self.is_marked:  # before it is out of the source, so that the worker finds it somewhere
            os.write(self.mark[1], b'.')
            self.is_marked = True
        stream.read()

    def ask(self, question):
        """The worker wants to have all that was printed until now: what is in the pipes."""
        self.read_all()
        self.question = question, [stream.came for stream in self.streams]
        self.answer()

    def read_all(self):
        for stream in self.streams * 16:  # a pipe holds READ_BYTES, and 1 MiB at most
            if stream.source is not None and wait_for([stream.source], [], 0):
                self.read(stream)

    def answer(self):
        if self.question and all(stream.gone >= came for stream, came in zip(self.streams, self.question[1])):
            tell(self.answers[1], self.question[0])
            self.question = None

    def count(self):
        """Forgets what has been sent."""
        while wait_for([self.sent[0]], [], 0):
            _, flags, _, size = HEADER.unpack(os.read(self.sent[0], HEADER.size))
            del self.streams[flags == STDERR].given[:size]

    def take_back(self):
        """What the worker has not sent, and will not send."""
        self.count()
        for stream in self.streams:
            if stream.given:
                stream.held.appendleft(bytes(stream.given))

    def take_wire(self, fd):
        """The worker has written its last frame: what is printed from now on leaves in frames of ours."""
        self.take_back()
        for stream in self.streams:
            stream.wire = fd
            stream.write()

    def give_rest(self, fd):
        """Writes what the worker has left: on the wire, if that has been left to us, else to `fd`; unless nobody reads there."""
        self.read_all()
        if self.streams[0].wire is None:
            self.take_back()
        for stream in self.streams:
            write, way, rest = stream.write_frame, stream.wire, b''.join(stream.held)
            if way is None and rest:  # it may have been sent after all: whoever reads this knows
                head = HEADER.pack(OUTPUT, stream.flags, len(rest), stream.gone - len(stream.given) & 0xffffffff)
                write, way, rest = tell, fd, worker.marker.encode('ascii') + head + rest
            while rest and wait_for([], [way], 0.2):
                rest = rest[write(way, rest[:ATOMIC]) or len(rest):]


def tell(fd, data):
    """Writes what nobody misses when the reader is gone."""
    try:
        return os.write(fd, data)
    except EnvironmentError:
        return 0


def pipe():
    return [private(fd) for fd in os.pipe()]
