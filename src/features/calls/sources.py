"""`_tendril.sources`: Python text that is run here: what `eval` and `execute` are given, and the templates of call sites.

What is evaluated becomes a function of the values that are bound for it: nested functions and comprehensions see them, threads do not
share them, and none of them becomes text. The names that it assigns are those of the namespace.
"""
from _tendril import PY2, count, deque, worker
from _tendril.encoded import encode
from _tendril.originals import own
from _tendril.session import operations
from _tendril.targets import namespace

_ast, __future__, re = own('_ast'), own('__future__'), own('re')
FUTURES = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
MAY_AWAIT, IS_COROUTINE = getattr(_ast, 'PyCF_ALLOW_TOP_LEVEL_AWAIT', 0), 0 if PY2 else 0x80  # from Python 3.8 on; inspect.CO_COROUTINE
MAX_EVALUATED = 256  # texts whose code is kept
MAX_NAMED = 1000     # those whose lines tracebacks show
MAX_KEPT = 1 << 21   # characters of either, unless it is one text that has more
UNNAMED = '<remote exec>'
evaluated = {}  # functions, by text and names
named = deque()  # names of texts that had none, and how long they are
sizes = {'named': 0, 'evaluated': 0}
numbers = count(1)


def parse(source, file):
    return compile(encode(source), file, 'exec', _ast.PyCF_ONLY_AST, True)


def function_of(tree, file, names):
    """A function of the values of `names`: does the statements, and gives the value of the last one, if it is an expression."""
    stored = set()
    survey(tree, stored, False)
    return bind(tree, file, names, stored) if names or AWAIT in stored else in_module(tree, file)


def in_module(tree, file):
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], _ast.Expr) else None
    statements = compile(tree, file, 'exec', 0, True)
    expression = None if last is None else compile(_ast.Expression(last.value), file, 'eval', statements.co_flags & FUTURES, True)

    def run():
        exec(statements, namespace)
        return None if expression is None else eval(expression, namespace)

    return run


def bind(tree, file, names, stored):
    skeleton = parse('%s template(%s): pass' % ('async def' if AWAIT in stored else 'def', ', '.join(names)), file)
    function = skeleton.body[0]
    body = without_annotations(tree).body or function.body
    if isinstance(body[-1], _ast.Expr):
        body[-1] = placed(_ast.Return(body[-1].value), body[-1])
    declared = sorted(stored.difference(names, [AWAIT]))
    if declared:
        body.insert(0, placed(_ast.Global(declared), body[0]))
    function.name, function.body = '<module>', body
    scope = {}
    exec(compile(skeleton, file, 'exec', 0, True), scope)
    made = scope['<module>']
    return type(made)(made.__code__, namespace, '<module>')


def without_annotations(node):
    """With plain assignments in place of annotated ones, which Python does not take for names that are global."""
    for name in ('body', 'orelse', 'finalbody', 'handlers', 'cases'):
        statements = getattr(node, name, None)
        if isinstance(statements, list) and type(node).__name__ not in FUNCTIONS:
            setattr(node, name, [plain(without_annotations(statement)) for statement in statements])
    return node


def plain(statement):
    if type(statement).__name__ != 'AnnAssign' or not isinstance(statement.target, _ast.Name):
        return statement
    if statement.value is None:
        return placed(_ast.Pass(), statement)
    made = placed(_ast.Assign([statement.target], statement.value), statement)
    made.type_comment = None
    return made


def placed(node, where):
    node.lineno, node.col_offset = where.lineno, where.col_offset
    if hasattr(where, 'end_lineno'):
        node.end_lineno, node.end_col_offset = where.end_lineno, where.end_col_offset
    return node


AWAIT = '<await>'  # among the names that are stored: that something is awaited
FUNCTIONS = frozenset(['FunctionDef', 'AsyncFunctionDef', 'ClassDef'])
COMPREHENSIONS = frozenset(['ListComp', 'SetComp', 'DictComp', 'GeneratorExp'])


def survey(node, stored, is_nested):
    """Adds to `stored` what assignments, definitions and imports bind in the scope of a node, not in those inside of it."""
    kind = type(node).__name__
    if kind == 'Name' and not is_nested and not isinstance(node.ctx, _ast.Load):
        stored.add(node.id)
    elif kind == 'NamedExpr':  # binds outside of the comprehension that it is in
        stored.add(node.target.id)
    elif kind == 'alias' and node.name != '*':
        stored.add((node.asname or node.name).partition('.')[0])
    elif kind in ('ExceptHandler', 'MatchAs', 'MatchStar') and isinstance(node.name, type('')):
        stored.add(node.name)
    elif kind == 'MatchMapping' and node.rest:
        stored.add(node.rest)
    elif kind in ('Await', 'AsyncFor', 'AsyncWith') or getattr(node, 'is_async', 0):
        stored.add(AWAIT)
    elif kind in FUNCTIONS:
        stored.add(node.name)
    if kind == 'Lambda' or kind in FUNCTIONS:
        return
    for child in children(node):
        survey(child, stored, is_nested or kind in COMPREHENSIONS)


def children(node):
    for name in node._fields or ():
        value = getattr(node, name, None)
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, _ast.AST):
                yield child


def names_in(node):
    found = {node.id} if isinstance(node, _ast.Name) else set()
    return found.union(*map(names_in, children(node)))


def name_of(kind, source):
    """The name of a text that has none, for tracebacks: each has its own. Of those that were named long ago the lines are forgotten."""
    file = '<%s %d>' % (kind, next(numbers))
    named.append((file, len(source)))
    sizes['named'] += len(source)
    try:
        while len(named) > MAX_NAMED or sizes['named'] > MAX_KEPT and len(named) > 1:
            old, size = named.popleft()
            sizes['named'] -= size
            worker.texts.pop(old, None)
    except IndexError:  # another thread was faster
        pass
    return file


def remember(file, source):
    """Keeps text for tracebacks; that of another place in the same file stays."""
    known, lines = worker.texts.get(file, u'').split('\n'), source.split('\n')
    known += [u''] * (len(lines) - len(known))
    for at, line in enumerate(lines):
        known[at] = line or known[at]
    worker.texts[file] = '\n'.join(known)


def check_names(names):
    for name in names:
        if not re.match(r'[^\W\d]\w*\Z', name, re.UNICODE):
            raise ValueError('%r cannot be bound: it is no Python name' % name)


def evaluate(call, source, names):
    key = source, tuple(sorted(names))
    run = evaluated.get(key)
    if run is None:
        check_names(names)
        file = name_of('eval', source)
        remember(file, source)
        run = function_of(parse(source, file), file, key[1])
        if len(evaluated) >= MAX_EVALUATED or sizes['evaluated'] + len(source) > MAX_KEPT:
            evaluated.clear()
            sizes['evaluated'] = 0
        sizes['evaluated'] += len(source)
        evaluated[key] = run
    return run(*[names[name] for name in key[1]])


def run_template(call, number, values):
    pushed = worker.sources['_tendril.templates.%d' % number]
    if 'run' not in pushed:
        pushed['run'] = template(pushed, len(values))
    return pushed['run'](*values)


def template(pushed, values):
    """The function of a call site. Its values are the names _value_0, _value_1 and so on, and each must be used as one."""
    source, file = pushed['source'], pushed['file']
    remember(file, source)
    names, tree = ['_value_%d' % at for at in range(values)], parse(source, file)
    misplaced = sorted(set(names).difference(names_in(tree)))
    if misplaced:
        raise ValueError('value %s of the template stands in a string, in a comment or beside a name: values are variables, not text. '
                         'In a string write f"{${...}}", or join them with +' % misplaced[0].rpartition('_')[2])
    return function_of(tree, file, names)


def execute(call, source, file, names=None):
    file = name_of('execute', source) if file == UNNAMED else file
    if names:
        check_names(names)
        tree, order = worker.compile(source, file, _ast.PyCF_ONLY_AST), sorted(names)
        if tree.body:
            tree.body.append(placed(_ast.Pass(), tree.body[-1]))  # a last expression is not what it comes to
        return function_of(tree, file, order)(*[names[name] for name in order])
    code = worker.compile(source, file, MAY_AWAIT)
    if code.co_flags & IS_COROUTINE:
        return eval(code, namespace)  # to be awaited as any other
    exec(code, namespace)


operations.update(eval=evaluate, execute=execute, template=run_template)
