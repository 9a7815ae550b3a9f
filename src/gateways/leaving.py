"""`_tendril.leaving`: how a worker comes to its end (twin: src/gateways/termination.ts)."""
import os
import sys
import time

from _tendril import signal, worker


def enforce(grace):
    """A thread of its own: halfway through the grace it interrupts the main thread, at its end it ends the process group."""
    time.sleep(grace / 2)
    if hasattr(signal, 'pthread_kill'):
        signal.pthread_kill(worker.main, signal.SIGINT)
    elif os.name == 'posix':
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(grace / 2)
    worker.end_group()


def end():
    """What the interpreter would do at its end, but for waiting for threads and tearing down modules under them."""
    try:
        if 'atexit' in sys.modules:
            sys.modules['atexit']._run_exitfuncs()
        worker.output.drain()
    except BaseException:  # an exit function's failure has been printed, a lost gateway takes no output
        pass
    finally:
        os._exit(0)
