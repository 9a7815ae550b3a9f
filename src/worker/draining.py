"""`_tendril.draining`: what has been printed leaves before the word that who printed it has come to an end (PROTOCOL.md section 8)."""
from _tendril import PY2, READ_BYTES, count, os, select, sys, wait_for, worker
from _tendril.originals import loaded
from _tendril.output import flush

numbers = count(1)
looks = {}  # by the descriptors that the worker reads from: what looks at all that is on the way


def drain(output):
    """Sends all that has been printed until now."""
    ctypes = loaded('ctypes')
    if ctypes is not None:
        flush_c(ctypes)
    if not is_silent(output) and os.name == 'posix':  # elsewhere nothing tells whether a pipe is empty
        send_all(output)


def drain_python(output):
    """As `drain`, for whoever does so often: what C holds back goes only when something else is on its way."""
    if not is_silent(output):
        drain(output)


def is_silent(output):
    """Whether nothing is on its way of all that has been printed until now: whoever comes to an end need not wait for it then."""
    out, err = output.printers
    try:
        out.flush()
        err.flush()
        are_all = sys.stdout is sys.__stdout__ is out and sys.stderr is sys.__stderr__ is err
    except Exception:  # there may be none, and user code may have put anything in its place
        are_all = False
    if not are_all:
        flush_printers(output)
    inlets = tuple(output.flags)
    try:
        for look in looks.get(inlets) or looks.setdefault(inlets, looks_at(output, inlets)):
            if look(0):
                return False
    except (RuntimeError, select.error):  # another thread is looking, or a signal has come on Python 2
        return False
    return not (output.taken or output.lock.locked())


def looks_at(output, inlets):
    """Functions that tell whether something is there. From the first of these descriptors it gets into the next before it is out of the one before."""
    way = [output.captured, [output.relay.mark[0]] if output.relay else [], list(inlets)]
    if not hasattr(select, 'poll'):
        return [lambda timeout: True]
    polls = []
    for fds in way if PY2 else [sum(way, [])]:  # a poll of Python 2 has an order of its own
        poll = select.poll()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        polls.append(poll.poll)
    return polls


def send_all(output):
    with output.lock:
        if output.relay is not None:
            settle(output)
        output.send_what_is_there()


def flush_c(ctypes):
    """C's own streams, and no others: who flushes all waits for each thread that is amid a read, with a lock that whoever opens a file needs."""
    for name in 'stdout', '__stdoutp', 'stderr', '__stderrp':  # the longer names on macOS
        try:
            process = ctypes.CDLL(None)
            process.fflush(ctypes.c_void_p.in_dll(process, name))
        except Exception:  # no such function, or stream, in this process
            pass


def flush_printers(output):
    """Python's own streams: those in use, and the first ones, which somebody may still have."""
    for stream in output.printers + [getattr(sys, name, None) for name in ('stdout', 'stderr', '__stdout__', '__stderr__')]:
        flush(stream)


def settle(output):
    """Until the relay has given on what was printed before: the pipes are empty then, but for what came since."""
    answers = output.relay.answers[0]
    question = worker.guard.tell(b'Q', next(numbers) % 9999)  # one whose answer was not waited for may still get it
    if not question:
        output.relay = None
    while output.relay is not None:
        if answers in wait_for([answers] + list(output.flags), []):
            answer = os.read(answers, READ_BYTES)
            if answer.endswith(question):
                return
            output.relay = output.relay if answer else None
        output.send_what_is_there()
