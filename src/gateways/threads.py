"""`_tendril.threads`: user code in threads. `threading` takes the thread that first imports it for the main one: here it is told."""
import sys

from _tendril import PY2, _thread, worker


def run(function, args):
    """What a new thread does: `function(*args)`, after user code could import threading as it would in any thread."""
    if 'threading' not in sys.modules:
        import_threading()
    function(*args)


def import_threading():
    """Imports `threading` in this thread as if the main one had done it."""
    real = _thread.get_ident
    here = real()
    _thread.get_ident = lambda: worker.main if real() == here else real()  # other threads may ask meanwhile
    try:
        import threading
        setattr(threading, '_get_ident' if PY2 else 'get_ident', real)
    finally:
        _thread.get_ident = real
