"""`_tendril.yielding`: whoever has waited for a package gives way to threads that wait for it, amid imports of its submodules.

Python locks a module while it is searched for and imported. A thread that imports `mine.b` has that lock, and waits for the one of `mine`. Who
has that one, and comes to import `mine.b`, gets a `_DeadlockError`. Where a search takes no time that hardly happens; ours takes a round trip.
"""
from _tendril import _thread, sys, time
from _tendril.originals import own

_module_locks = own('_frozen_importlib')._module_locks

PATIENCE = 1000  # turns of a millisecond


def give_way(name):
    """Called right before the package is there: lets others import it first that would be in the way, and gives what they have imported, if they have."""
    turns = 0
    while turns < PATIENCE:
        mine, are_others = held(name)
        if not mine or mine[0][0] != name or not are_others:
            break
        for _, lock in mine:
            lock.release()
        time.sleep(0.001)
        for _, lock in mine:  # the package first, as the others do
            lock.acquire()
        if name in sys.modules:
            return sys.modules[name]
        turns += 1


def held(name):
    """The locks that this thread has of a package and of submodules that are not there yet, by name, and whether others have some."""
    mine, others = [], []
    for each, ref in sorted(_module_locks.copy().items()):
        lock = ref()
        if lock is not None and lock.owner is not None and (each == name or each.startswith(name + '.')) and each not in sys.modules:
            (mine if lock.owner == _thread.get_ident() else others).append((each, lock))
    return mine, bool(others)
