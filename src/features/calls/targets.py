"""`_tendril.targets`: what a dotted name means here, and the namespace that calls share."""
from _tendril import PY2, extra, sys
from _tendril.session import operations

# What is executed without a name of its own runs here; what it defines is found where Python looks for it: in `__main__`.
main = sys.modules['__main__']
namespace = main.__dict__


class Controller(object):
    """What the controller exposes, by name: what makes it callable comes when it exposes something."""

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        try:
            return extra('controller').exposed(name)
        except ImportError:
            raise AttributeError('the controller does not expose "%s"; it exposes nothing' % name)

    def __repr__(self):
        return '<controller>'


controller = Controller()
namespace.setdefault('controller', controller)
builtins = sys.modules['__builtin__' if PY2 else 'builtins']


def find(path):
    """The object of a dotted name: of the namespace, else of a module, which is imported, else a builtin."""
    module, _, name = path.rpartition('.')
    if module:
        head = path.partition('.')[0]
        if head in namespace:
            return walk(namespace[head], path.split('.')[1:])
        found = getattr(sys.modules.get(module), '__dict__', ())
        return found[name] if name in found else import_and_walk(path.split('.'))
    if name in namespace:
        return namespace[name]
    return getattr(builtins, name) if hasattr(builtins, name) else import_and_walk([name])


def walk(value, names):
    for name in names:
        value = getattr(value, name)
    return value


def import_and_walk(names):
    if not all(names):
        raise ValueError('%r is no dotted name' % '.'.join(names))
    try:
        value = import_module(names[0])
    except ImportError as e:
        if is_about(e, names[0]) and hasattr(builtins, names[0]):
            value = getattr(builtins, names[0])
        else:
            raise
    for at, name in enumerate(names[1:], 1):
        try:
            value = getattr(value, name)
        except AttributeError:
            if not isinstance(value, type(sys)):
                raise
            submodule = '.'.join(names[:at + 1])
            try:
                value = import_module(submodule)
            except ImportError as e:
                if is_about(e, submodule):
                    raise AttributeError('module %r has no attribute %r, and no module of that name' % (value.__name__, name))
                raise
    return value


def import_module(name):
    __import__(name)
    return sys.modules[name]


def is_about(error, module):
    """Whether it is this very module that there is not, and none that it imports."""
    if PY2:
        return str(error).split()[-1:] == [module.rpartition('.')[2]]
    return getattr(error, 'name', None) == module or '__path__' in str(error) or str(error).endswith('is not a package')


operations.update(
    call=lambda call, path, args, kwargs: find(path)(*args, **kwargs),
    get=lambda call, path: find(path),
)
