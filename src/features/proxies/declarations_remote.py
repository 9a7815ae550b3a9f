"""What TypeScript is told of a module: an interface of its functions, classes and constants (twin: declarations.ts beside it).

Runs as a task of its own, on Python 3.6 and later. What a signature or an annotation does not say is `unknown`.
"""
from _tendril import sys
from _tendril.originals import common, imported, own

inspect, json, platform, re = common('inspect'), own('json'), own('platform'), own('re')
if sys.version_info < (3, 6):
    raise RuntimeError('annotations are read by Python 3.6 and later, and this is %s' % platform.python_version())
typing = common('typing')

PLAIN = {
    type(None): 'null', str: 'string', bool: 'boolean', int: 'number | bigint', float: 'number', bytes: 'Uint8Array',
    bytearray: 'Uint8Array', memoryview: 'Uint8Array', object: 'unknown', typing.Any: 'unknown', list: 'unknown[]', tuple: 'unknown[]',
    dict: 'Record<string, unknown>', set: 'Set<unknown>', frozenset: 'Set<unknown>',
}
OURS = {  # values that arrive as objects of tendril's
    'builtins.complex': 'Complex', 'datetime.date': 'PlainDate', 'datetime.time': 'PlainTime', 'datetime.timedelta': 'TimeDelta',
    'decimal.Decimal': 'Decimal', 'fractions.Fraction': 'Fraction', 'uuid.UUID': 'UUID', 'pathlib.Path': 'PythonPath',
    'pathlib.PurePath': 'PythonPath', 'pathlib.PosixPath': 'PythonPath',
}
LISTS = ('list', 'Sequence', 'MutableSequence', 'Collection', 'Iterable', 'Container', 'deque', 'KeysView', 'ValuesView')
MAPS = ('dict', 'Mapping', 'MutableMapping', 'OrderedDict', 'defaultdict', 'ChainMap')
SETS = ('set', 'frozenset', 'Set', 'AbstractSet', 'MutableSet')
STREAMS = ('Iterator', 'Generator', 'AsyncIterator', 'AsyncGenerator', 'AsyncIterable')
TAKEN = {'Array', 'Date', 'Kwargs', 'Map', 'Modules', 'Promise', 'Record', 'Set', 'Uint8Array', 'AsyncIterable'} | set(OURS.values())


class Writer(object):
    def __init__(self, module, path):
        self.module, self.path, self.used, self.lines = module, path, set(), []
        self.classes = {}  # of this module: the name of the interface of their instances
        for name, value in self.members(module):
            if inspect.isclass(value) and value not in self.classes and value not in PLAIN:
                self.classes[value] = name + '_' if name in TAKEN or not name.isidentifier() else name

    def members(self, module):
        names = getattr(module, '__all__', None) or [
            name for name, value in vars(module).items()
            if not name.startswith('_') and not inspect.ismodule(value) and self.is_own(value)]
        return [(name, getattr(module, name)) for name in sorted(set(names)) if hasattr(module, name)]

    def is_own(self, value):
        return not callable(value) or getattr(value, '__module__', None) == self.module.__name__

    def write(self):
        name = self.module_name()
        body = self.members_of_module()
        for kind, interface in self.classes.items():
            self.write_class(kind, interface)
        self.write_interface(name, self.module.__doc__, body)
        path = self.path.split('.')
        self.lines.append('/** For `gateway.modules as Remote<Modules>`. */\nexport interface Modules {\n  readonly %s%s%s\n}\n' % (
            ': { readonly '.join(key(part) for part in path), ': ' + name, ' }' * (len(path) - 1)))
        imports = ', '.join(sorted(self.used))
        head = '// What tendril types found in %s of %s %s.\n' % (
            self.path, platform.python_implementation(), platform.python_version())
        return head + ("import type { %s } from 'tendril'\n\n" % imports if imports else '\n') + '\n'.join(self.lines)

    def module_name(self):
        return ''.join(part[:1].upper() + part[1:] for part in re.split(r'[._]+', self.path)) + 'Module'

    def members_of_module(self):
        hints = hints_of(self.module)
        body = []
        for name, value in self.members(self.module):
            if inspect.isclass(value):
                shown = self.classes.get(value)
                body.append((name, value.__doc__, ['readonly %s: %s' % (key(name), shown + 'Class' if shown else 'unknown')]))
            elif callable(value):
                body.append((name, value.__doc__, [key(name) + signature for signature in self.signatures(value)]))
            else:
                body.append((name, None, ['readonly %s: %s' % (key(name), self.constant(hints, name, value))]))
        return body

    def constant(self, hints, name, value):
        if name in hints:
            return self.type(hints[name])
        return self.type(type(value)) if type(value) in PLAIN or type(value) in self.classes else 'unknown'

    # Classes: what can be called to make one, and what one has.

    def write_class(self, kind, interface):
        hints = hints_of(kind)
        own, shared = [], []
        names = [name for ancestor in kind.__mro__ if ancestor is not object for name in vars(ancestor)] + list(hints)
        for name in sorted(set(name for name in names if not name.startswith('_'))):
            value = inspect.getattr_static(kind, name, None)
            if isinstance(value, (staticmethod, classmethod)):
                bound = getattr(kind, name)
                member = name, bound.__doc__, [key(name) + signature for signature in self.signatures(bound)]
                own.append(member)
                shared.append(member)
            elif isinstance(value, property):
                given = hints_of(value.fget).get('return') if value.fget else None
                own.append((name, value.__doc__, ['readonly %s: %s' % (key(name), self.type(given) if given else 'unknown')]))
            elif callable(value):
                own.append((name, value.__doc__, [key(name) + signature for signature in self.signatures(value, True)]))
            else:
                shown = 'readonly %s: %s' % (key(name), self.constant(hints, name, value))
                own.append((name, None, [shown]))
                if name in vars(kind) and not inspect.isdatadescriptor(value):
                    shared.append((name, None, [shown]))
        made = [signature.rsplit(': ', 1)[0] + ': ' + interface for signature in self.signatures(kind, False, True)]
        self.write_interface(interface, kind.__doc__, own)
        self.write_interface(interface + 'Class', 'The class `%s`: calling it makes one.' % kind.__name__, [('', None, made)] + shared)

    def write_interface(self, name, doc, members):
        self.lines.append('%sexport interface %s {' % (comment(doc, ''), name))
        for _, member_doc, shown in members:
            self.lines.append(comment(member_doc, '  ') + '\n'.join('  ' + line for line in shown))
        self.lines.append('}\n')

    # Functions.

    def signatures(self, function, is_method=False, is_class=False):
        overloads = getattr(typing, 'get_overloads', lambda _: [])
        try:
            known = list(overloads(function)) or [function]
        except Exception:
            known = [function]
        return [self.signature(each, is_method, is_class) for each in known]

    def signature(self, function, is_method, is_class):
        hints = hints_of(function.__init__ if is_class else function)
        result = self.result(function, hints)
        try:
            parameters = list(inspect.signature(function).parameters.values())[1 if is_method else 0:]
        except (TypeError, ValueError):  # written in C, without a signature
            return '(...args: unknown[]): %s' % result
        return '(%s): %s' % (self.arguments(parameters, hints), result)

    def result(self, function, hints):
        result = self.type(hints['return']) if 'return' in hints else 'unknown'
        if result == 'unknown' and (inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)):
            return 'AsyncIterable<unknown>'
        return result

    def arguments(self, parameters, hints):
        """Arguments by position, then perhaps those by name; what has a default may come either way."""
        needed, optional, named, rest = [], [], [], None
        for each in parameters:
            shown = self.type(hints[each.name]) if each.name in hints else 'unknown'
            has_default = each.default is not each.empty
            if each.kind == each.VAR_POSITIONAL:
                rest = shown
            elif each.kind == each.VAR_KEYWORD:
                named.append('[name: string]: unknown')
            elif each.kind == each.KEYWORD_ONLY:
                named.append('%s%s: %s' % (key(each.name), '?' if has_default else '', shown))
            else:
                label = each.name + '_' if each.name in RESERVED else each.name
                (optional if has_default else needed).append('%s%s: %s' % (label, '?' if has_default else '', shown))
                if has_default and each.kind != each.POSITIONAL_ONLY:
                    named.append('%s?: %s' % (key(each.name), shown))
        if not named and rest is None:
            return ', '.join(needed + optional)
        if '[name: string]: unknown' in named:
            named = ['[name: string]: unknown']
        self.used.add('Kwargs')
        mark = '?' if all('?: ' in name or name.startswith('[') for name in named) else ''
        kwargs = 'kwargs%s: Kwargs<{ %s }>' % (mark, '; '.join(named)) if named else ''
        if rest is not None:
            others = '(%s | Kwargs<%s>)[]' % (rest, '{ %s }' % '; '.join(named) if named else 'object')
            return '...args: [%s]' % ', '.join(needed + optional + ['...args: ' + others])
        if not optional:
            return ', '.join(needed + [kwargs])
        forms = [needed + [kwargs]]
        forms.append(needed + (optional + [kwargs] if mark else [name.replace('?: ', ': ', 1) for name in optional] + [kwargs]))
        return '...args: ' + ' | '.join('[%s]' % ', '.join(form) for form in forms)

    # Types.

    def type(self, given):
        if given is None:
            return 'null'
        if given is Ellipsis or isinstance(given, str):
            return 'unknown'
        if isinstance(given, typing.TypeVar):
            return self.type(given.__bound__) if given.__bound__ else 'unknown'
        origin, args = getattr(given, '__origin__', None), getattr(given, '__args__', None) or ()
        name = getattr(origin, '__name__', None) or getattr(origin, '_name', None) or str(origin or '').replace('typing.', '')
        if type(given).__name__ in ('UnionType', 'Union', '_Union'):
            name = 'Union'
        if not name or name == 'None':
            return self.plain(given)
        shown = self.generic(name, args)
        return self.plain(origin) if shown is None else shown

    def plain(self, given):
        try:
            if given in self.classes:
                return self.classes[given]
            if given in PLAIN:
                return PLAIN[given]
        except TypeError:  # it cannot be hashed
            return 'unknown'
        named = '%s.%s' % (getattr(given, '__module__', ''), getattr(given, '__qualname__', ''))
        if named in OURS:
            self.used.add(OURS[named])
            return OURS[named]
        if named == 'datetime.datetime':
            self.used.add('NaiveDateTime')
            return 'Date | NaiveDateTime'
        return 'unknown'

    def generic(self, name, args):
        args = [arg for arg in args if not isinstance(arg, typing.TypeVar)] if name != 'Callable' else args
        first = self.type(args[0]) if args and name not in ('Literal', 'Callable') else 'unknown'
        if name in ('Union', 'Optional'):
            return ' | '.join(dict.fromkeys(self.type(arg) for arg in args))
        if name in ('Literal',):
            return ' | '.join(literal(arg) for arg in args)
        if name in ('Annotated', 'Final', 'ClassVar', 'Awaitable', 'Required', 'NotRequired'):
            return first
        if name == 'Coroutine':
            return self.type(args[2]) if len(args) > 2 else 'unknown'
        if name == 'Callable':
            given = args[:-1] if args and args[0] is not Ellipsis else []
            shown = ', '.join('a%d: %s' % (i, self.type(arg)) for i, arg in enumerate(given)) if given else '...args: unknown[]'
            return '((%s) => %s)' % (shown, self.type(args[-1]) if args else 'unknown')
        if name in ('tuple', 'Tuple'):
            if len(args) == 2 and args[1] is Ellipsis:
                return array(first)
            return '[%s]' % ', '.join(self.type(arg) for arg in args) if args else 'unknown[]'
        if name in LISTS or name == 'List':
            return array(first)
        if name in MAPS or name == 'Dict':
            value = self.type(args[1]) if len(args) > 1 else 'unknown'
            return 'Record<string, %s>' % value if first in ('string', 'unknown') else 'Map<%s, %s>' % (first, value)
        if name in SETS or name == 'FrozenSet':
            return 'Set<%s>' % first
        return 'AsyncIterable<%s>' % first if name in STREAMS else None


def array(shown):
    return '(%s)[]' % shown if re.search(r'[ |]', shown) else shown + '[]'


def literal(value):
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, (int, type(None))):
        return 'null' if value is None else int.__repr__(value)
    return json.dumps(value) if isinstance(value, str) else 'unknown'


def key(name):
    return name if re.match(r'[A-Za-z_]\w*\Z', name) and name.isidentifier() else json.dumps(name)


RESERVED = set('''break case catch class const continue debugger default delete do else enum export extends false finally for function if import
in instanceof new null return super switch this throw true try typeof var void while with'''.split())


def comment(doc, indent):
    line = ''.join(each if each.isprintable() else ' ' for each in (doc or '').strip().split('\n')[0]).strip().replace('*/', '* /')
    return '%s/** %s */\n' % (indent, line) if line else ''


def hints_of(value):
    try:
        return typing.get_type_hints(value)
    except Exception:  # a name that is not there, a thing that has none
        return {name: hint for name, hint in getattr(value, '__annotations__', {}).items() if not isinstance(hint, str)}


def write(channel, path):
    channel.send(Writer(imported(path), path).write())
