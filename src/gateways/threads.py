"""`_tendril.threads`: which thread user code runs in. `threading` takes the thread that first imports it for the main one: here it is told."""
import sys

from _tendril import PY2, _thread, worker


def run(function, args):
    """What a new thread does: `function(*args)`, after user code could import threading as it would in any thread."""
    with worker.mutex:
        if 'threading' not in sys.modules:
            try:
                import_threading()
            except Exception:  # the working directory may hold another module of that name; the task runs all the same
                pass
    function(*args)


def check_wait(channel):
    """Refuses to wait on the main thread for a task that itself waits for the main thread."""
    if _thread.get_ident() == worker.main and any(task and task[0] is channel for task in list(worker.tasks.items)):
        raise IOError('deadlock: the task of %r is queued behind this one, on the same thread (execmodel=main_thread_only)' % channel)


def import_threading():
    """Imports `threading` in this thread as if the main one had done it: only `threading` itself meets another `_thread`."""
    name = _thread.__name__
    told = sys.modules[name] = type(sys)(name)
    told.__dict__.update(_thread.__dict__)
    told.get_ident = lambda: worker.main
    try:
        import threading
        setattr(threading, '_get_ident' if PY2 else 'get_ident', _thread.get_ident)
    finally:
        sys.modules[name] = _thread
