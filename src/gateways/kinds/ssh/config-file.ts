/**
 * What ssh_config(5) says of a host where there is no `ssh` to ask. The npm package `ssh-config` reads a file into lines;
 * which of them count is decided here, because an `Include` can stand inside a `Host` or a `Match`, which its `compute`
 * cannot follow. Not done: `Match exec` (never run, never true), `localnetwork`, `tagged`, and canonical host names.
 */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Line, Section } from 'ssh-config'
import { HostNotFoundError } from '../../../errors.js'
import type { SshTarget } from '../../../specs/ssh-target.js'
import { ConnectFault } from '../../../transports/connecting.js'
import { localUser } from '../../../transports/local-user.js'
import { filesMatching } from './config-include.js'
import { splitArguments } from './config-words.js'
import { matchesPattern } from './known-hosts-file.js'
import { tokenValuesOf } from './resolved-host.js'
import { fileLists, type Settings } from './settings.js'
import { expandPath, type TokenValues } from './tokens.js'

type Parse = (text: string) => Line[]

// As deep as OpenSSH follows (READCONF_MAX_DEPTH).
const MAX_DEPTH = 16

// Keywords that add up; of all others the first wins.
const repeatable = new Set(['identityfile', 'certificatefile'])

/** Reads the settings for a target from the files that ssh would read. */
export async function settingsFromFiles(target: SshTarget): Promise<Settings> {
  const { default: SshConfig } = await import('ssh-config')
  const walk = new Walk(target, (text) => SshConfig.parse(text))
  walk.apply(target.lines.join('\n'), 'the spec')
  await walk.files()
  if (walk.wantsFinalPass) {
    walk.isFinalPass = true
    await walk.files()
  }
  return expanded(walk.settings, target)
}

class Walk {
  readonly settings: Map<string, string[]> = new Map()
  readonly #target: SshTarget
  readonly #parse: Parse
  wantsFinalPass = false
  isFinalPass = false

  constructor(target: SshTarget, parse: Parse) {
    this.#target = target
    this.#parse = parse
  }

  async files(): Promise<void> {
    const { configFile } = this.#target
    if (configFile === 'none') return
    const user = join(localUser().home, '.ssh')
    if (configFile !== undefined) return this.#file(configFile, user, 0)
    await this.#file(join(user, 'config'), user, 0)
    await this.#file('/etc/ssh/ssh_config', '/etc/ssh', 0)
  }

  /** Takes over lines that hold for every host. */
  apply(text: string, place: string): void {
    for (const line of this.#linesOf(text, place)) if ('param' in line) this.#set(line.param, line)
  }

  async #file(path: string, folder: string, depth: number): Promise<void> {
    if (depth > MAX_DEPTH) throw fault(`${path} is included too deeply. Look for a file that includes itself`)
    const text = await contentOf(path)
    await this.#lines(this.#linesOf(text, path), folder, depth)
  }

  /** A section has its lines inside it, so what an included file begins ends with that file. */
  async #lines(lines: readonly Line[], folder: string, depth: number): Promise<void> {
    for (const line of lines) {
      if (!('param' in line)) continue
      const keyword = line.param.toLowerCase()
      if (keyword === 'include') await this.#include(line, folder, depth)
      else if (isSection(line)) {
        const counts = keyword === 'host' ? this.#hostCounts(wordsOf(line)) : this.#matchCounts(wordsOf(line))
        if (counts) await this.#lines(line.config, folder, depth)
      } else this.#set(keyword, line)
    }
  }

  async #include(line: Line & { param: string }, folder: string, depth: number): Promise<void> {
    for (const pattern of wordsOf(line)) {
      for (const path of await filesMatching(pattern, folder)) await this.#file(path, folder, depth + 1)
    }
  }

  #set(param: string, line: Line): void {
    const keyword = param.toLowerCase()
    const values = valuesOf(keyword, line)
    if (keyword === 'sendenv') return this.#sendEnv(values)
    const known = this.settings.get(keyword)
    if (known === undefined) {
      // Whichever of the two comes first wins, `none` too.
      const rival = keyword === 'proxyjump' ? 'proxycommand' : keyword === 'proxycommand' ? 'proxyjump' : ''
      if (!this.settings.has(rival)) this.settings.set(keyword, values)
    } else if (repeatable.has(keyword)) known.push(...values.filter((value) => !known.includes(value)))
  }

  /** `-PATTERN` takes back what stands before it. */
  #sendEnv(patterns: readonly string[]): void {
    let kept = this.settings.get('sendenv') ?? []
    for (const pattern of patterns) {
      if (pattern.startsWith('-')) kept = kept.filter((each) => !matchesPattern(each, pattern.slice(1)))
      else kept.push(pattern)
    }
    this.settings.set('sendenv', kept)
  }

  /** The host that patterns see: as it was written, in a final pass as it is really called. */
  get #host(): string {
    return this.isFinalPass ? this.#hostname : this.#target.host
  }

  get #hostname(): string {
    return hostnameIn(this.settings, this.#target)
  }

  #hostCounts(patterns: readonly string[]): boolean {
    const host = this.#host
    if (patterns.some((pattern) => pattern.startsWith('!') && matchesPattern(host, pattern.slice(1)))) return false
    return patterns.some((pattern) => matchesPattern(host, pattern))
  }

  #matchCounts(words: readonly string[]): boolean {
    const rest = [...words]
    let counts = true
    while (rest.length > 0) {
      const word = rest.shift() ?? ''
      const isNegated = word.startsWith('!')
      const verdict = this.#criterion(word.slice(isNegated ? 1 : 0).toLowerCase(), rest)
      counts &&= verdict !== undefined && verdict !== isNegated
    }
    return counts
  }

  /** Whether a criterion holds; undefined when that cannot be told here. Takes its argument from the words. */
  #criterion(name: string, rest: string[]): boolean | undefined {
    if (name === 'all') return true
    if (name === 'canonical') return this.isFinalPass
    if (name === 'final') {
      this.wantsFinalPass = true
      return this.isFinalPass
    }
    const list = rest.shift() ?? ''
    if (name === 'host') return matchesList(this.#hostname, list.toLowerCase())
    if (name === 'originalhost') return matchesList(this.#target.host, list.toLowerCase())
    if (name === 'user') return matchesList(this.settings.get('user')?.[0] ?? localUser().name, list)
    return name === 'localuser' ? matchesList(localUser().name, list) : undefined
  }

  #linesOf(text: string, place: string): Line[] {
    try {
      return this.#parse(text.replace(SET_ENV, (_, head: string, rest: string) => head + toBase64(rest)))
    } catch (error) {
      throw fault(`${place} cannot be read as an ssh configuration: ${String(error)}. Correct it`, error)
    }
  }
}

// The package takes quotes away as it finds them, and there may be several pairs in one line.
const SET_ENV = /^([ \t]*setenv(?:[ \t]*=[ \t]*|[ \t]+))(.+)$/gim

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64url')
}

/** As ssh has them: of one name the first counts. */
function variablesIn(encoded: string): string[] {
  const words = splitArguments(Buffer.from(encoded, 'base64url').toString())
  const names = words.map((word) => word.split('=', 1)[0])
  return words.filter((_, index) => names.indexOf(names[index]) === index)
}

function isSection(line: Line): line is Section {
  return 'config' in line
}

function wordsOf(line: Line): string[] {
  if (!('value' in line)) return []
  return typeof line.value === 'string' ? [line.value] : line.value.map(({ val }) => val)
}

/** The values as `ssh -G` would print them, without tokens expanded. */
function valuesOf(keyword: string, line: Line): string[] {
  if (!('value' in line)) return []
  const { value } = line
  if (fileLists.has(keyword) || keyword === 'sendenv') return wordsOf(line)
  if (typeof value !== 'string') {
    const words = value.map(
      ({ val, separator, quoted: isQuoted }) => `${separator}${isQuoted === true ? `"${val}"` : val}`,
    )
    return [words.join('').trim()]
  }
  return keyword === 'setenv' ? variablesIn(value) : [value]
}

function matchesList(text: string, list: string): boolean {
  const patterns = list.split(',')
  if (patterns.some((pattern) => pattern.startsWith('!') && matchesPattern(text, pattern.slice(1)))) return false
  return patterns.some((pattern) => matchesPattern(text, pattern))
}

function hostnameIn(settings: Settings, target: SshTarget): string {
  const written = settings.get('hostname')?.[0] ?? '%h'
  return written.replace(/%([%h])/g, (_, token: string) => (token === 'h' ? target.host : '%'))
}

// What `ssh -G` prints with tokens, variables and tildes expanded already.
const expandedBySsh = ['identityagent', 'forwardagent', 'userknownhostsfile', 'controlpath']

function expanded(settings: Map<string, string[]>, target: SshTarget): Settings {
  const hostname = hostnameIn(settings, target)
  settings.set('hostname', [isIP(hostname) === 0 ? hostname.toLowerCase() : hostname])
  const jump = settings.get('proxyjump')?.[0]
  if (jump !== undefined) settings.set('proxyjump', [jump.replaceAll('ssh://', '')])
  const values: TokenValues = tokenValuesOf(settings, target)
  for (const keyword of expandedBySsh) {
    const written = settings.get(keyword)
    if (written !== undefined)
      settings.set(
        keyword,
        written.map((value) => expandPath(value, values)),
      )
  }
  return settings
}

/** A file that is not there says nothing; one that was asked for was looked for before. */
async function contentOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return ''
    throw fault(`the ssh configuration ${path} cannot be read: ${String(error)}. Make it readable`, error)
  }
}

function fault(message: string, cause?: unknown): ConnectFault {
  return new ConnectFault('resolve', message, (full) => new HostNotFoundError(full, { phase: 'resolve', cause }))
}
