"""`_tendril.output`: fds 1 and 2 and what is printed there (PROTOCOL.md section 8; twin: src/gateways/output.ts)."""
from _tendril import OUTPUT, PY2, READ_BYTES, STDERR, STDOUT, _thread, deque, extra, os, private, sys, wait_for, worker

if PY2:
    from itertools import imap as map, izip as zip


class Output(object):
    """Takes fds 1 and 2, so that no print, of Python, of C or of a child process, can touch the protocol; sends what arrives."""

    def __init__(self):
        self.lock = _thread.allocate_lock()   # held by who takes something, until that is sent
        self.stderr = private(os.dup(2))
        self.captured = [capture(1), capture(2)]
        self.flags = dict(zip(self.captured, (STDOUT, STDERR)))  # of the descriptors to read from
        self.taken = deque()                  # what was read, with its flags, and is not sent
        self.relay = None
        self.printers = []                    # streams that may hold something back
        for name, fd in (('stdout', 1), ('stderr', 2)):
            flush(getattr(sys, name, None))  # a new stream: the old one may believe that it can seek
            stream = os.fdopen(fd, 'w', 1, *() if PY2 else ('utf-8', 'backslashreplace', None, False))
            setattr(sys, name, stream)
            setattr(sys, '__%s__' % name, stream)  # Python 2 would close the descriptor with the last reference
            self.printers.append(stream)

    def read_from(self, relay):
        """Somebody else reads from the pipes: what comes from there, comes from it."""
        self.relay = relay
        self.flags = dict((stream.inlet, self.flags[stream.source]) for stream in relay.streams)

    def forward(self):
        """A thread of its own: sends what is printed as it is printed."""
        try:
            if os.name != 'posix':
                return extra('windows').forward(self)
            while self.flags:
                wait_for(list(self.flags), [])
                with self.lock:
                    self.send_what_is_there()
        except EnvironmentError:
            pass  # the gateway is gone

    def send_what_is_there(self):
        for fd in wait_for(list(self.flags), [], 0):
            # Read and kept in one step: between any others, a handler of signals may raise.
            self.taken.extend(zip((fd,), map(os.read, (fd,), (READ_BYTES,))))
        while self.taken:
            fd, text = self.taken[0]
            if text:
                self.send(self.flags[fd], text)
                if self.relay:
                    self.relay.confirm(self.flags[fd], len(text))
            elif fd in self.flags:
                self.leave_off(fd)
            self.taken.popleft()

    def leave_off(self, fd):
        """Nothing will come from a descriptor any more: from a relay's, when the pipe behind it has ended, or the relay."""
        flags = self.flags.pop(fd)
        captured = self.captured[flags == STDERR]
        if fd != captured:
            self.flags[captured] = flags

    def send(self, flags, text):
        tasks = [number for number, task in list(worker.executing.items()) if not (task.is_aside or task.is_over)]
        worker.write(OUTPUT, tasks[0] if len(tasks) == 1 else 0, text, flags=flags)

    def drain(self):
        """Sends all that has been printed until now."""
        extra('draining').drain(self)


def capture(fd):
    """Points a descriptor at a pipe; gives the end to read from."""
    read_end, write_end = os.pipe()
    os.dup2(write_end, fd)
    os.close(write_end)
    return private(read_end)


def flush(stream):
    try:
        stream.flush()
    except Exception:  # there may be none, and user code may have put anything in its place
        pass
