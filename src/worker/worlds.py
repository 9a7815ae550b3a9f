"""`_tendril.worlds`: modules of Python's own that are made anew, from its library, where others stand in their place for user code."""
from _tendril import PY2, _thread, imp, os, select, sys, time
from _tendril.originals import MACHINERY, found, imported, in_the_way, is_clear, is_genuine, is_native, library

builtins = found['__builtin__' if PY2 else 'builtins']
CORE = MACHINERY + ('abc', 'codecs', 'encodings', 'importlib', 'io', 'os', 'zipimport')  # of which there is one, and which import nothing later
APART = ('enum',)  # it looks for who asks it in `sys.modules`
IS_PYPY = '__pypy__' in sys.builtin_module_names
threading = type(sys)('threading')  # what is taken from there
threading.Lock = _thread.allocate_lock
kept = {'os': os, 'select': select, 'time': time, 'threading': threading}


class Modules(dict):
    """What a world has of its own, and behind that what there is."""

    def __missing__(self, name):
        return sys.modules[name]


class World(object):
    """Modules that import each other. Those of a world that is shared are in `sys.modules`, too, where nothing else is in their place."""

    def __init__(self, is_shared, modules):
        self.is_shared = is_shared
        self.modules = (Modules if is_shared else dict)((name, module) for name, module in found.items() if is_genuine(name, module) and (is_native(module) or name.partition('.')[0] in CORE))
        self.modules.update(modules)
        self.sys = Sys('sys', self.modules)
        self.builtins = dict(builtins.__dict__, __import__=self.import_)
        self.lent = None
        self.renew()

    def renew(self):
        self.lock = ImportLock() if PY2 else _thread.RLock()

    def load(self, name):
        module = self.find(name)
        if module is not None:
            return module
        with self.lock:
            return self.find(name) or self.make_all(name)

    def find(self, name):
        module = sys.modules.get(name)
        if is_genuine(name, module) and (self.is_shared and name not in APART or is_native(module)) and name not in kept:
            return module
        if name in self.modules:
            return self.modules[name]
        return imported(name) if not self.is_shared and is_clear() else None

    def make_all(self, name):
        """Meanwhile our `typing` is that of `sys.modules`: from Python 3.12 on C looks for it there."""
        if self.lent:
            return self.make(name)
        with Lent() as self.lent:
            try:
                return self.make(name)
            finally:
                self.lent = None

    def make(self, name):
        parent, _, child = name.rpartition('.')
        package = self.load(parent) if parent else None
        if parent and self.find(name):  # the package has imported it
            return self.find(name)
        module, run = self.read(name, library if package is None else getattr(package, '__path__', ()))
        self.rule(module)
        is_hidden = name in sys.modules or name in APART or name.partition('.')[0] in in_the_way()
        modules = sys.modules if self.is_shared and not is_hidden else self.modules
        modules[name] = module
        if name == 'typing' and self.lent:
            self.lent.put(name, module)
        try:
            run(module)
        except BaseException:
            del modules[name]
            raise
        module = modules[name]  # some put another in their place
        module.__dict__.update((each, kept[each]) for each in kept if not self.is_shared and each in module.__dict__)
        if parent:
            setattr(package, child, module)
        return module

    def read(self, name, path):
        """A module that is still empty, and a function that fills it."""
        if PY2:
            return read_old(name, path)
        importer, files = found['_frozen_importlib'], found['_frozen_importlib_external']
        spec = importer.BuiltinImporter.find_spec(name) or files.PathFinder.find_spec(name, list(path))
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError('No module named %r' % name, name=name)
        kind = 'builtin' if spec.loader is importer.BuiltinImporter else 'dynamic' if type(spec.loader) is files.ExtensionFileLoader else None
        if kind is None or IS_PYPY:
            return aside(name, importer.module_from_spec, spec), spec.loader.exec_module
        module = aside(name, self.natively, getattr(imp, 'create_' + kind), spec)
        importer._init_module_attrs(spec, module)
        return module, lambda module: self.natively(getattr(imp, 'exec_' + kind), module)

    def natively(self, function, argument):
        """Calls what runs code in C. What that imports comes by the `__import__` of the frame it is called from, and out of `sys.modules` then."""
        with Lent() as lent:
            def import_(name, *how):
                module = self.import_(name, *how)
                while name and name != 'sys':
                    lent.put(name, self.load(name))
                    name = name.rpartition('.')[0]
                return module

            return eval('function(argument)', {'__builtins__': dict(self.builtins, __import__=import_), 'function': function, 'argument': argument})

    def rule(self, module):
        """Has the imports of a module come here, those of its functions too."""
        if is_native(module):  # what is imported in C is looked for in `sys.modules`
            pass
        elif is_clear() or not (PY2 or IS_PYPY):  # Python 2 would restrict what it can do
            module.__builtins__ = self.builtins
        else:
            module.__world__ = self
            divert()

    def import_(self, name, scope=None, _=None, wanted=(), level=0):
        """What stands in the place of `__import__`."""
        if name == 'sys':
            return sys if scope and getattr(sys.modules.get(scope['__name__']), '__dict__', None) is scope else self.sys
        if level > 0:
            package = scope['__name__'] if '__path__' in scope else scope['__name__'].rpartition('.')[0]
            package = package.rsplit('.', level - 1)[0]
            name = package + '.' + name if name else package
        module = self.load(name)
        if not wanted:
            return self.load(name.partition('.')[0])
        for each in wanted if hasattr(module, '__path__') else ():
            if not hasattr(module, each) and each != '*':
                try:
                    setattr(module, each, self.load(name + '.' + each))  # it may be amid its own import
                except ImportError:  # it is told by who asks for it
                    pass
        return module


class Lent(object):
    """What is put into `sys.modules` for a while."""

    def __enter__(self):
        self.before = {}
        return self

    def put(self, name, module):
        there = sys.modules.get(name, self)
        if there is not module:
            self.before.setdefault(name, there)
            sys.modules[name] = module

    def __exit__(self, *_):
        for name, module in self.before.items():
            if module is self:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


class Sys(type(sys)):
    """A `sys` for modules that are not in the real one's `modules`: they look for themselves there."""

    def __init__(self, name, modules):
        type(sys).__init__(self, name)
        self.modules = modules

    def __getattr__(self, name):
        return getattr(sys, name)


class ImportLock(object):
    """Python 2 has one for all."""

    def __enter__(self):
        imp.acquire_lock()

    def __exit__(self, *_):
        imp.release_lock()


def read_old(name, path):
    if name in sys.builtin_module_names:
        return aside(name, imp.init_builtin, name), nothing
    file, place, (_, _, kind) = imp.find_module(name.rpartition('.')[2], list(path))
    if kind == imp.C_EXTENSION:
        return aside(name, imp.load_dynamic, name, place), nothing
    module = type(sys)(name)
    if kind == imp.PKG_DIRECTORY:
        module.__path__, place = [place], os.path.join(place, '__init__.py')
    module.__file__ = place
    with open(place, 'U') as source:
        code = compile(source.read(), place, 'exec', 0, True)

    def run(module):
        exec(code, module.__dict__)

    return module, run


def nothing(module):
    """It is filled already."""


def aside(name, load, *args):
    """What a function gives that may put a module into `sys.modules`: what is there stays."""
    before = [sys.modules[name]] if name in sys.modules else []
    try:
        return load(*args)
    finally:
        sys.modules.pop(name, None)
        sys.modules.update(zip((name,), before))


def divert():
    """Where a module has no imports of its own (Python 2 and PyPy), those of modules that have a world are told apart among all."""
    real = builtins.__import__
    if hasattr(real, 'world'):
        return

    def __import__(name, globals=None, locals=None, fromlist=(), level=-1 if PY2 else 0):
        world = (globals or {}).get('__world__')
        return world.import_(name, globals, locals, fromlist, level) if type(world) is World else real(name, globals, locals, fromlist, level)

    __import__.world = True
    builtins.__import__ = __import__


alone, shared = World(False, kept), World(True, {})


def renew():
    """In a forked child: other threads may have held the locks."""
    alone.renew()
    shared.renew()


def anew(name):
    """The module of that name from its code, whatever is there: what gevent, eventlet and mocks replace in theirs is not what it runs on."""
    with alone.lock:
        return alone.modules.get(name) or alone.make(name)
