"""`_tendril.python2`: what only Python 2 needs."""
import time


def acquire(lock, timeout):
    """lock.acquire with a timeout in seconds. Python 2 can only poll, as its own threading module does."""
    end, pause = time.time() + timeout, 0.0005
    while not lock.acquire(0):
        left = end - time.time()
        if left <= 0:
            return False
        pause = min(pause * 2, left, 0.05)
        time.sleep(pause)
    return True
