"""`_tendril.scopes`: the variables of each task as the module that they say they are, `sys.modules['__channelexec__']`.

What finds a class or a function again by that name (pickle, dataclasses, multiprocessing, inspect) finds those of the task whose thread
asks. A thread that a task has started, and what is forked from there, counts as that task's: whoever starts one calls what is here.
"""
from _tendril import Scopes, _thread, extra, gc, sys, worker

NAME = '__channelexec__'
ModuleType = type(sys)
checks = []    # functions(name) that raise AttributeError for what may not be found (`_tendril.start_methods`)


def scope_of_thread():
    """The variables of the task that this thread counts as; None where it belongs to none."""
    return worker.scopes.get(_thread.get_ident()) or scope_of_code()


def scope_of_code():
    """Those of the task whose code is nearest on this stack: of what other threads call."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get('__name__') == NAME:
            return frame.f_globals
        frame = frame.f_back


def last_scope():
    """Those of the task that was begun last; nothing where there is none."""
    found, last = {}, 0
    for each in list(worker.scopes.values()):
        channel = each.get('channel')
        if not getattr(channel, 'is_aside', False) and getattr(channel, 'id', 1) > last:
            found, last = each, getattr(channel, 'id', 1)
    return found


def scope():
    """What the module has for whoever asks."""
    found = scope_of_thread()
    return last_scope() if found is None else found


class Loader(object):
    """Of the sources of tasks: without one, inspect looks for no source of a file that there is not."""

    def __repr__(self):
        return 'tendril'

    def get_source(self, name):
        return worker.texts.get(scope().get('__file__'))


loader = Loader()


class TaskModule(Scopes):
    """In the one slot that there is of that name."""

    __dict__ = property(lambda self: scope())

    def __getattribute__(self, name):
        if name == '__dict__':
            return scope()
        for check in checks:
            check(name)
        found = scope()
        if name == '__loader__' and found:  # who asks for that is about to look for a source
            extra('failures').attempt(extra('linecaches').cache_sources, sys._getframe())
            return loader
        return found[name] if name in found else ModuleType.__getattribute__(self, name)

    def __setattr__(self, name, value):
        scope()[name] = value

    def __delattr__(self, name):
        found = scope()
        if name not in found:
            raise AttributeError(name)
        del found[name]


def missing(name):
    """What a module has for a name that it has not (PEP 562). Python asks this one, and this the task's own."""
    found = scope()
    if '__getattr__' in found:
        return found['__getattr__'](name)
    raise AttributeError('module %r has no attribute %r' % (NAME, name))


class Counted(object):
    """The function of a thread that counts as a task's. It has what it needs: the worker may have come to its end by then."""

    def __init__(self, function, scope):
        self.function, self.scope, self.scopes, self.ident = function, scope, worker.scopes, _thread.get_ident

    def __repr__(self):  # Python names it where it fails
        return repr(self.function)

    def __call__(self, *args, **kwargs):
        ident = self.ident()
        self.scopes[ident] = self.scope
        try:
            return self.function(*args, **kwargs)
        finally:
            self.scopes.pop(ident, None)  # another thread may have that ident next


worker.users.add(Counted.__call__.__code__)


def counted(function):
    """A function for a thread that is to count as this one does."""
    found = scope_of_thread()
    return function if found is None else Counted(function, found)


def noting(start):
    """A function that starts a thread, made into one whose threads count as the one that calls it."""
    def ours(*args, **kwargs):
        if args and callable(args[0]):
            args = (counted(args[0]),) + args[1:]
        return start(*args, **kwargs)

    return ours


start_new_thread = _start_new_thread = start_new = noting(_thread.start_new_thread)
if hasattr(_thread, 'start_joinable_thread'):
    start_joinable_thread = _start_joinable_thread = noting(_thread.start_joinable_thread)
found = sys.modules.get(NAME)  # user code may have put it away, or another in its place
for each in [found] if type(found) is Scopes else [each for each in gc.get_objects() if type(each) is Scopes]:
    ModuleType.__setattr__(each, '__getattr__', missing)
    ModuleType.__setattr__(each, '__class__', TaskModule)
