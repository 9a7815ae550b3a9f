"""`_tendril.pure`: the code of a task that comes from a file (twin: source.ts).

Of a file of which one function is wanted, that function alone is run where it uses no other name of the file, as execnet's pure functions
do: the modules that the rest of the file needs may be missing here. Else the whole file is run.
"""
from _tendril import PY2, struct, sys, worker
from _tendril.originals import own

_ast, dis = own('_ast'), own('dis')
BUILTINS = sys.modules['__builtin__' if PY2 else 'builtins'].__dict__
FUNCTIONS = frozenset(['FunctionDef', 'AsyncFunctionDef'])
STORE = frozenset(['STORE_NAME', 'STORE_GLOBAL', 'DELETE_NAME'])
USE = frozenset(['LOAD_NAME', 'LOAD_GLOBAL', 'STORE_GLOBAL', 'DELETE_GLOBAL', 'LOAD_FROM_DICT_OR_GLOBALS'])
SETS_GLOBAL = struct.pack('B', dis.opmap['STORE_GLOBAL'])


def run(task, scope):
    """Defines in `scope` what the file does, or only its function."""
    source, file, function = task['source'], task['file'], task['function']
    code = worker.compile(source, file)
    scope['__file__'] = code.co_filename
    if function is None:
        exec(code, scope)
        return
    alone = worker.compile(source, file, _ast.PyCF_ONLY_AST)
    alone.body[:] = [node for node in alone.body if is_future(node) or type(node).__name__ in FUNCTIONS and node.name == function]
    reason = reason_against(code, alone, function)
    if reason is None:
        code = compile(alone, file, 'exec', 0, True)
    try:
        exec(code, scope)
    except ImportError as e:
        line = line_in(code, sys.exc_info()[2])
        if reason and line:
            explain(e, '%s (line %d of %s, all of which is run, as %s; of a file only the function is run that uses no name of it but builtins)' % (
                e, line, file, reason))
        raise


def is_future(node):
    return type(node).__name__ == 'ImportFrom' and node.module == '__future__'


def reason_against(code, alone, function):
    """Why the function cannot be run alone, if so."""
    stored = [name for operation, name in names_in(code) if operation in STORE] + set_within(code)
    body, futures = alone.body[:], [node for node in alone.body if is_future(node)]
    if stored.count(function) != 1 or len(body) != len(futures) + 1:
        return '"%s" is not defined once, at its top level' % function
    alone.body[:] = body[len(futures):]  # or its annotations would be text
    used = used_by(compile(alone, code.co_filename, 'exec', 0, True), stored)
    alone.body[:] = body
    hides_any = ('*',) in code.co_consts  # of a module of which all is imported, which may have names of builtins
    used = sorted(name for name in used if name != function and (hides_any or name in stored or name not in BUILTINS))
    return '%s uses %s' % (function, ', '.join(used)) if used else None


def set_within(code):
    """The names that functions and classes of the file set for all of it, by `global`."""
    found = []
    for inner in code.co_consts:
        if type(inner) is type(code):
            if SETS_GLOBAL in inner.co_code:
                found += [name for operation, name in names_in(inner) if operation == 'STORE_GLOBAL']
            found += set_within(inner)
    return found


def used_by(code, stored):
    """The names that it expects in the scope of its file, with all code within it. A class may take a name from there and then set it for itself."""
    used, bound = set(), set()
    for operation, name in names_in(code):
        if operation in USE:
            used.add(name)
        elif operation in STORE:  # in a class
            bound.add(name)
    return (used - bound.difference(stored)).union(*[used_by(inner, stored) for inner in code.co_consts if type(inner) is type(code)])


def names_in(code):
    """Each operation with its operand; a name, where it is about one."""
    if not PY2:
        return [(each.opname, each.argval) for each in dis.get_instructions(code)]
    found, operations, at, extended = [], bytearray(code.co_code), 0, 0
    while at < len(operations):
        operation, at = operations[at], at + 1
        if operation >= dis.HAVE_ARGUMENT:
            operand, at = operations[at] | operations[at + 1] << 8 | extended, at + 2
            extended = operand << 16 if operation == dis.EXTENDED_ARG else 0
            if operation in dis.hasname:
                found.append((dis.opname[operation], code.co_names[operand]))
    return found


def line_in(code, tb):
    """Where its top level was."""
    while tb is not None:
        if tb.tb_frame.f_code is code:
            return tb.tb_lineno
        tb = tb.tb_next


def explain(error, text):
    error.args = (text,) + error.args[1:]
    if not PY2:
        error.msg = text
