// No regular expression of the library takes more than one look at each character, whatever text it is given: workers and strangers write texts.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, it } from 'vitest'

const source = fileURLToPath(new URL('../src/', import.meta.url))
// One look at each of so many takes some hundred microseconds, one at every pair of them seconds.
const LENGTH = 40_000
const MOST_MS = 300
// What looks more often, at texts that are this machine's own.
const OWN = new Set(['call-site.ts', 'worker-source.ts', 'config-include.ts', 'known-hosts.ts'])
const PUMPED = [
  ' ',
  '\t',
  '\r',
  '\n',
  '\r\n',
  'a',
  'A',
  's',
  '0',
  '-',
  '.',
  ':',
  '/',
  '\\',
  '"',
  "'",
  '(',
  '[',
  '{',
  '_',
  ',',
  '#',
  '*',
  '=',
  '\x1b',
  '\x1b[',
  ' a',
  'a ',
  '0 ',
]

function literalsOf(path: string): string[] {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) found.push(node.text)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest))
  return found
}

/** What stands in an expression as it is: what follows it is tried wherever that occurs. */
function textsIn(literal: string): string[] {
  return literal.match(/[\w :.-]{3,}/g) ?? []
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
const literals = new Map(
  files
    .filter((path) => !OWN.has(path.split('/').at(-1) ?? ''))
    .flatMap((path) => literalsOf(source + path).map((literal) => [literal, path])),
)

it.each([...literals])('%s in %s looks at each character once', (literal) => {
  const end = literal.lastIndexOf('/')
  const expression = new RegExp(literal.slice(1, end), literal.slice(end + 1))
  for (const pump of [...PUMPED, ...textsIn(literal)]) {
    const text = `${pump.repeat(LENGTH / pump.length)}\0`
    const { user } = process.cpuUsage()
    expression.test(text)
    expect([pump, process.cpuUsage().user - user < MOST_MS * 1000]).toEqual([pump, true])
  }
})
