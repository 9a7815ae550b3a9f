"""`_tendril.threads`: which thread user code runs in. `threading` takes the thread that first imports it for the main one: here it is told."""
from _tendril import CLOSE, ERROR, HEADER, PY2, _thread, count, dumps, extra, extras, imp, os, sys, worker
from _tendril.originals import common, own
from _tendril.succession import takes_main

partial, methodcaller, Reference = own('functools').partial, own('operator').methodcaller, own('_weakref').ref


class Started(object):
    """What a new thread has until it begins: without memory it ends before its first bytecode, where nothing of Python's can tell."""


class Ending(Reference):
    """A reference to one: functions of C that end the worker when it is deleted before its thread has begun."""

    say = staticmethod(partial(os.write, 2, b'tendril worker: there is no memory left: MemoryError, a thread could not begin\n'))
    end = staticmethod(partial(os._exit, 1))


AHEAD = ('values', 'reducing', 'pieces', 'arriving', 'memory', 'failures', 'handles', 'draining', 'leaving', 'forked', 'members', 'scopes', 'strikes', 'files') + (('encoded',) if PY2 else ())
starting = {}  # by number: the references to what threads have that were started and have not begun
numbers = count()
is_sealed = False  # nothing of ours imports `threading` any more
importing = _thread.allocate_lock()  # of its own: an import may wait for frames, and whoever reads them wants `worker.mutex`


def start(function, args):
    """Starts a thread for user code. A task for which there is none is refused; of all else whoever asks is told by an exception."""
    is_run = function == worker.run
    is_task = is_run and not getattr(args[0], 'is_aside', False)
    if is_task:
        worker.others[args[0]] = True  # at once: the main thread, which may get it, is not to read
    started, number = Started(), next(numbers)
    starting[number] = [Ending(started, methodcaller(name)) for name in ('end', 'say')]  # the last one acts first
    try:
        _thread.start_new_thread(begin, (started, number, partial(begin_task if is_task else run, function, args)))
    except BaseException:
        del starting[number]
        if is_task and left_to_main(args):
            return
        if not is_run or args[1] is None:
            raise RuntimeError(why_no_thread())
        refuse(*args)


def begin(started, number, run):
    for ending in starting.pop(number):
        ending.say = ending.end = int  # PyPy calls those of a reference that nobody holds, until it has been collected
    worker.attend(run)


def begin_task(function, args):
    """What a new thread does with a task: `run`, unless the main one can."""
    if not left_to_main(args):
        run(function, args)


def left_to_main(args):
    """Leaves a task to the main thread, if that is free, or about to be."""
    is_for_main = takes_main(args[0])
    if is_for_main:
        worker.tasks.put(args)
    del worker.others[args[0]]
    return is_for_main


def run(function, args):
    """What a new thread does: `function(*args)`, after user code could import threading as it would in any thread."""
    if not (args and getattr(args[0], 'is_aside', False)):  # it is one of user code beside another
        import_ahead()
    have_threading()
    try:
        function(*args)
    except SystemExit as e:
        forked = extras.get('forked')
        if forked and forked.is_child():
            forked.end(e.code)
    except MemoryError:
        worker.fail()  # somebody may wait for what this thread has not come to
    except BaseException:  # raised into this thread by another, when user code was over
        extra('failures').print_current()


def import_ahead():
    """Imports what we may need while user code is amid an import, or at the end of the stack.

    A finder of user code has a lock without which no other thread imports: this comes ahead of what runs beside other user code. Where it is
    needed at once, a thread of its own does it as the extras come: Python 2 has that lock for whole imports; PyPy leaves it locked when one is
    interrupted by a RecursionError.
    """
    for name in AHEAD:
        extra(name)
    if PY2:
        have_threading()
        for codec in 'ascii', 'latin-1', 'utf-8':
            u''.encode(codec)  # the first use of each imports it


def why_no_thread():
    return ("can't start new thread. Allow the worker more processes and memory (ulimit -u, ulimit -v), or have fewer tasks run at "
            "a time (now: %d)" % len(worker.executing))


def no_thread():
    """The failure of what the system has no thread for."""
    return extra('failures').describe(RuntimeError, RuntimeError(why_no_thread()), None)


def refuse(channel, payload=None):
    """Closes the channel of something, such as the task of that payload, for which the system has no thread. Called by whoever reads: nothing here waits."""
    reason = dumps(no_thread())
    worker.outgoing.post(worker.frame(HEADER.pack(CLOSE, ERROR, channel.id, len(reason)) + reason), channel)
    channel.end()
    worker.forget(channel)
    if payload is not None and '_tendril.loans' in worker.sources:
        extra('loans').give_back(payload)


def check_wait(channel):
    """Refuses to wait on the main thread for a task that itself waits for the main thread."""
    if _thread.get_ident() == worker.main and any(task and getattr(task[0], 'id', None) == channel.id for task in list(worker.tasks.items)):
        raise IOError('deadlock: the task of %r is queued behind this one, on the same thread (execmodel=main_thread_only)' % channel)


def have_threading():
    if 'threading' in sys.modules:
        return
    lock, unlock = (imp.acquire_lock, imp.release_lock) if PY2 else (importing.acquire, importing.release)  # two that are held at a time are one too many
    lock()
    try:
        if 'threading' not in sys.modules and not is_sealed:
            import_threading()
    except Exception:  # the working directory may hold another module of that name; the task runs all the same
        pass
    finally:
        unlock()


def seal():
    """Ahead of the interpreter's end, which complains of a `threading` of which there is but half: none of our threads is amid its import, and none begins one."""
    global is_sealed
    with importing:
        is_sealed = True


def import_threading():
    """Imports `threading` in this thread as if the main one had done it. It meets another `_thread`, which tells only this thread otherwise: user code may import meanwhile."""
    name, ident = _thread.__name__, _thread.get_ident()
    module, there = common(name), sys.modules.get(name, sys)
    told = sys.modules[name] = type(sys)(name)
    told.__dict__.update(module.__dict__)

    def telling(function, instead):
        return lambda *args: instead() if told is not module and _thread.get_ident() == ident else function(*args)

    told.get_ident = telling(module.get_ident, lambda: worker.main)
    if hasattr(module, '_set_sentinel'):  # what threading takes from the thread that it is in ends with that
        told._set_sentinel = telling(module._set_sentinel, _thread.allocate_lock)
    try:
        threading = common('threading')
        setattr(threading, '_get_ident' if PY2 else 'get_ident', module.get_ident)
        if hasattr(module, '_set_sentinel'):
            threading._set_sentinel = module._set_sentinel
    finally:
        told = module
        sys.modules[name] = there
        if there is sys:  # user code has taken it out
            del sys.modules[name]
