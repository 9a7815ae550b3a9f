// Types of modules: what Python says of itself, in TypeScript that compiles.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { declarationsOf, type Gateway, Group } from '../../src/index.js'
import { pythons, pythons3 } from '../calls/pythons.js'
import { root } from '../code-blocks.js'

const group = new Group()
const folder = mkdtempSync(join(tmpdir(), 'tendril-types-'))
mkdirSync(join(folder, 'node_modules'))
symlinkSync(root, join(folder, 'node_modules', 'tendril'), 'junction')
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
afterAll(async () => {
  await group.terminate()
  rmSync(folder, { recursive: true })
})

const roots = [fileURLToPath(new URL('../fixtures/pylib', import.meta.url))]
const modules = ['json', 'os.path', 'datetime', 'statistics', 'annotated']

/** What the compiler says of each file, as in a strict project: one run for all of them, as most of its time goes into libraries. */
function errorsIn(files: readonly string[]): Map<string, string[]> {
  const program = ts.createProgram([...files], {
    strict: true,
    noEmit: true,
    preserveSymlinks: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    typeRoots: [join(root, 'node_modules', '@types')],
  })
  const errors = new Map(files.map((file) => [file, [] as string[]]))
  // The package's own types are checked elsewhere.
  for (const { file, messageText } of ts.getPreEmitDiagnostics(program))
    errors.get(file?.fileName ?? '')?.push(ts.flattenDiagnosticMessageText(messageText, ' '))
  return errors
}

/** A program that uses the declarations of a Python's, rightly but for its last line. */
function use(python: string, expression: string): string {
  const file = join(folder, `use-${expression.length}-${python}.ts`)
  writeFileSync(
    file,
    `import { type Gateway, kwargs, type Remote } from 'tendril'
import type { Modules } from './annotated-${python}.js'
declare const gateway: Gateway
const { annotated } = gateway.modules as Remote<Modules>
export const text: string = await annotated.greet('you', kwargs({ loud: true }))
export const x: number = await annotated.Point(1).moved(2, kwargs({ times: 2 })).x
export const found = await annotated.find([annotated.Point(1)])
${expression}
`,
  )
  return file
}

it('compile with every Python, and are what TypeScript holds calls to', async () => {
  const wrong = [
    ['void annotated.greet(5)', /number/],
    ['void annotated.nosuch', /'nosuch' does not exist/],
  ] as const
  const [right, failing] = [[] as string[], new Map<string, RegExp>()]
  for (const { name, command } of pythons3) {
    const gateway = await group.makeGateway(`popen//python=${command}`)
    gateway.provide({ roots })
    const python = name.replaceAll(' ', '-')
    for (const module of modules) {
      const file = join(folder, `${module}-${python}.d.ts`)
      writeFileSync(file, await declarationsOf(gateway, module))
      right.push(file)
    }
    right.push(use(python, ''))
    for (const [expression, says] of wrong) failing.set(use(python, expression), says)
  }
  const errors = errorsIn([...right, ...failing.keys()])
  expect(right.flatMap((file) => errors.get(file) ?? [])).toEqual([])
  for (const [file, says] of failing) expect(errors.get(file)).toEqual([expect.stringMatching(says)])
})

describe.each(pythons3)('$name', ({ command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
    gateway.provide({ roots })
  })

  it('say what annotations say', async () => {
    const text = await declarationsOf(gateway, 'annotated')
    const kwargs = 'kwargs?: Kwargs<{ punctuation?: string; loud?: boolean }>'
    for (const line of [
      "import type { Kwargs, NaiveDateTime } from 'tendril'",
      'readonly VERSION: string',
      'readonly LIMITS: Record<string, number | bigint>',
      `greet(...args: [name: string, ${kwargs}] | [name: string, punctuation?: string, ${kwargs}]): string`,
      'find(...args: [points: Point[], kwargs?: Kwargs<{ near?: Point | null }>] | [points: Point[], near?: Point | null, kwargs?: Kwargs<{ near?: Point | null }>]): Point | null',
      'spread(...args: [...args: (number | bigint | string | Kwargs<{ [name: string]: unknown }>)[]]): [number | bigint, string]',
      'apply(function_: ((a0: number | bigint) => string), to: Record<string, (number | bigint)[]>',
      'count(): AsyncIterable<number | bigint>',
      'fetch(url: Uint8Array',
      '): Date | NaiveDateTime',
      'untold(...args: [anything: unknown,',
      'moved(by: number, kwargs?: Kwargs<{ times?: number | bigint }>): Point',
      'readonly name: string',
      'parse(text: string): Point',
      'readonly Point: PointClass',
      '  /** Greets. */',
    ])
      expect(text).toContain(line)
  })
})

it('need a Python that has annotations, and a module that is there', async () => {
  const python2 = pythons.find(({ name }) => name === 'CPython 2.7')
  const gateway = await group.makeGateway(`popen//python=${(python2 ?? pythons[0])?.command}`)
  if (python2 !== undefined)
    await expect(declarationsOf(gateway, 'json')).rejects.toThrow(
      /annotations are read by Python 3.6 and later, and this is 2.7/,
    )
  const other = await group.makeGateway(`popen//python=${pythons3[0]?.command}`)
  await expect(declarationsOf(other, 'nosuch.module')).rejects.toThrow(/No module named 'nosuch'/)
})

it('the types of a module whose names and values hold quotes, backslashes and ends of lines are types all the same', async () => {
  const names = [
    "a': 1 } evil()//",
    'a"b',
    'a\\',
    "a\\'; evil()//",
    'a\nevil()\n',
    'a\u2028evil()//',
    'a`$\x7bevil()}`',
    '*/evil()/*',
  ]
  const source = `
import sys, types, typing
module = types.ModuleType('odd', '*/ evil() /*\\r evil()')
for name in names:
    setattr(module, name, 1)
    module.__annotations__[name] = typing.Literal[name]
module.__all__ = names
sys.modules['odd'] = module
`
  const gateway = await group.makeGateway(`popen//python=${pythons3.at(-1)?.command}`)
  await gateway.remoteExec(source.replace('for name', 'module.__annotations__ = {}\nfor name'), { names }).waitClose()
  const text = await declarationsOf(gateway, 'odd')
  const { outputText, diagnostics } = ts.transpileModule(text, { reportDiagnostics: true })
  expect(diagnostics).toEqual([])
  expect(outputText.replace(/\/\/.*|\/\*.*?\*\//g, '').trim()).toBe('export {};')
  for (const name of names) expect(text).toContain(`${JSON.stringify(name).replace('\u2028', '\\u2028')}: `)
})
