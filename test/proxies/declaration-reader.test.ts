// What a worker calls declarations, read as text: nothing but types comes through.
import { describe, expect, it } from 'vitest'
import { checkDeclarations } from '../../src/features/proxies/declaration-reader.js'
import { ProtocolError } from '../../src/index.js'

const honest = `// What tendril types found in x of CPython 3.12.0.
import type { Kwargs, PlainDate } from 'tendril'

/** A comment with evil() in it. */
export interface XModule {
  readonly "a\\"; evil(); \\"b": 'x' | "y" | -3 | null
  f(a: string, b?: (Map<string, unknown>)[], ...args: unknown[]): AsyncIterable<unknown>
  (...args: [x: string, kwargs?: Kwargs<{ a?: number; [name: string]: unknown }>]): XModule
  readonly g: ((a0: string) => unknown)[]
}

/** For them. */
export interface Modules {
  readonly x: { readonly y: XModule }
}
`

const hostile: readonly [string, string][] = [
  ['a statement', `${honest}evil()\n`],
  ['a block behind a type', 'export interface X {\n  a: b { evil() }\n}\n'],
  ['a block among members', 'export interface X {\n  { evil() }\n}\n'],
  ['an expression behind a type', 'export interface X {\n  a: b\n  -evil()\n}\n'],
  ['another import', "import type { A } from './evil.js'\n"],
  ['an import that is run', "import { A } from 'tendril'\n"],
  ['a template', 'export interface X {\n  a: `$\x7bevil()}`\n}\n'],
  ['a string that goes on', 'export interface X {\n  a: "x\\\n"\n}\nevil()\n'],
  ['a string without an end', 'export interface X {\n  readonly "a: b\n}\n'],
  ['a comment that a carriage return ends', '// x\revil()\n'],
  ['a comment that U+2028 ends', '// x\u2028evil()\n'],
  ['braces that do not match', 'export interface X {\n}\n}\n'],
  ['no end', 'export interface X {\n'],
  ['a computed name', 'export interface X {\n  [evil()]: string\n}\n'],
  ['types without end', `export interface X {\n  a: ${'('.repeat(100_000)}`],
  ['a million quotes', '"\\'.repeat(1_000_000)],
  ['a million comments', 'x /*'.repeat(1_000_000)],
]

describe('declarations of a worker', () => {
  it('are passed on as they are', () => {
    expect(checkDeclarations(honest)).toBe(honest)
  })

  it.each(hostile)('are refused with %s in them', (_, text) => {
    expect(() => checkDeclarations(text)).toThrow(ProtocolError)
  })

  it.each([null, 5, ['x'], { a: 1 }])('are text, and not %j', (answer) => {
    expect(() => checkDeclarations(answer)).toThrow(ProtocolError)
  })
})
