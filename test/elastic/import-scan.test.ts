// What the scan of a module's text finds, beside what Python's own parser does.
import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { closureOf, namesOf } from '../../src/features/elastic/closure.js'
import { importsIn } from '../../src/features/elastic/import-scan.js'
import { anyInterpreter } from '../interpreters.js'

const imported = (source: string): string[] =>
  importsIn(source).flatMap((statement) => namesOf(statement, 'pkg.sub.mod', false))

describe('imports in a text', () => {
  it.each([
    ['import a', ['a']],
    ['import a.b as c, d', ['a.b', 'd']],
    ['from a import b as c, d', ['a', 'a.b', 'a.d']],
    ['from a import *', ['a']],
    ['from . import b', ['pkg.sub', 'pkg.sub.b']],
    ['from .b import c', ['pkg.sub.b', 'pkg.sub.b.c']],
    ['from ..b import c', ['pkg.b', 'pkg.b.c']],
    ['from.b import(c)', ['pkg.sub.b', 'pkg.sub.b.c']],
    ['from a import (\n  b,  # of (c\n  d,\n)', ['a', 'a.b', 'a.d']],
    ['from a import \\\n  b', ['a', 'a.b']],
    ['from a \\\r\n  import b', ['a', 'a.b']],
    ['import a; import b', ['a', 'b']],
    ['try: import a\nexcept ImportError: import b', ['a', 'b']],
    ['if x == {1: 2}[1]:\n\timport a\nelse:\n\tfrom b import c', ['a', 'b', 'b.c']],
    ['class A:\n    import a', ['a']],
    ['\uFEFFimport a', ['a']],
    ['import ünï', ['ünï']],
  ])('finds those of %j', (source, expected) => expect(imported(source)).toEqual(expected))

  it.each([
    ['def f():\n    import a\n\n    import b\nimport c', ['c']],
    ['async  def f(x="""\nimport a\n"""):\n  import a\nimport c', ['c']],
    ['def f(): import a', []],
    ['class A:\n    def f(self):\n        import a\n    import b', ['b']],
    ['if TYPE_CHECKING:\n    import a\nelse:\n    import b', ['b']],
    ['if typing.TYPE_CHECKING:\n    import a\nimport b', ['b']],
    ['"""\nimport a\n"""', []],
    ["x = 'import a'  # import b", []],
    ["r'\\'\nimport a", ['a']],
    ["x = '''it's \\''' import a'''\nimport b", ['b']],
    ['important = 1\nimport_from = 2', []],
    ['raise ValueError from error', []],
  ])('leaves out what does not run on import in %j', (source, expected) => expect(imported(source)).toEqual(expected))

  it('finds nothing outside of the package that it is in', () => {
    expect(imported('from .... import a')).toEqual([])
  })

  it('finds all that Python finds in its own standard library', () => {
    const script = `
import ast, glob, json, os, sys
found = []
for path in sorted(glob.glob(os.path.join(os.path.dirname(os.__file__), '*.py'))):
    source = open(path, 'rb').read().decode('utf-8', 'replace')
    names, todo = set(), [ast.parse(source)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import): names.update(a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module: names.add(node.module)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if not (isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.dump(node.test)): todo.extend(ast.iter_child_nodes(node))
    found.append([path, source, sorted(names)])
json.dump(found, sys.stdout)`
    const text = execFileSync(anyInterpreter().command, ['-c', script], { encoding: 'utf8', maxBuffer: 1 << 28 })
    const files = JSON.parse(text) as [path: string, source: string, names: string[]][]
    expect(files.length).toBeGreaterThan(100)
    const missed = files.flatMap(([path, source, names]) => {
      const ours = new Set(importsIn(source).flatMap((statement) => namesOf({ ...statement, dots: 0 }, 'x', false)))
      return names.filter((name) => !ours.has(name)).map((name) => `${path}: ${name}`)
    })
    expect(missed).toEqual([])
  })

  it('takes time in proportion to the text', () => {
    const line = '    x = f("a", [1, 2, {3: \'b\'}])  # import\n'
    // The same lines, in one text or in many; what others compute meanwhile is not counted.
    const time = (texts: number): number => {
      const text = `${line.repeat(80_000 / texts)}import a`
      const start = process.cpuUsage()
      for (let read = 0; read < texts; read++) expect(importsIn(text)).toHaveLength(1)
      return process.cpuUsage(start).user
    }
    const best = (texts: number): number => Math.min(...[1, 2, 3].map(() => time(texts)))
    best(16)
    expect(best(1)).toBeLessThan(best(16) * 4 + 10_000) // in the square of its length it would take 16 times as long; the system may count in ticks of 10 ms
  })
})

describe('a closure', () => {
  const modules: Record<string, string> = {
    a: '',
    'a.b': 'from . import c\nimport d',
    'a.c': 'import a.b',
    d: 'import d.e, zip',
  }
  const lookup = (name: string) => {
    const source = modules[name]
    return source === undefined ? undefined : { isPackage: name === 'a', imports: importsIn(source) }
  }

  it('has parents first and circles once, in the order of the imports', () => {
    expect(closureOf(['a.b', 'unknown'], lookup)).toEqual(['a', 'a.b', 'a.c', 'd'])
  })

  it('is not bounded by the stack', () => {
    const chain = (name: string) => ({ isPackage: false, imports: importsIn(`import m${Number(name.slice(1)) + 1}`) })
    expect(closureOf(['m0'], (name) => (Number(name.slice(1)) < 50_000 ? chain(name) : undefined))).toHaveLength(50_000)
  })
})
