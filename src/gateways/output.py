"""`_tendril.output`: fds 1 and 2 and what is printed there (PROTOCOL.md section 8; twin: src/gateways/output.ts)."""
import os
import select
import sys

from _tendril import OUTPUT, PY2, READ_BYTES, STDERR, STDOUT, _thread, private, worker


class Output(object):
    """Takes fds 1 and 2, so that no print, of Python, of C or of a child process, can touch the protocol; forwards what arrives."""

    def __init__(self):
        self.lock = _thread.allocate_lock()
        self.stderr = private(os.dup(2))
        self.streams = {capture(1): STDOUT, capture(2): STDERR}
        for name, fd in (('stdout', 1), ('stderr', 2)):
            flush(getattr(sys, name, None))  # a new stream: the old one may believe that it can seek
            stream = os.fdopen(fd, 'w', 1) if PY2 else open(fd, 'w', 1, 'utf-8', 'backslashreplace', closefd=False)
            setattr(sys, name, stream)
            setattr(sys, '__%s__' % name, stream)  # Python 2 would close the descriptor with the last reference
        self.ready = select.select if os.name == 'posix' else None

    def forward(self):
        """A thread of its own: sends what is printed as it is printed."""
        try:
            if self.ready is None:
                return self.forward_by_thread()
            while True:
                self.ready(list(self.streams), [], [])
                self.send_what_is_there()
        except EnvironmentError:
            pass  # the gateway is gone

    def forward_by_thread(self):
        """Windows has no select for pipes: a thread each, and no drain that could know when a pipe is empty."""
        stdout, stderr = sorted(self.streams, key=self.streams.get)
        _thread.start_new_thread(self.forward_one, (stderr,))
        self.forward_one(stdout)

    def forward_one(self, fd):
        while True:
            self.send(fd, os.read(fd, READ_BYTES))

    def send_what_is_there(self):
        with self.lock:
            for fd in self.ready(list(self.streams), [], [], 0)[0]:
                self.send(fd, os.read(fd, READ_BYTES))

    def send(self, fd, text):
        tasks = list(worker.executing)
        worker.write(OUTPUT, tasks[0] if len(tasks) == 1 else 0, text, flags=self.streams[fd])

    def drain(self):
        """Sends all that has been printed until now: a pipe holds no more than READ_BYTES."""
        flush(sys.stdout)
        flush(sys.stderr)
        if 'ctypes' in sys.modules:
            try:
                sys.modules['ctypes'].CDLL(None).fflush(None)
            except Exception:  # no such function in this process
                pass
        if self.ready is not None:
            self.send_what_is_there()


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
