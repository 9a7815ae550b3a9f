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

/** What the compiler says, as in a strict project. */
function errorsIn(files: readonly string[]): string[] {
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
  return ts
    .getPreEmitDiagnostics(program)
    .filter(({ file }) => files.includes(file?.fileName ?? '')) // the package's own types are checked elsewhere
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))
}

describe.each(pythons3)('$name', ({ name, command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
    gateway.provide({ roots })
  })

  it('compile', { timeout: 60_000 }, async () => {
    const files = await Promise.all(
      modules.map(async (module) => {
        const file = join(folder, `${module}-${name.replaceAll(' ', '-')}.d.ts`)
        writeFileSync(file, await declarationsOf(gateway, module))
        return file
      }),
    )
    expect(errorsIn(files)).toEqual([])
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

  it('are what TypeScript holds calls to', { timeout: 60_000 }, async () => {
    const use = (expression: string): string => {
      const file = join(folder, `use-${expression.length}-${name.replaceAll(' ', '-')}.ts`)
      writeFileSync(
        file,
        `import { type Gateway, kwargs, type Remote } from 'tendril'
import type { Modules } from './annotated-${name.replaceAll(' ', '-')}.js'
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
    expect(errorsIn([use('')])).toEqual([])
    expect(errorsIn([use('void annotated.greet(5)')])[0]).toMatch(/number/)
    expect(errorsIn([use('void annotated.nosuch')])[0]).toMatch(/'nosuch' does not exist/)
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
