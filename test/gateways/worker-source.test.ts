// Sources travel without comments and docstrings, and with short indents; nothing else of them changes, and no line moves.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compact, readWorkerSource } from '../../src/gateways/worker-source.js'
import { anyInterpreter } from '../interpreters.js'

const root = new URL('../../', import.meta.url)
const files = [
  'bootstrap.py',
  ...readdirSync(new URL('src', root), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.py'))
    .map((path) => `src/${path}`),
]

// Whether two programs are the same but for docstrings, with everything on the same line.
const COMPARE = `
import ast, json, sys
def shape(text):
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if ast.get_docstring(node, False) is not None if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) else None:
            node.body[:1] = [] if len(node.body) > 1 else [ast.Pass(lineno=node.body[0].lineno, col_offset=0)]
    return [(type(node).__name__, getattr(node, 'lineno', 0)) for node in ast.walk(tree)], ast.dump(tree)
for name, before, after in json.load(sys.stdin):
    if shape(before) != shape(after):
        print(name)
`

describe('the sources of the worker, as they are sent', () => {
  it('are the same programs, line by line', () => {
    const pairs = files.map((path) => {
      const url = new URL(path, root)
      return [path, readFileSync(url, 'utf8'), readWorkerSource(url)]
    })
    const { stdout, stderr } = spawnSync(anyInterpreter().command, ['-c', COMPARE], { input: JSON.stringify(pairs) })
    expect({ different: String(stdout), stderr: String(stderr) }).toEqual({ different: '', stderr: '' })
  })

  it('have no comments and no docstrings', () => {
    const sent = (path: string): string => readWorkerSource(new URL(path, root))
    expect(files.filter((path) => /# |The worker: what|^ *""".*"""$/m.test(sent(path)))).toEqual([])
  })

  it('have a space for each level of indentation', () => {
    const indents = files.map((path) => [
      path,
      ...readWorkerSource(new URL(path, root)).matchAll(/^ +(?=class|def|return)/gm),
    ])
    expect(indents.filter(([, ...found]) => found.some(([spaces = '']) => spaces.length > 8))).toEqual([])
  })

  it('are text without a NUL, which stands between them', () => {
    expect(files.filter((path) => readWorkerSource(new URL(path, root)).includes('\0'))).toEqual([])
  })

  it.each([
    ['x = "#" # y', 'x = "#"'],
    ["x = '\\'#' # it's", "x = '\\'#'"],
    ['# "quoted\nx = 1', '\nx = 1'],
    ['def f():\n    """One.\n\n    Two # three.\n    """\n    return 1', 'def f():\n\n\n\n\n return 1'],
    ['x = f("""# no\n# comment""")', 'x = f("""# no\n# comment""")'],
    ['class A(B):\n    """Nothing else."""\n\n\nx = 1', 'class A(B):\n ""\n\n\nx = 1'],
    ['def f(a,\n      b):\n    if a:\n        return b', 'def f(a,\n b):\n if a:\n  return b'],
    ['x = """a\n    b"""', 'x = """a\n    b"""'],
    ['"""Ends with a quote: \\""""\nx = 1', '\nx = 1'],
  ])('%j becomes %j', (before, after) => {
    expect(compact(before)).toBe(after)
  })
})
