"""`_tendril.handlers`: handlers of signals that user code sets. They may raise, amid anything that the main thread does.

Beneath what runs user code that is Python's own rule: the operation that was interrupted ends with the exception. Elsewhere the main
thread does something of the worker's, for which no user code waits: there an exception of a handler is printed, and nothing ends.
"""
from _tendril import extra, signal as system, sys, worker

given = {}  # by what was set in its place: the handler of the user's
before = system.getsignal(system.SIGINT)  # that of the worker itself: user code sets none without these functions


def guarded(handler):
    """A handler that raises only where user code runs."""
    def run(number, frame):
        try:
            return handler(number, frame)
        except BaseException:
            barred = worker.__dict__.get('barred')
            while frame is not None and frame.f_code is not barred:
                if frame.f_code in worker.users:
                    raise
                frame = frame.f_back
            extra('strikes').say_seldom(lambda: extra('failures').describe(*sys.exc_info())['traceback'])

    given[run] = handler
    return run


# What user code calls in the place of the functions of these names (`stand_in` in bootstrap.py).

def signal(number, handler):
    extra('threads').import_ahead()  # a handler may raise amid an import, or find something half imported when it sends
    is_guarded = callable(handler) and handler is not before
    previous = system.signal(number, guarded(handler) if is_guarded else handler)
    (worker.handlers.add if is_guarded else worker.handlers.discard)(int(number))
    return given.pop(previous, previous) if callable(previous) else previous


def getsignal(number):
    handler = system.getsignal(number)
    return given.get(handler, handler) if callable(handler) else handler
