"""`_tendril.provided`: makes modules of what the controller has sent, as if their files lay here under the paths that they have there."""
from _tendril import PY2, extra, originals, os, sys
from _tendril.linecaches import caches
from _tendril.originals import own
from _tendril.shelf import PACKAGE, native, shelf

io = own('io')
if PY2:
    Base = object
else:
    from _tendril.yielding import give_way
    ModuleSpec, PathFinder = own('_frozen_importlib').ModuleSpec, own('_frozen_importlib_external').PathFinder
    Base = own('_frozen_importlib_external').SourceLoader  # its frames are left out of tracebacks, as always


def found(name, kind):
    """The spec of a module that has come, in Python 2 its loader."""
    if isinstance(kind, list):
        loader = Namespace(name, kind + installed_portion(name))
        return loader if PY2 else spec_of(loader)
    loader = Loader(name, shelf.file_of(name), shelf.sources[name], kind == PACKAGE)
    if os.path.exists(loader.file):  # or what lies here under the same path would be shown in tracebacks
        lines = loader.get_source(name).splitlines(True)
        for lines_of in caches():
            lines_of[loader.file] = (len(loader.source), None, lines, loader.file)
    return loader if PY2 else spec_of(loader)


def spec_of(loader):
    spec = ModuleSpec(loader.name, loader, origin=loader.file, is_package=loader.is_package())
    spec.has_location = loader.file is not None
    if loader.is_package():
        spec.submodule_search_locations.extend(loader.path)
    return spec


def installed_portion(name):
    """The folders that this machine has of a namespace package."""
    if PY2:
        return []
    parent = sys.modules.get(name.rpartition('.')[0])
    spec = PathFinder.find_spec(name, None if parent is None else [p for p in parent.__path__ if p not in shelf.packages])
    return list(spec.submodule_search_locations) if spec is not None and spec.loader is None else []


class Resources(object):
    """What loaders of packages have for importlib.resources and importlib.metadata, and for several threads."""

    is_provided = True

    def create_module(self, spec):
        there = give_way(self.name) if self.is_package() else None
        if there is not None:  # another thread has imported it meanwhile
            its_spec = there.__spec__
            self.exec_module = lambda module: setattr(module, '__spec__', its_spec)
        return there

    def get_resource_reader(self, name=None):
        if self.is_package():
            from _tendril.resources import Reader
            return Reader(self.name.partition('.')[0], self.path)


class Loader(Resources, Base):
    def __init__(self, name, file, source, is_package):
        self.name, self.file, self.source = name, file, source
        self.path = [os.path.dirname(file)] if is_package else None

    def is_package(self, name=None):
        return self.path is not None

    def get_filename(self, name=None):
        return self.file

    def get_data(self, path):
        path = path.replace('\\', '/')
        return self.source if path == self.file else shelf.data(self.name.partition('.')[0], native(path))

    if PY2:
        def load_module(self, name):
            if name in sys.modules:  # another thread has been faster while this one waited
                return sys.modules[name]
            module = sys.modules[name] = type(sys)(name)
            module.__file__, module.__loader__ = self.file, self
            module.__package__ = name if self.path else name.rpartition('.')[0]
            if self.path:
                module.__path__ = list(self.path)
            module.__loading__ = True
            try:
                exec(self.get_code(name), module.__dict__)
            except BaseException:
                sys.modules.pop(name, None)
                raise
            finally:
                del module.__loading__
            return sys.modules[name]

        def get_code(self, name=None):
            return compile(extra('encoded').undeclared(self.source, self.file), self.file, 'exec', 0, True)

        def get_source(self, name=None):
            return self.source
    else:
        def get_source(self, name=None):
            """As that of SourceLoader, which imports tokenize for it, from the working directory too."""
            encoding, _ = own('tokenize').detect_encoding(io.BytesIO(self.source).readline)
            return io.IncrementalNewlineDecoder(None, True).decode(self.source.decode(encoding))


class Namespace(Resources):
    """A package without a source: only folders, here and there."""

    file = None

    def __init__(self, name, path):
        self.name, self.path = name, path

    def is_package(self, name=None):
        return True

    def exec_module(self, module):
        pass

    def get_code(self, name=None):
        return compile('', '<namespace>', 'exec', 0, True)

    def get_source(self, name=None):
        return ''

    def load_module(self, name):
        module = sys.modules.setdefault(name, type(sys)(name))
        module.__loader__, module.__package__, module.__path__ = self, name, list(self.path)
        return module
