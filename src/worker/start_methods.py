"""`_tendril.start_methods`: what is different for multiprocessing in a worker.

A process that is forked has what its parent has. One of another start method imports it, and would wait for ever, or fail over and
over, for the module of a task. So the pickler that sends to processes refuses there.

Its resource tracker, and that of loky, which is started by the same function, frees shared memory and the like behind those that have died. It
has a session of its own: whoever kills the worker kills the process group.
"""
from _tendril import _thread, os, sys
from _tendril.originals import imported, loaded
from _tendril.scopes import NAME, checks
from _tendril.worlds import anew

dumping = {}  # by thread, while it pickles for a process: the names that were refused


def method():
    """The start method of the process that this thread pickles for, if that is not fork."""
    popen = sys.modules['multiprocessing.context'].get_spawning_popen()
    if popen is not None:
        return popen.method
    alive = [child._popen for child in processes()]
    methods = set(popen.method for popen in alive if popen is not None and popen.poll() is None)
    return None if 'fork' in methods or not methods else methods.pop()


def processes():
    """Those that may be sent to: of a pool, if it is one that sends; else all."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == '_handle_tasks' and frame.f_globals.get('__name__') == 'multiprocessing.pool':
            return list(frame.f_locals['pool'])
        frame = frame.f_back
    return list(sys.modules['multiprocessing.process']._children)


def check(name):
    refused = dumping.get(_thread.get_ident())
    if refused is not None and not name.startswith('__') and method():
        refused.append(name)
        raise AttributeError(name)


def explained(pickler):
    """Its `dump`, whose error says why: that of pickle knows of no reason."""
    plain = pickler.dump

    def dump(self, value):
        refused = dumping[_thread.get_ident()] = []
        try:
            return plain(self, value)
        except Exception as e:
            if not refused:
                raise
            raise type(e)("cannot send %s to another process: it is defined in the code of a task (%s), which a process of the start method %r cannot "
                          "import. Use multiprocessing.get_context('fork'), or define it in a module" % (refused[0], NAME, method()))
        finally:
            dumping.pop(_thread.get_ident(), None)

    return dump


def apart(spawn):
    """Its function that starts processes, as one that has trackers live apart."""
    def spawnv_passfds(path, args, passfds):
        if b'_tracker import main' not in os.fsencode(args[-1]):
            return spawn(path, args, passfds)
        child = anew('subprocess').Popen(args, executable=path, pass_fds=passfds, restore_signals=False, start_new_session=True)
        child.returncode = 0  # whoever starts it waits for it
        return child.pid

    return spawnv_passfds


def watch():
    """Called ahead of the import of a tracker: memory may be shared, and a start method used that is another one."""
    if loaded('multiprocessing') is not None:
        util = imported('multiprocessing.util')
        if getattr(util, 'spawnv_passfds', watch).__module__ != __name__:
            util.spawnv_passfds = apart(util.spawnv_passfds)
    reduction = sys.modules.get('multiprocessing.reduction')
    if reduction is not None and not checks:
        checks.append(check)
        reduction.ForkingPickler.dump = explained(reduction.ForkingPickler)
