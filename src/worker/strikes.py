"""`_tendril.strikes`: exceptions that one thread of user code sets in another, by ctypes and PyThreadState_SetAsyncExc.

Such a one may arrive anywhere. Beneath what runs user code that is Python's own rule. A thread that does something of the worker's, between
two tasks or two calls, has no code that could expect one, and bytes and frames in its hands: there it is told by a line, as what handlers
of signals raise is (`_tendril.handlers`), and strikes nobody. So what user code gets as that function is one that looks first.
"""
from _tendril import PY2, Worker, _thread, clock, extra, extras, sys, time, worker
from _tendril.originals import is_genuine, own

if PY2:
    from _tendril import map, zip

attrgetter, itemgetter, repeat = own('operator').attrgetter, own('operator').itemgetter, own('itertools').repeat
NAME = 'PyThreadState_SetAsyncExc'
OURS = '<tendril>'
# Amid these, even beneath user code, one would leave something half done. They are soon over.
FRAGILE = frozenset('<tendril>/%s.py' % name for name in ('output', 'draining', 'relay', 'guard', 'inbox', 'scheduling', 'session', 'logs'))
PAUSE, PAUSES = 0.001, 100
LATE = u'tendril worker: %s was set in a thread after the task or call that it was for had ended there: it has interrupted nothing\n'
BUILTIN = ('builtins', 'exceptions', 'struct', 'zlib', '_pickle', 'cPickle', 'pickle', 'select', 'thread', '_tendril', '<unknown>')
QUIET = 1.0
told = [-QUIET]
ACT = getattr(Worker.act, '__func__', Worker.act).__code__


def state_of(thread, frame):
    """Whether user code runs in a thread that is at this frame; None when that is to be asked again soon."""
    loop = extras.get('coroutines')
    is_loop = loop is not None and loop.thread == thread
    barred, is_fragile, are_ours = worker.__dict__.get('barred'), False, False
    while frame is not None:
        code = frame.f_code
        if code in worker.users:
            return None if is_fragile else True
        if code is barred:
            return None
        if code.co_filename.startswith(OURS):
            is_fragile, are_ours = is_fragile or code.co_filename in FRAGILE, True
        elif is_loop and not loop.is_machinery(code.co_filename):
            return True
        frame = frame.f_back
    return not are_ours  # it is a thread of the user's


class Striker(object):
    """What user code gets in the place of the function."""

    def __init__(self, function):
        self.__dict__['function'] = function

    def __getattr__(self, name):
        return getattr(self.function, name)

    def __setattr__(self, name, value):
        setattr(self.function, name, value)

    def __call__(self, *args):
        thread, kind = map(value_of, args) if len(args) == 2 else (None, None)
        for pauses in range(PAUSES, -1, -1):
            frame = kind and sys._current_frames().get(thread)
            if not frame or thread == _thread.get_ident():  # nobody is struck, or who asks for it
                break
            runs = state_of(thread, frame)
            if runs:
                if PY2:
                    hurry()
                try:
                    return strike(self.function, thread, frame, args)
                except KeyError:  # it has gone on meanwhile
                    continue
            if runs is False or not pauses:
                return self.tell(kind)
            time.sleep(PAUSE)
        return self.function(*args)

    def tell(self, kind):
        """As if it had been done."""
        failures = extra('failures')
        failures.say(LATE % failures.to_text(failures.names_of(kind)[0]))
        return 1


def is_users(kind, error):
    """Whether an exception that came amid what we do ourselves was set there by user code: Python makes those of a class alone. Ours say what is wrong."""
    failures = extra('failures')
    if kind is TypeError or kind is SystemError:  # of a class that needs arguments, or of no class
        return any(word in failures.tolerant(failures.message_of, kind, error) for word in ('__init__', 'BaseException'))
    return kind is not MemoryError and (failures.names_of(kind)[1] not in BUILTIN or failures.attribute_of(error, 'args') == ())


def whose(kind, error):
    """Why the worker ends with an exception that is nobody's otherwise."""
    if is_users(kind, error):
        return u'an exception that user code has set in this thread came amid what the worker does itself'
    return u'a fault of tendril, please report it'


def say_seldom(text):
    """As `failures.say`, not more often than once in QUIET seconds: for what comes as fast as signals do, which printing may not keep up with."""
    now = clock()
    if now - told[0] >= QUIET:
        told[0] = now
        extra('failures').say(text() if callable(text) else text)


def withstand():
    """What the main thread does with an exception between two tasks, where it waits. True, unless it is a fault of ours or came amid a frame."""
    kind, error, tb = sys.exc_info()
    while tb is not None:
        if tb.tb_frame.f_code is ACT:
            raise
        tb = tb.tb_next
    if not is_users(kind, error):
        raise
    failures = extra('failures')
    failures.say(LATE % failures.to_text(failures.names_of(kind)[0]))
    return True


def strike(function, thread, frame, args):
    """Calls it if the thread is where it was at the look at `frame`, else raises KeyError. From the second look to the deed this is one call in C, during which no other thread runs."""
    tops, others = [map(itemgetter(thread), iter(sys._current_frames, None)) for _ in range(2)]
    places = zip(tops, map(attrgetter('f_lasti'), others))
    return next(iter(map(function, map({(frame, frame.f_lasti): args[0]}.__getitem__, places), repeat(args[1]))))


def hurry():
    """Python 2 looks only now and then whether there is such an exception: from now on it does before user code is left."""
    worker.free_main = look_and(Worker.free_main, worker)
    session = extras.get('session')
    if session is not None:
        session.session.outcome = and_look(session.Session.outcome, session.session)


def look():
    for _ in range(sys.getcheckinterval()):
        pass


def look_and(method, owner):
    def ours(*args):
        look()
        return method(owner, *args)

    return ours


def and_look(method, owner):
    def ours(*args):
        result = method(owner, *args)
        look()
        return result

    return ours


def value_of(arg):
    """Of an argument that may be of a type of ctypes; None for NULL."""
    try:
        return getattr(arg, 'value', arg)
    except ValueError:
        return None


def guard(ctypes):
    """Has ctypes, of which all is there, give that function guarded."""
    if is_genuine('ctypes', ctypes) and hasattr(ctypes, 'pythonapi') and '__getitem__' not in ctypes.PyDLL.__dict__:
        plain = ctypes.CDLL.__getitem__
        ctypes.PyDLL.__getitem__ = lambda library, name: Striker(plain(library, name)) if name == NAME else plain(library, name)
        ctypes.pythonapi.__dict__.pop(NAME, None)


class Finder(object):
    """Is asked for modules ahead of all others; has what others find for ctypes guarded as soon as it is there."""

    is_busy = False

    def find_spec(self, name, path=None, target=None):
        if name != 'ctypes' or self.is_busy:
            return None
        self.is_busy = True
        try:
            specs = (finder.find_spec(name, path, target) for finder in list(sys.meta_path) if hasattr(finder, 'find_spec'))
            spec = next((spec for spec in specs if spec is not None), None)
        finally:
            self.is_busy = False
        if hasattr(getattr(spec, 'loader', None), 'exec_module'):
            spec.loader = Loader(spec.loader)
        return spec

    def find_module(self, name, path=None):  # of Python 2
        return None if name != 'ctypes' or self.is_busy else self

    def load_module(self, name):
        self.is_busy = True
        try:
            __import__(name)
        finally:
            self.is_busy = False
        guard(sys.modules[name])
        return sys.modules[name]


class Loader(object):
    """One of another's that guards what it has loaded."""

    def __init__(self, loader):
        self.loader = loader

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        guard(module)


if '__pypy__' not in sys.builtin_module_names:  # which has no such function
    sys.meta_path.insert(0, Finder())
    guard(sys.modules.get('ctypes'))
