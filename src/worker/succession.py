"""`_tendril.succession`: who has the main thread next.

What comes while somebody has it is begun beside it, but not what comes amid an end: who waits for the item that a task sends last may
send the next task before the main thread has done the little that is left of that one. So a thread that is to begin something looks first.
"""
from _tendril import PY2, Worker, channel, outgoing, sys, time, worker

LOOKS = 10      # where nobody can see whether user code is amid a call, or just behind it
unclear = None  # such a place in which it has stayed
OURS = '<tendril>', '<frozen importlib'
SERVE, WAIT, SEND, WRITE = [getattr(function, '__func__', function).__code__ for function in (
    Worker.serve, Worker.wait, channel.Channel.send, outgoing.Outgoing.wait_for)]  # the last one has to do with long items, or waits for others


def takes_main(heir):
    """Whether the main thread is that of `heir` from now on: it is free, or was about to be."""
    global unclear
    looks = 0
    while True:
        frame = sys._current_frames().get(worker.main)
        place = worker.main_holder.get(None), frame and frame.f_code, frame and frame.f_lasti
        is_over = is_ending(frame)  # first: it may be free by then
        if worker.main_holder.setdefault(None, heir) is heir:
            return True
        if is_over is None:
            looks += 1
            if place == unclear or looks > LOOKS:
                unclear = place
                return False
        elif not is_over:
            return False
        time.sleep(0.0001)


def is_ending(frame):
    """Whether the user's code at a frame, and those that called it, has done all that it does; None when that cannot be seen."""
    above, result, is_top = None, True, True
    while frame is not None and frame.f_code is not SERVE:
        code = frame.f_code
        is_users = not code.co_filename.startswith(OURS)
        if code is WAIT or code is WRITE and len(frame.f_locals['item'][0]) > 2 or is_users and not is_last(code, frame.f_lasti):
            return False
        if is_top and (is_users or code in worker.users):
            result, is_top = above is SEND or None, False
        above, frame = code, frame.f_back
    return result


def is_last(code, at):
    """Whether code only returns behind the call at an offset."""
    ops = ops_of(code, at)
    next(ops, None)
    for op in ops:
        if op not in LAST:
            return False
        if op == RETURN:
            return True
    return False


def ops_of(code, at):
    ops = bytearray(code.co_code)
    while at < len(ops):
        yield ops[at]
        at += 2 if not PY2 else 3 if ops[at] >= 90 else 1  # dis.HAVE_ARGUMENT


LAST = list(ops_of(compile('f()', '', 'exec'), 0))[-3:]
RETURN = LAST[-1]
LAST.append(0)  # CACHE
