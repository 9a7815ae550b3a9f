/**
 * What ssh_config(5) says about one host, still as text: keywords in small letters, each with its values. `ssh -G` prints
 * it and `config-file.ts` works it out from the files; the rest of the way does not know which of them it was.
 */
import { existsSync } from 'node:fs'

/** The values of each keyword; several for those that may be given more than once, and for lists of files. */
export type Settings = ReadonlyMap<string, readonly string[]>

/** Keywords whose one line lists several files. */
export const fileLists: ReadonlySet<string> = new Set(['userknownhostsfile', 'globalknownhostsfile'])

/** Reads what `ssh -G` printed. */
export function parseSettings(printed: string): Settings {
  const settings = new Map<string, string[]>()
  for (const line of printed.split(/\r?\n/)) {
    const [, keyword, value] = /^(\w+) (.*)$/.exec(line) ?? []
    if (keyword === undefined || value === undefined) continue
    const values = fileLists.has(keyword) ? splitFiles(value) : [value]
    settings.set(keyword.toLowerCase(), [...(settings.get(keyword.toLowerCase()) ?? []), ...values])
  }
  return settings
}

/** The first value of a keyword; undefined when it has none, or `none`. */
export function text(settings: Settings, keyword: string): string | undefined {
  const value = settings.get(keyword)?.[0]
  return value === undefined || value === '' || value.toLowerCase() === 'none' ? undefined : value
}

/** All values of a keyword but `none`. */
export function texts(settings: Settings, keyword: string): string[] {
  return (settings.get(keyword) ?? []).filter((value) => value.toLowerCase() !== 'none')
}

/** Whether a keyword that is yes or no is yes. */
export function flag(settings: Settings, keyword: string, absent: boolean): boolean {
  const value = settings.get(keyword)?.[0]?.toLowerCase()
  if (value === undefined) return absent
  return value !== 'no' && value !== 'false'
}

/** A number of things, or a time in seconds (`90`, `1m30s`); undefined when it is absent, or nothing of the kind. */
export function count(settings: Settings, keyword: string): number | undefined {
  const value = text(settings, keyword)
  if (value === undefined || !/^(?=\d)(?:\d+[smhdw])*\d*$/i.test(value)) return undefined
  return [...value.matchAll(/(\d+)([smhdw]?)/gi)].reduce(
    (sum, [, amount, unit = '']) => sum + Number(amount) * (seconds[unit.toLowerCase()] ?? 1),
    0,
  )
}

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** `ssh -G` prints lists of files without their quotes, so a blank may be the end of a path or a part of it. */
function splitFiles(list: string): string[] {
  const files: string[] = []
  for (const piece of list.split(' ')) {
    const before = files.at(-1)
    const joined = `${before} ${piece}`
    if (before !== undefined && (isPartOf(before, piece) || (!existsSync(before) && existsSync(joined))))
      files[files.length - 1] = joined
    else files.push(piece)
  }
  return files.filter((file) => file !== '')
}

/** A piece that is no absolute path belongs to the one before, unless that is a file, or it is one itself. */
function isPartOf(before: string, piece: string): boolean {
  if (/^([/~]|[A-Za-z]:[\\/]|\\\\)/.test(piece)) return false
  return existsSync(`${before} ${piece}`) || !(existsSync(before) || existsSync(piece))
}
