/**
 * Python sources that workers get after their first task (PROTOCOL.md §7): what the first result can do without stays
 * out of `bootstrap.py`. An extra is a file that lies beside the TypeScript that speaks to it, and a row here.
 */
import { readFileSync } from 'node:fs'

/** A source as PUSH carries it. */
export interface PushedSource {
  readonly file: string
  readonly source: string
  readonly package: boolean
}

const files = {
  '_tendril.values': '../protocol/values.py',
  '_tendril.failures': './failures.py',
  '_tendril.files': './files.py',
}

let sources: Readonly<Record<string, PushedSource>> | undefined

/** The extras that every worker gets; read once a process. */
export function coreExtras(): Readonly<Record<string, PushedSource>> {
  sources ??= Object.fromEntries(
    Object.entries(files).map(([name, file]) => {
      const source = readFileSync(new URL(file, import.meta.url), 'utf8')
      return [name, { file: `<tendril>/${name.replace('.', '/')}.py`, source, package: false }]
    }),
  )
  return sources
}
