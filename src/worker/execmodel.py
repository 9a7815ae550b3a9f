"""`_tendril.execmodel`: execnet's name for what concurrency is made of, as `channel.gateway.execmodel`. All of it is user code's: gevent may have patched it."""
from _tendril import PY2, sys


def module(name):
    __import__(name)
    return sys.modules[name]


class ExecModel(str):
    """Compares with its name, `thread` or `main_thread_only`."""

    backend = property(str.__str__)
    queue = property(lambda self: module('Queue' if PY2 else 'queue'))
    subprocess = property(lambda self: module('subprocess'))
    socket = property(lambda self: module('socket'))

    def __repr__(self):
        return '<ExecModel %r>' % self.backend

    def get_ident(self):
        return module('thread' if PY2 else '_thread').get_ident()

    def sleep(self, delay):
        module('time').sleep(delay)

    def start(self, func, args=()):
        """A thread that calls `func(*args)`."""
        module('thread' if PY2 else '_thread').start_new_thread(func, args)

    def fdopen(self, fd, mode, bufsize=1, closefd=True):
        return module('io').open(fd, mode, bufsize, encoding='utf-8', closefd=closefd)

    def RLock(self):
        return module('threading').RLock()

    Lock = RLock

    def Event(self):
        return module('threading').Event()
