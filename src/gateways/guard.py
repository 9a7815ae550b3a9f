"""`_tendril.guard`: a process beside the worker that needs no GIL of its (see docs/architecture.md).

When the controller is gone it ends the worker, whatever that is stuck in. When the worker is gone it ends what the worker
started, and what a crash left unsent in the output pipes it passes on to the real stderr.
"""
import _socket
import os
import select
import stat
import sys
import time

from _tendril import PY2, READ_BYTES, private, signal, worker

GRACE = 1.4  # seconds that the worker has to leave by itself after the controller has gone
LOOK_MS = None if hasattr(os, 'register_at_fork') else 500  # a forked child may hold the lifeline there (close_in_children)


def start():
    """Forks it, while there is only one thread, and twice: user code that waits for any child must not meet it."""
    lifeline, end = os.pipe()
    pid = os.getpid()
    leads = pid == os.getpgrp()
    if not os.fork():
        if os.fork():
            os._exit(0)
        os.close(end)
        try:
            watch(lifeline, pid)
            hang_up()
            if not leads:
                time.sleep(0.1)  # the command that started the worker may still have its exit code to pass on
        finally:
            worker.end_group()
    os.wait()
    os.close(lifeline)
    close_in_children([worker.fd_in, worker.fd_out, worker.output.stderr, private(end)] + list(worker.output.streams))


def watch(lifeline, pid):
    """Until the worker is gone, or should be. Its lifeline has no other writer, and nobody writes to it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for fd in (0, 1, 2, worker.fd_out):
        os.close(fd)
    poll = select.poll()
    poll.register(lifeline, select.POLLIN)
    # No events: only the hang-up, which is always told; of a socket only by a name that not every system and Python has.
    poll.register(worker.fd_in, getattr(select, 'POLLRDHUP', 0x2000 if sys.platform.startswith('linux') else 0))
    told = poll.poll(LOOK_MS)
    while not told and is_there(pid):
        told = poll.poll(LOOK_MS)
    if told and lifeline not in [fd for fd, _ in told]:
        poll.unregister(worker.fd_in)
        poll.poll(GRACE * 1000)
    while True:
        left = [os.read(fd, READ_BYTES) for fd in select.select(list(worker.output.streams), [], [], 0)[0]]
        if not any(left):
            return
        os.write(worker.output.stderr, b''.join(left))


def is_there(pid):
    try:
        os.kill(pid, 0)
        return True
    except EnvironmentError:
        return False


def hang_up():
    """Ends the connection, where it is one: what the worker forked may hold it open, and nobody else could tell that the worker is gone."""
    if stat.S_ISSOCK(os.fstat(worker.fd_in).st_mode):
        try:
            connection = _socket.fromfd(worker.fd_in, 0, 0) if PY2 else _socket.socket(_socket.AF_INET, 0, 0, worker.fd_in)
            connection.shutdown(_socket.SHUT_RDWR)
        except EnvironmentError:
            pass  # the other side was faster


def close_in_children(fds):
    """A forked child that kept them would keep the gateway's pipes open when the worker has gone. Before Python 3.7 it does."""
    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(after_in_child=lambda: [os.close(fds.pop()) for _ in fds[:]])
