"""`_tendril.forked`: a forked child of the worker's is no worker. The gateway is its parent's; it ends as a program of Python's does.

What forks is amid a task, with code of ours around that, which would go on: close the channel, reply, take the next task. In the
child all of that comes to `leave` or `Child.describe_failure` instead, which raise SystemExit: through our code, to where the thread began.
"""
from _tendril import Worker, _thread, extra, extras, os, sys, worker
from _tendril.failures import attempt, is_ours
from _tendril.leaving import finish
from _tendril.linecaches import cache_sources
from _tendril.originals import common, loaded

pid = os.getpid()
extra('threads').import_ahead()  # a thread that is about it will not go on in the child, which would wait for it


def is_child():
    return worker.__class__ is Child


def leave(*args):
    """Stands where a task that has come to its end would be told of."""
    raise SystemExit(0)


def refuse(*args):
    raise IOError('process %d, a fork of the worker, has no channels: they are those of its parent, process %d' % (os.getpid(), pid))


class Outgoing(object):
    """Writes nothing."""

    control = items = waiting = ()

    def is_amid(self):
        return False

    def put(self, item):
        if item[2] is not None:
            refuse()
        item[1].is_closed = True  # closing is no error

    def post(self, *args):
        pass

    pass_on = post


class Child(Worker):
    """What is left of the worker. Frames are neither read nor written."""

    wait = sleep = newchannel = refuse
    outgoing = Outgoing()  # of the class: what looks for the worker's own finds none

    def describe_failure(self):
        """What Python does with an exception that nobody handles."""
        kind, error, tb = sys.exc_info()
        if issubclass(kind, SystemExit):
            raise SystemExit(error.code)  # without what it would say of this one
        while tb is not None and is_ours(tb):
            tb = tb.tb_next
        attempt(lambda: error.with_traceback(tb))  # Python 3 shows this rather than what it is told
        attempt(cache_sources, sys._getframe())
        attempt(sys.excepthook, kind, error, tb)
        raise SystemExit(1)

    def fail(self):
        self.describe_failure()

    def on_interrupt(self, signum, frame):
        raise KeyboardInterrupt


class Output(object):
    """Prints go to the pipes of the parent, which sends them."""

    read_from = lambda self, *args: None
    drain = leave


def disown():
    """Called in the child, in its only thread, before anything else. Others may have held any of our locks."""
    for name in ('on_interrupt', 'read_some', 'on_sent', 'sleep', 'hang_up', 'outgoing'):
        worker.__dict__.pop(name, None)
    worker.__class__, worker.output, worker.main = Child, Output(), _thread.get_ident()
    worker.fd_in, worker.fd_out, worker.guard = -1, -1, None
    worker.mutex = _thread.allocate_lock()
    sys.modules['_tendril.channel'].Channel.setcallback = refuse  # its thread would only fail
    if 'session' in extras:
        session = extras['session'].session
        if session is not None:
            session.reply_with = session.close = session.finish = leave
    if 'iterators' in extras:
        extras['iterators'].Items.flush = extras['iterators'].Items.closed = leave
    if 'controller' in extras:
        extras['controller'].drain_python = refuse  # the first that a call of the controller's does
    if 'interrupting' in extras:
        extras['interrupting'].struck.clear()
    for name in ('interrupting', 'references', 'controller', 'logs'):
        if name in extras:
            extras[name].mutex = _thread.allocate_lock()
    if 'shelf' in extras:
        shelf = extras['shelf'].shelf
        shelf.lock, shelf.unpacking = _thread.allocate_lock(), _thread.allocate_lock()
    if 'callbacks' in extras:
        del extras['callbacks'].going_on[:]
    if 'worlds' in extras:
        extra('worlds').renew()


def end(code):
    """What the interpreter does at its end, for a child that was forked in another thread than the main one: it would stop here, and leave all that out."""
    code = exit_code(code)
    finish()
    os._exit(code)


def exit_code(code):
    if code is None or isinstance(code, int):
        return (code or 0) & 0xff
    attempt(lambda: sys.stderr.write('%s\n' % (code,)))
    return 1


def fork(function, disown):
    """`os.fork` or `os.forkpty` of Pythons without hooks, and of those that warn of forks beside other threads. Ours do a child no harm: it takes nothing that they might hold."""
    if not hasattr(os, 'register_at_fork'):
        pid = function()
        if 0 in (pid, pid[0] if isinstance(pid, tuple) else None):
            disown()
        return pid
    if has_other_threads():
        return function()
    warnings = common('warnings')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        return function()


def has_other_threads():
    threading = loaded('threading')
    return threading is not None and not all(
        isinstance(thread, (threading._MainThread, threading._DummyThread)) or thread.name.startswith('tendril')
        for thread in threading.enumerate())
