"""`_tendril.guard`: a process beside the worker that needs no GIL of its (see docs/architecture.md).

When the controller is gone it ends the worker, whatever that is stuck in; when the worker is gone, what that has started. It
reads what is printed (`_tendril.relay`), and what a crash left of that it passes on to the real stderr.
"""
from _tendril import PY2, clock, extra, os, private, relay, select, signal, sys, time, worker

GRACE = 0.7  # seconds in which a worker that is not stuck says, after the controller has gone, how long it takes to leave
# A hang-up is always told, that of a socket only by a name that not every Python has.
HANG_UP = getattr(select, 'POLLRDHUP', 0x2000 if sys.platform.startswith('linux') else 0)


class Guard(object):
    """As the worker knows it."""

    def __init__(self, relay):
        self.relay = relay
        self.lifeline, self.end = os.pipe()
        self.worker = os.getpid()
        self.is_over, self.deadline = False, float('inf')

    # In the worker.

    def tell(self, what, number=0):
        """Gives what was told; nothing when the guard has been killed."""
        told = what + ('%15.3f' % number).encode('ascii')
        return told[:relay.tell(self.end, told)]

    # In the guard.

    def watch(self):
        """Until the worker is gone, or should be. Its lifeline has no other writer."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it may be for all that there is
        for fd in (0, 1, 2, self.end):
            os.close(fd)
        self.relay.begin()
        watched = {self.lifeline: select.POLLIN, worker.fd_in: HANG_UP}
        while not self.is_over and clock() < self.deadline:
            told = self.relay.turn(watched, self.deadline - clock())
            if worker.fd_in in told:
                del watched[worker.fd_in]
                self.deadline = min(clock() + GRACE, self.deadline)
            if self.lifeline in told:
                self.listen()
        self.relay.give_rest(worker.output.stderr)
        os.close(worker.fd_out)

    def listen(self):
        """Acts on what the worker tells, or on its end."""
        told = os.read(self.lifeline, 16)  # as `tell` writes
        what = told[:1]
        if what == b'D':    # in so many seconds its time is up
            self.deadline = clock() + float(told[1:])
        elif what == b'Q':  # it wants to have what was printed
            self.relay.ask(told)
        elif what == b'W':  # it writes nothing more
            self.relay.take_wire(worker.fd_out)
        else:               # nothing, or that it ends itself
            self.is_over = True


def start(relay):
    """Forks it while there is one thread, and twice: user code that waits for any child must not meet it."""
    guard = Guard(relay)
    worker.group = os.getpgrp()
    child = 0
    try:
        child = os.fork()
        if not child:
            if os.fork():
                os._exit(0)
            os.setpgid(0, 0)  # who is in the group is stopped with it
            guard.watch()
            getattr(worker, 'hang_up', int)()  # a link's
            if worker.group != guard.worker:
                time.sleep(0.1)  # what started the worker may still have its exit code to pass on
    except BaseException:  # there may be no more processes
        os.dup2(worker.output.stderr, 2)
        worker.fail(int)
    finally:
        if not child:
            worker.end_group()
    try:
        os.waitpid(child, 0)
    except EnvironmentError:  # who started the worker has SIGCHLD ignored: there is nothing left to wait for
        pass
    os.close(guard.lifeline)
    own([worker.fd_in, worker.fd_out, worker.output.stderr, private(guard.end)] + worker.output.captured + relay.ends())
    if not PY2:
        import atexit
        atexit.register(lambda: extra('leaving').leave())
    return guard


def own(fds):
    """Has forked children leave to the worker what is the worker's (`_tendril.forked`), these descriptors first of all."""
    def prepare():
        if worker.fd_in != -1:
            return extra('forked')  # which may have to come yet

    def disown():
        while fds:
            os.close(fds.pop())
        if worker.fd_in != -1:
            extra('forked').disown()

    def forking(fork):
        return lambda: prepare().fork(fork, disown) if worker.fd_in != -1 else fork()

    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(before=prepare, after_in_child=disown)
    if not (3, 7) <= sys.version_info < (3, 12):  # no hooks; warnings
        module = sys.modules['os']  # that of user code
        module.fork, module.forkpty = forking(module.fork), forking(module.forkpty)
