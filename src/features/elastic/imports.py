"""`_tendril.imports`: what else to ask for when a module is missing: all that the code which imports it imports, by a scan of its source.

The controller answers with modules and what those import at module level, found by a scan of its own; this is what makes up for
what it leaves out: imports in functions, and those of the task itself.
"""
from _tendril import sys, worker
from _tendril.encoded import encode
from _tendril.linecaches import task_at
from _tendril.originals import own
from _tendril.shelf import native, shelf

PyCF_ONLY_AST = own('_ast').PyCF_ONLY_AST
MACHINERY = ('importlib', '_frozen_importlib', '_tendril', 'pkgutil', 'runpy')


def wanted(name, frame):
    """The names to ask for: `name`, all of the dotted name that it is a part of, and what the importing source imports besides."""
    names = set([name])
    while frame is not None and str(frame.f_globals.get('__name__', '')).startswith(MACHINERY):
        importing = frame.f_locals.get('name')
        if isinstance(importing, str) and importing.startswith(name + '.'):
            names.add(importing)
        frame = frame.f_back
    if frame is not None:
        try:
            names.update(filter(is_missing, imports_of(frame)))
        except (SyntaxError, ValueError, TypeError, RuntimeError):  # deep nesting, or no source of this Python's
            pass
    return names


def is_missing(name):
    """Of what is provided, as far as that is known here."""
    top = name.partition('.')[0]
    if top not in shelf.tops or name in shelf.sources or name in shelf.coming or name in sys.modules:
        return False
    return top not in shelf.indexed or shelf.kinds.get(name) in (0, 1)


def imports_of(frame):
    """Absolute names of all that the source of a frame imports, at any depth."""
    file, name = frame.f_code.co_filename, frame.f_globals.get('__name__')
    task = task_at(frame)
    if file in worker.texts:
        text, package = task['source'] if task and task['file'] == file else worker.texts[file], ''
        source = text if isinstance(text, bytes) else encode(text)
    elif name in shelf.sources:
        source, package = shelf.sources[name], frame.f_globals.get('__package__') or name.rpartition('.')[0]
    else:
        return set()
    return names_in(compile(source, file, 'exec', PyCF_ONLY_AST, True), package)


def names_in(tree, package):
    names, todo = set(), [tree]
    while todo:
        node = todo.pop()
        kind = type(node).__name__
        if kind == 'Import':
            names.update(native(alias.name) for alias in node.names)
        elif kind == 'ImportFrom':
            base = absolute(node, package)
            names.add(base)
            names.update(base + '.' + native(alias.name) for alias in node.names if alias.name != '*')
        elif not (kind == 'If' and 'TYPE_CHECKING' in (getattr(node.test, 'id', ''), getattr(node.test, 'attr', ''))):
            todo.extend(statements_of(node))
        else:
            todo.extend(node.orelse)
    return names


def statements_of(node):
    for field in ('body', 'orelse', 'finalbody', 'handlers', 'cases'):
        inner = getattr(node, field, ())
        if isinstance(inner, list):
            for statement in inner:
                yield statement


def absolute(node, package):
    if not node.level:
        return native(node.module)
    base = package.rsplit('.', node.level - 1)[0] if node.level > 1 else package
    return base + '.' + native(node.module) if node.module else base
