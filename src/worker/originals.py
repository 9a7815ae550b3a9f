"""`_tendril.originals`: modules of Python's own, as they are without the working directory and without what user code has put in their place.

All that ours import beside `_tendril` they take from here, early or late: `own` for us alone, `common` where user code holds objects of
the same classes. While nothing stands in the place of any of Python's modules, both just import. Else what is needed is made anew, from
the library itself (`_tendril.worlds`). As with `extra`, what is there costs no lock of Python's.
"""
from _tendril import PY2, extra, imp, os, plain, sys, worker

found = worker.modules  # those that were there before any user code
given = {}  # by name: what `own` has given
ours = set()  # names that a thread of ours has begun to import


def own(name):
    """The module of that name, for us alone."""
    if name not in given:
        ours.add(name)
        given[name] = find(name)
    return given[name]


def find(name):
    module = found.get(name)
    if is_genuine(name, module) and (is_native(module) or name not in plain):
        return module
    if is_clear():
        return imported(name)
    return extra('worlds').alone.load(name)


def at_hand(name):
    """As `own`, where user code may be amid the import of it: that is not waited for, and what is there may be half of it."""
    # Another thread of ours that is amid the import is waited for; Python 2 has one lock for this and for what user code imports.
    return given.get(name) or (loaded(name) if PY2 or name not in ours else None) or own(name)


def common(name):
    """The one that user code imports, unless that has another in its place."""
    module = loaded(name)
    if module is not None and is_whole(module):
        return module
    if is_clear():
        return imported(name)
    return extra('worlds').shared.load(name)


def loaded(name):
    """The one that user code has imported; None also when that is another one."""
    module = sys.modules.get(name)
    return module if is_genuine(name, module) else None


def imported(name):
    __import__(name)
    return sys.modules[name]


# What there is of Python's own, and what stands in its place.

def find_library():
    """The folders, or the archive, that Python's own modules are in."""
    base = os.path.dirname(getattr(os, '__file__', ''))
    above = os.path.dirname(base)
    folders = [os.path.join(base, 'lib-dynload'), os.path.join(above, 'lib_pypy'), os.path.join(os.path.dirname(above), 'lib_pypy'), os.path.join(above, 'DLLs')]
    folders += [entry for entry in sys.path if isinstance(entry, str) and os.path.basename(entry) == 'lib-dynload']
    return [base] + sorted(set(filter(os.path.isdir, folders))) if base else []


def find_names():
    names = set(sys.builtin_module_names).union(getattr(sys, 'stdlib_module_names', ()))
    if not hasattr(sys, 'stdlib_module_names'):  # before Python 3.10
        for folder in library:
            names.update(names_in(folder))
    return names


def names_in(folder, among=None):
    """The modules of a folder; only `among` these."""
    for entry in os.listdir(folder or '.'):
        name, _, extension = entry.partition('.')
        if among is None or name in among:
            if extension in ('py', 'pyc') or extension.endswith(('so', 'pyd')) or os.path.isfile(os.path.join(folder, entry, '__init__.py')):
                yield name


library = find_library()
names = find_names()
MACHINERY = '_frozen_importlib', '_frozen_importlib_external'  # of imports: there before anything, on Python 3.6 without a word of where from
replaceable = names - set(['__main__', 'distutils', 'test'])  # the second one is setuptools' to replace
searched = replaceable.difference(sys.builtin_module_names)   # the others are in no folder
listings = {}  # of folders that come before the library: what is in the place of ours, by when they were changed


def is_genuine(name, module):
    """Whether it is Python's module of that name."""
    if module is None:
        return False
    file = getattr(module, '__file__', None)
    if file is None:
        return name in sys.builtin_module_names or name in MACHINERY or getattr(getattr(module, '__spec__', None), 'origin', None) == 'frozen'
    return isinstance(file, str) and any(is_within(file, folder) for folder in library)


def is_whole(module):
    """Whether no other thread is amid the import of it."""
    return not imp.lock_held() if PY2 else not getattr(getattr(module, '__spec__', None), '_initializing', False)


def is_native(module):
    return not getattr(module, '__file__', '').endswith(('.py', '.pyc', '.pyo'))


def is_within(file, folder):
    start = folder + os.sep
    return file.startswith(start) and not file.startswith((start + 'site-packages', start + 'dist-packages'))


def is_clear():
    """Whether user code that imports a module of Python's gets it, whichever that is."""
    if not library:
        return True
    loaded = sys.modules
    for name in replaceable.intersection(list(loaded)):
        if loaded[name] is not found.get(name, loaded) and not is_genuine(name, loaded[name]):
            return False
    return not in_the_way()


def in_the_way():
    """The modules that are found before those of the library: in the working directory, and in what else is ahead in `sys.path`."""
    taken = set()
    for entry in list(sys.path):
        if entry in library:
            return taken
        try:
            state = os.stat(entry or '.')
            state = state.st_dev, state.st_ino, state.st_mtime
            if listings.get(entry, (None,))[0] != state:
                listings[entry] = state, set(names_in(entry, searched))
            taken |= listings[entry][1]
        except (EnvironmentError, TypeError):  # there is none, or an archive
            pass
    return searched  # there is no library in it
