"""`_tendril.elastic`: finds modules that the controller provides (docs/elastic.md). Pushed by provider.ts; Importer in bootstrap.py asks it.

Order: what `sys.modules` has, the standard library of this Python, what is provided, what is installed here.
"""
from _tendril import PY2, extra, imp, sys
from _tendril.originals import common, names, own


def find(name, path=None):
    """Used while this module is itself being imported: its own imports come from the interpreter."""


from _tendril.resources import hook
from _tendril.shelf import shelf


def find(name, path=None):
    """What Importer gives for a module that it does not have itself: a spec, in Python 2 a loader; None when it is not provided."""
    shelf.catch_up()
    top = name.partition('.')[0]
    if top not in shelf.tops or not is_meant(name, top, path):
        return None
    shelf.searched.append(top)
    try:
        bring(name, top)
    finally:
        shelf.searched.remove(top)
    kind = shelf.kinds.get(name)
    if kind is None:
        return None
    if isinstance(kind, str):
        if name == top and is_installed(name):
            return None
        raise ImportError('%s is provided, but cannot be sent: %s' % (name, kind))
    return extra('provided').found(name, kind)


def bring(name, top):
    """Has a module's source come, if it is provided, and has one."""
    if shelf.ahead:
        shelf.await_ahead()
    while shelf.lacks(name, top):
        if name in shelf.coming:
            shelf.wait(lambda: name not in shelf.coming)
            continue
        news = shelf.news
        from _tendril.imports import wanted
        shelf.ask(modules=sorted(wanted(name, sys._getframe(2))))
        if PY2:  # nothing keeps other threads from a module that is half imported: better wait now than amid it
            shelf.wait(lambda: not shelf.coming)
        if news == shelf.news and name not in shelf.coming and shelf.lacks(name, top):  # nor has it changed meanwhile
            why = shelf.failed.pop(name, 'the controller has no answer')
            raise ImportError('%s is provided, but could not be sent: %s' % (name, why))


def is_meant(name, top, path):
    """Not one of the standard library's, and of a package that is provided itself, not of one that was installed here."""
    if name == top:
        return not is_standard(top)
    if path is None:
        path = getattr(sys.modules.get(name.rpartition('.')[0]), '__path__', ())
    return any(entry in shelf.packages for entry in path)


def is_installed(name):
    """Whether this machine has a top-level module itself."""
    if PY2:
        try:
            return bool(imp.find_module(name))
        except ImportError:
            return False
    return own('_frozen_importlib_external').PathFinder.find_spec(name) is not None


# The standard library never travels: a name that it has means it, whatever is provided.

told = None


def is_standard(top):
    global told
    if told is None:
        told = set()
        for name in names.intersection(shelf.tops):
            if name in sys.modules:
                tell(name)
    if top in names:
        tell(top)
    return top in names


def tell(name):
    if name not in told:
        told.add(name)
        text = '%s of %s is not used: the standard library of this Python has a module of that name; rename yours'
        common('warnings').warn_explicit(text % (name, shelf.tops[name]), RuntimeWarning, '<tendril>/elastic.py', 1)


class NotFound(object):
    """The last finder: says where a module was searched that nobody has. Not in Python 2, where it would not come last."""

    is_last = True

    def find_spec(self, name, path=None, target=None):
        if sys.meta_path[-1] is not self:  # a finder that came later has its turn first
            if self.is_last:
                self.is_last = False
                sys.meta_path.append(NotFound())
            return None
        is_import = sys._getframe(2).f_code.co_name == '_find_and_load_unlocked'  # importlib.util.find_spec only asks
        if shelf.roots and is_import:
            text = 'No module named %r: not on this machine, and not in what is provided: %s'
            raise ModuleNotFoundError(text % (name, ', '.join(shelf.roots)), name=name)


if not PY2:
    sys.meta_path.append(NotFound())
    if sys.version_info >= (3, 8):  # Python leaves out the machinery from tracebacks of imports that fail, and so this
        code = NotFound.find_spec.__code__
        NotFound.find_spec.__code__ = code.replace(co_filename='<frozen importlib._bootstrap>')
sys.path_hooks.insert(0, hook)
