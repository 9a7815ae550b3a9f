"""`_tendril.leaving`: how a worker comes to its end (twin: src/gateways/termination.ts)."""
from _tendril import PY2, Worker, _thread, deque, extra, extras, gc, os, signal, sys, time, worker
from _tendril.failures import attempt
from _tendril.originals import common, imported, loaded, own

MOST_OBJECTS = 5000  # of a task, among which its files are looked for

begun = _thread.allocate_lock()  # held until the guard knows how long the end may take, and the thread that sees to it runs
begun.acquire()


def begin(grace):
    """Called by whoever reads."""
    if worker.guard is not None:
        worker.guard.tell(b'D', grace)  # by then there may be no threads any more
    for task in list(worker.tasks.items):
        if task and task[0] not in worker.executing.values():  # it is of a queue
            attempt(lambda: worker.tasks.items.remove(task))
    try:
        # Python 3.11.2 and others crash when the main thread comes to its end before a thread that it has made has begun.
        _thread.start_new_thread(worker.attend, (lambda: begun.release() or enforce(grace),))
    except Exception:  # the system has no more: the reading thread has nothing else to do, and the main one is at rest when it is that which reads
        begun.release()
        if _thread.get_ident() != worker.main:
            enforce(grace)


def enforce(grace):
    """A thread of its own: halfway through the grace it interrupts the main thread, at its end it ends the process group."""
    guard = worker.guard
    time.sleep(grace / 2)
    if type(worker) is Left:
        return
    if hasattr(signal, 'pthread_kill'):
        signal.pthread_kill(worker.main, signal.SIGINT)
    elif os.name == 'posix':
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(grace / 2)
    if type(worker) is Left:
        return
    if guard is not None and guard.tell(b'E'):
        os.kill(os.getpid(), signal.SIGKILL)  # the rest is the guard's, which also tells what was printed last
    worker.end_group()


def end():
    """After the last task. What follows is what the interpreter does at the end of any program; for as long as that takes, the guard has an eye on it."""
    if 'references' in extras:
        attempt(extras['references'].complain_of_all)
    if 'callbacks' in extras:
        extras['callbacks'].finish()
    for follower in list(getattr(extras.get('logs'), 'followers', ())):
        attempt(follower.send_all)
    if PY2 or worker.guard is None:  # threads of ours would go on while it tears down what they need
        finish()
        attempt(worker.output.drain)
        os._exit(0)
    extra('threads').seal()
    begun.acquire()


def leave():
    """The last exit function to run, as it is the first that was registered."""
    flush_files()
    if worker.fd_in != -1:
        leave_wire()


def leave_wire():
    """The last that the worker does: from here on there is nobody to send what is printed (by `__del__` and the like) but the guard."""
    for name in ('stdout', 'stderr'):
        stream = getattr(sys, name)
        try:
            stream.flush()
            if stream in worker.output.printers:  # a daemon thread may be stopped for ever while it holds the lock of its buffer
                setattr(sys, name, unlocked(stream))
        except Exception:  # user code has put something else there: the exit code would tell that it cannot be flushed
            setattr(sys, name, None)
    attempt(worker.output.drain)
    if 'transmit' not in worker.__dict__:  # a link's, which the guard has not
        worker.output.lock.acquire()
        worker.outgoing.close()
        worker.guard.tell(b'W')
    let_go()


def unlocked(stream):
    return own('io').TextIOWrapper(own('io').FileIO(stream.fileno(), 'wb', closefd=False), stream.encoding, stream.errors, write_through=True)


class Left(Worker):
    """For threads of ours that come back from a call: the interpreter is being torn down."""

    def park(self, *args):
        while True:
            self.parked.acquire()

    on_chunk = lose = fail = wait = park

    def post(self, *args):
        pass

    def on_interrupt(self, signum, frame):
        pass


def let_go():
    """What user code has made is to come to its end as if we had never held it: nothing leads from our threads to it any more."""
    sys.modules.pop('__channelexec__', None)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not type(finder).__module__.startswith('_tendril')]
    modules = [module.__dict__ for name, module in sys.modules.items() if name.startswith('_tendril.') and name != __name__ and module is not None]
    parked = _thread.allocate_lock()
    parked.acquire()
    worker.parked, worker.__class__ = parked, Left  # first: what is deleted now may have something to say
    for name in [name for name in worker.__dict__ if name != 'parked']:
        worker.__dict__.pop(name, None)
    channel = sys.modules['_tendril.channel'].Channel
    for name, member in list(vars(channel).items()):
        if not name.startswith('_') and type(member) is type(refuse):
            setattr(channel, name, refuse)
    for scope in modules:
        scope.clear()


def refuse(*args, **kwargs):
    raise IOError('the gateway has ended')


def finish():
    """What the interpreter does at its end, where it cannot do so itself."""
    for name, function in (('threading', '_shutdown'), ('atexit', '_run_exitfuncs')):
        module = loaded(name)
        if module is not None:
            attempt(getattr(module if hasattr(module, function) else imported(name), function))  # another thread may be amid its import
    del gc.garbage[:]  # a collection may have found what tasks have left: it is not deleted while it is there
    tools = (type, type(sys), type(finish))  # what the rest may need at its end
    scopes = [scope for scope in gc.get_objects() if type(scope) is dict and scope.get('__name__') == '__channelexec__']
    for scope in scopes + [sys.modules['__main__'].__dict__]:
        for name in sorted(scope, key=lambda name: isinstance(scope[name], tools)):
            if name != '__builtins__':
                scope[name] = None
    attempt(gc.collect)
    attempt(flush_files)


def flush_files():
    """Python loses what a file holds that is part of a reference cycle, as all variables of a task are that defines a function."""
    if PY2:
        process = common('ctypes').CDLL(None)
        getattr(process, 'fcloseall', lambda: process.fflush(None))()  # the former waits for no thread that is amid a read, as C's exit does not
    else:
        for kind in kinds_of_files():
            for file in gc.get_objects():
                if type(file) is kind:
                    attempt(file.flush)


def flush_files_of(scope):
    """For a task that is over: variables that are part of a cycle may be collected at any time, and what a file holds is lost then."""
    if PY2 or not hasattr(gc, 'is_tracked'):  # nothing is lost there
        return
    found, seen = deque([scope]), set([id(scope), id(scope.get('channel'))])
    kinds = kinds_of_files()
    while found and len(seen) < MOST_OBJECTS:
        for one in gc.get_referents(found.popleft()):
            if type(one) in kinds:
                attempt(lambda: one.seekable() and one.flush())
            elif gc.is_tracked(one) and id(one) not in seen and type(one) is not type(sys) and not (type(one) is dict and '__name__' in one):
                seen.add(id(one))
                found.append(one)


def kinds_of_files():
    io = own('io')
    return io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom
