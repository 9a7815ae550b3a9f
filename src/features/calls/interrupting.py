"""`_tendril.interrupting`: ends a request before its time (PROTOCOL.md section 12; twin: aborting.ts beside it).

One that was not begun is taken back. In one that runs a KeyboardInterrupt is raised: in its very thread, while it runs, and never
amid what we do for it there (a frame half written, bytes read and not acted upon). Who is to be hit is noted in `struck`; the note
is acted on by whoever comes first: the handler of SIGINT in the main thread; `PyThreadState_SetAsyncExc` for another thread; or
that thread itself, where it reads, waits or has sent an item. A thread of its own goes on trying until one of them has.
"""
from _tendril import PY2, Importer, Mailbox, Worker, _thread, channel, os, signal, sys, time, worker
from _tendril.originals import common, loaded, own
from _tendril.refusing import refusals
from _tendril.session import Call, Session, commands, operations, session
from _tendril.threads import refuse

attrgetter, itemgetter, partial, repeat = own('operator').attrgetter, own('operator').itemgetter, own('functools').partial, own('itertools').repeat
if PY2:
    from _tendril import map, zip

OUTCOME, SLEEP = Session.outcome.__code__, Mailbox.sleep.__code__
# Below these on the stack, what we do leaves nothing half done; elsewhere in these files it may.
OUTER = frozenset([Worker.execute.__code__, Importer.exec_module.__code__, Importer.load_module.__code__])
OURS = frozenset([Mailbox.sleep.__code__.co_filename, OUTCOME.co_filename, __file__] + [
    '<tendril>/%s.py' % name for name in ('channel', 'reading', 'arriving', 'outgoing', 'output', 'draining', 'inbox', 'scheduling', 'logs')])
STALE = 1.0  # seconds after which no signal of ours can still be on its way

struck = {}  # by number: the call that is to be interrupted
mutex = _thread.allocate_lock()
last_signal = 0
handler = signal.getsignal(signal.SIGINT)


def interrupt(number):
    """Ends a request, begun or not; nothing happens when it is over."""
    waiting = session.waiting.pop(number, None)
    if waiting is None:
        call = session.running.get(number)
        if call is not None:
            call.interrupted = True
            note(call)
            start_pursuit(call)
        elif number > session.arrived:
            session.ahead.add(number)
            session.tell(['dequeued', number, None])
    else:
        holder = None if waiting.lane is None else waiting.lane.holder()
        session.tell(['dequeued', number, None if holder is None or holder is waiting else holder.number])  # it may be about to begin


def note(call):
    """By whoever reads: should that be the thread in question, it reads no more, and should it begin to read, it meets the note."""
    with mutex:
        if session.running.get(call.number) is call and call.thread is not None:
            struck[call.number] = call
            worker.read_some, worker.on_sent, worker.sleep = read_some, raise_if_struck, sleep


def start_pursuit(call):
    try:
        _thread.start_new_thread(pursue, (call,))
    except Exception:  # the system has no more: once, and what is noted does the rest
        strike(call)


def pursue(call):
    """A thread of its own: until the interrupt has been raised, or the call is over."""
    pause = 0.001
    while strike(call):
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    with mutex:
        if not struck and 'sleep' in worker.__dict__:
            del worker.read_some, worker.on_sent, worker.sleep


def strike(call):
    """Tries once; whether it is to be tried again."""
    with mutex:
        if session.running.get(call.number) is not call:
            return False
        thread = call.thread
        if thread is None:  # it is awaited, or is about to be
            if call.cancel is not None:
                call.cancel()
            return call.cancel is None
        if struck.get(call.number) is not call:
            return False
        frame = sys._current_frames().get(thread)
        wake(frame)
        if is_interruptible(frame, call):
            acting = thread == worker.main and signal.getsignal(signal.SIGINT)
            if not callable(acting):
                raise_at(thread, frame, call)
                tell_if_deaf(call)
            else:
                if acting is not handler:  # the code there has one of its own, which knows of no note
                    struck.pop(call.number, None)
                send_signal()
        return True


def tell_if_deaf(call):
    if api is None and not call.is_told:
        call.is_told = True
        session.tell(['deaf', call.number, 'its Python cannot interrupt what runs beside the main thread'])


def settle(call):
    """Nothing that was meant for a call may hit what follows it. Called in the thread that performed it."""
    thread = _thread.get_ident()
    with mutex:
        struck.pop(call.number, None)
        if api and thread != worker.main:
            api[1](thread, None)


def settle_late(call, reply):
    """As `settle`, when an exception came between the end of a call and that; gives the reply."""
    failure = worker.describe_failure()
    settle(call)
    if call.thread is None:  # it had gone on to be awaited
        if call.interrupted:
            start_pursuit(call)
        return None
    session.running.pop(call.number, None)
    return reply or [call.number, None, failure]


def is_interruptible(frame, call):
    """Whether a thread that is at this frame performs the call and nothing of ours."""
    is_ours_above = True
    while frame is not None:
        code = frame.f_code
        if code is OUTCOME:
            return frame.f_locals.get('call') is call
        if code in OUTER:
            is_ours_above = False
        elif is_ours_above and code.co_filename in OURS:
            return False
        frame = frame.f_back
    return is_ours_above  # nothing of ours: a greenlet (gevent's hub), which the thread runs while the call's own one waits


def wake(frame):
    """Has a thread that sleeps on a mailbox look again, as a put would."""
    while frame is not None and frame.f_code.co_filename in OURS:
        if frame.f_code is SLEEP:
            mailbox, turn = frame.f_locals['self'], frame.f_locals.get('turn')
            try:
                mailbox.sleepers.remove(turn)
            except ValueError:  # it has been woken
                return
            return turn.release()
        frame = frame.f_back


# In the main thread.

def send_signal():
    global last_signal
    last_signal = time.time()
    if hasattr(signal, 'pthread_kill'):
        signal.pthread_kill(worker.main, signal.SIGINT)
    elif os.name == 'posix':
        pthread_kill(worker.main, signal.SIGINT)
    else:
        _thread.interrupt_main()


def on_interrupt(signum, frame):
    call = struck_in(worker.main)
    if call is not None:
        if is_interruptible(frame, call) and struck.pop(call.number, None) is not None:
            raise KeyboardInterrupt
    elif worker.leaving or time.time() - last_signal > STALE:
        type(worker).on_interrupt(worker, signum, frame)


# In another thread.

def find_api():
    """PyThreadState_SetAsyncExc twice, to be called with an exception and with NULL; None where it is not to be had."""
    try:
        ctypes = common('ctypes')
        functions = [ctypes.pythonapi['PyThreadState_SetAsyncExc'] for _ in range(2)]
    except (ImportError, AttributeError):  # PyPy has none
        return None
    for function, kind in zip(functions, (ctypes.py_object, ctypes.c_void_p)):
        function.argtypes = [ctypes.c_ulong, kind]
    return functions


def pthread_kill(thread, number):
    """Python 2 has none. Its modules have been imported by then, see `api`."""
    ctypes = loaded('ctypes')
    if ctypes is None or not api:
        os.kill(os.getpid(), number)
    else:
        ctypes.CDLL(None).pthread_kill(ctypes.c_ulong(thread), number)


def raise_at(thread, frame, call):
    """Has KeyboardInterrupt raised in a thread if it is where it was at the look at `frame`, and takes its note.

    From the second look to the deed this is one call in C, during which no other thread runs.
    """
    global api
    if api == ():
        api = find_api()
    if api is None:
        return
    tops, others = [map(itemgetter(thread), iter(sys._current_frames, None)) for _ in range(2)]
    places = zip(tops, map(attrgetter('f_lasti'), others))
    threads = map({(frame, frame.f_lasti): thread}.__getitem__, places)
    deeds = map(api[0], threads, repeat(KeyboardInterrupt))
    try:
        next(zip(deeds, iter(partial(struck.pop, call.number, None), thread)))
    except KeyError:  # it has gone on: another time
        pass


# In whichever thread it is: what the worker does while somebody is to be interrupted.

def struck_in(thread):
    """The call that a thread performs, if that is to be interrupted. One amid which another is performed waits for the end of that."""
    call = session.performing.get(thread)
    return None if call is None else struck.get(call.number)


def raise_if_struck():
    call = struck_in(_thread.get_ident())
    if call is not None and struck.pop(call.number, None) is not None:
        raise KeyboardInterrupt


def read_some():
    raise_if_struck()
    type(worker).read_some(worker)


def sleep(mailbox, timeout):
    raise_if_struck()
    woken = type(worker).sleep(worker, mailbox, timeout)
    raise_if_struck()
    return woken


# A remote_exec that can be aborted: a request with a channel of its own.

def execute(call, own, task):
    """Runs a task as Worker.run does; what it comes to is told by `close`."""
    call.channel = own
    worker.executing.pop(call)  # what it prints is the channel's
    worker.executing[own.id] = own
    try:
        worker.execute(own, task)
    except channel.EndOfChannel:
        pass


def close(call, reply):
    """Ends the channel of an exec as its code has ended."""
    call.free()  # first: whoever learns of the end may want what it held
    try:
        if call.interrupted:
            session.tell(['interrupted', call.number])
        worker.output.drain()
        call.channel.is_over = True
        call.channel.finish(reply[2] if len(reply) == 3 else None)
    except IOError:  # the gateway is gone, and with it whoever wanted to know
        pass
    finally:
        worker.executing.pop(call.channel.id, None)
    return [call.number, None]


Call.is_told = False
api = find_api() if PY2 else ()  # found when it is needed, but that Python 2 may not import while user code does
worker.on_interrupt = on_interrupt
Session.settle, Session.settle_late, Session.close = [staticmethod(function) for function in (settle, settle_late, close)]
commands['interrupt'] = interrupt
operations['exec'], refusals['exec'] = execute, lambda session, call, failure, own, task: refuse(own)
