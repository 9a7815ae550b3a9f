"""`_tendril.guard`: a process beside the worker that needs no GIL of its (see docs/architecture.md).

When the controller is gone it ends the worker, whatever that is stuck in; when the worker is gone, what that has started. What
a crash left in the output pipes it passes on to the real stderr.
"""
import os
import select
import sys
import time

from _tendril import READ_BYTES, private, signal, worker

GRACE = 1.4  # seconds that the worker has to leave by itself after the controller has gone


def start():
    """Forks it while there is one thread, and twice: user code that waits for any child must not meet it."""
    lifeline, end = os.pipe()
    leads = os.getpid() == os.getpgrp()
    if not os.fork():
        if os.fork():
            os._exit(0)
        os.close(end)
        try:
            watch(lifeline)
            getattr(worker, 'hang_up', int)()  # a link's
            if not leads:
                time.sleep(0.1)  # what started the worker may still have its exit code to pass on
        finally:
            worker.end_group()
    os.wait()
    os.close(lifeline)
    close_in_children([worker.fd_in, worker.fd_out, worker.output.stderr, private(end)] + list(worker.output.streams))


def watch(lifeline):
    """Until the worker is gone, or should be. Its lifeline has no other writer, and nobody writes to it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for fd in (0, 1, 2, worker.fd_out):
        os.close(fd)
    poll = select.poll()
    poll.register(lifeline, select.POLLIN)
    # A hang-up is always told, that of a socket only by a name that not every Python has.
    poll.register(worker.fd_in, getattr(select, 'POLLRDHUP', 0x2000 if sys.platform.startswith('linux') else 0))
    if lifeline not in [fd for fd, _ in poll.poll()]:
        poll.unregister(worker.fd_in)
        poll.poll(GRACE * 1000)
    while True:
        left = [os.read(fd, READ_BYTES) for fd in select.select(list(worker.output.streams), [], [], 0)[0]]
        if not any(left):
            return
        os.write(worker.output.stderr, b''.join(left))


def close_in_children(fds):
    """A forked child would keep the gateway's pipes open."""
    def close():
        while fds:
            os.close(fds.pop())

    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(after_in_child=close)
    else:
        fork, os.fork = os.fork, lambda: fork() or close() or 0
