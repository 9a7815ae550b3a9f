"""`_tendril.resources`: the files of provided packages, for importlib.resources, pkgutil and code that lists a package."""
from _tendril import Importer, Unlocked
from _tendril.originals import own
from _tendril.shelf import PACKAGE, shelf

io, posixpath = own('io'), own('posixpath')


def hook(folder):
    """For sys.path_hooks: takes the folders of provided packages, which do not exist here."""
    if folder not in shelf.packages:
        raise ImportError('%r is not provided' % (folder,))
    return FolderFinder(folder)


class FolderFinder(object):
    """The modules in the folder of a package: what FileFinder is for folders that exist."""

    def __init__(self, folder):
        self.folder = folder

    def find_spec(self, name, target=None):
        with Unlocked():
            return self.find_module(name)

    def find_module(self, name):  # of Python 2
        return Importer().find_module(name, [self.folder])

    def iter_modules(self, prefix=''):
        package = shelf.packages[self.folder] + '.'
        for name in sorted(shelf.kinds):
            child = name[len(package):]
            if name.startswith(package) and '.' not in child and not isinstance(shelf.kinds[name], str):
                yield prefix + child, shelf.kinds[name] == PACKAGE or isinstance(shelf.kinds[name], list)

    def invalidate_caches(self):
        pass


class Reader(object):
    """What importlib.resources asks of a package: `files` does it all; the rest is for Pythons before 3.9."""

    def __init__(self, top, folders):
        self.top, self.folders = top, folders

    def files(self):
        return Resource(self.top, self.folders)

    def open_resource(self, name):
        return self.files().joinpath(name).open('rb')

    def resource_path(self, name):
        raise IOError(2, 'is not a file of this machine', name)

    def is_resource(self, name):
        return self.files().joinpath(name).is_file()

    def contents(self):
        return [resource.name for resource in self.files().iterdir()]


class Resource(object):
    """A file or folder of a package: importlib.resources.abc.Traversable."""

    def __init__(self, top, paths):
        self.top, self.paths = top, paths
        self.name = posixpath.basename(paths[0])

    def joinpath(self, *names):
        if not names:
            return self
        tail = '/'.join(str(name) for name in names)
        return Resource(self.top, [posixpath.normpath(path + '/' + tail) for path in self.paths])

    __truediv__ = joinpath

    def is_file(self):
        listing = shelf.listing(self.top)
        return any(path in listing for path in self.paths)

    def is_dir(self):
        return any(True for _ in self.children())

    def iterdir(self):
        for name in sorted(set(self.children())):
            yield self.joinpath(name)

    def children(self):
        for folder in self.paths:
            for path in shelf.listing(self.top):
                if path.startswith(folder + '/'):
                    yield path[len(folder) + 1:].partition('/')[0]

    def open(self, mode='r', *args, **kwargs):
        stream = io.BytesIO(self.read_bytes())
        return stream if 'b' in mode else io.TextIOWrapper(stream, *args, **kwargs)

    def read_bytes(self):
        listing = shelf.listing(self.top)
        for path in self.paths:
            if path in listing:
                return shelf.data(self.top, path)
        raise IOError(2, 'no such file in what is provided', self.paths[0])

    def read_text(self, encoding='utf-8', errors='strict'):
        return self.read_bytes().decode(encoding or 'utf-8', errors)

    def __repr__(self):
        return 'Resource(%r)' % (self.paths[0],)
