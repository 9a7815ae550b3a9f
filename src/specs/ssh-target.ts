/**
 * Reads the value of `ssh=`: a host with options of ssh around it, in execnet's form, as one would type them after `ssh`.
 * What is not about reaching the host is refused, and so is a host that ssh or a shell could take for something else.
 */
import { existsSync } from 'node:fs'
import { XSpecError } from '../errors.js'
import { expandTilde } from '../transports/local-user.js'
import { splitWords } from '../transports/shell-words.js'
import { resolveHere } from '../transports/working-directory.js'

/** What the user asks for, before any configuration is read. */
export interface SshTarget {
  /** The options, each in words of its own, as they stand before the destination; `-F` is absolute. */
  readonly words: readonly string[]
  /** `web1` or `user@web1`; a port is among the words. */
  readonly destination: string
  /** The host as it was written, which the patterns of `Host` see. */
  readonly host: string
  /** Read instead of the user's and the system's configuration; `none` reads nothing. */
  readonly configFile: string | undefined
  /** What words and destination set, as lines of ssh_config(5); the first line that sets a thing wins. */
  readonly lines: readonly string[]
}

// Options with a value: the keyword of ssh_config(5) that each sets. `-o` and `-F` are read apart.
const valued: Readonly<Record<string, string>> = {
  b: 'BindAddress',
  B: 'BindInterface',
  c: 'Ciphers',
  F: '',
  i: 'IdentityFile',
  I: 'PKCS11Provider',
  J: 'ProxyJump',
  l: 'User',
  m: 'MACs',
  o: '',
  p: 'Port',
  S: 'ControlPath',
}

// Options without one, as lines; those about terminals and logging change nothing here.
const flags: Readonly<Record<string, string>> = {
  '4': 'AddressFamily inet',
  '6': 'AddressFamily inet6',
  A: 'ForwardAgent yes',
  a: 'ForwardAgent no',
  C: 'Compression yes',
  K: 'GSSAPIAuthentication yes',
  k: '',
  q: '',
  T: '',
  x: '',
}

/**
 * Reads `-p 5000 -i key user@host`, with the options before or behind the host, and `ssh://user@host:port`.
 *
 * @param options.configFile - The value of `ssh_config=`: a file as after `-F`.
 * @throws {@link XSpecError} for an option that is not about reaching a host, a file that does not exist, and a host or user that no shell
 *   and no ssh may be given.
 */
export function parseTarget(value: string, options: { readonly configFile?: string | undefined } = {}): SshTarget {
  const reader = new Reader(value)
  if (options.configFile !== undefined) reader.option('F', options.configFile)
  return reader.read()
}

/**
 * The target of the last hop of ProxyJump, as OpenSSH runs it: under the same configuration file, through the hops before it
 * whatever its own configuration says, with nothing else of what was asked of the host behind it.
 *
 * @param hops - Each as `user@host:port`; at least one.
 */
export function parseHops(hops: readonly string[], { configFile }: Pick<SshTarget, 'configFile'>): SshTarget {
  const last = hops.at(-1) ?? ''
  const before = hops.slice(0, -1)
  const reader = new Reader(last.startsWith('ssh://') ? last : `ssh://${last}`)
  if (configFile !== undefined) reader.option('F', configFile)
  if (before.length > 0) reader.option('J', before.join(','))
  return reader.read()
}

/** The words of a target without some options, each with its value if it takes one. */
export function wordsWithout(words: readonly string[], options: readonly string[]): string[] {
  const kept: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    const count = word.slice(1) in valued ? 2 : 1
    if (!options.includes(word)) kept.push(...words.slice(at, at + count))
    at += count - 1
  }
  return kept
}

class Reader {
  readonly #value: string
  readonly #words: string[] = []
  readonly #lines: string[] = []
  #destination: string | undefined
  #configFile: string | undefined

  constructor(value: string) {
    if (/\p{Cc}/u.test(value)) throw new XSpecError(`${JSON.stringify(value)} has control characters; no host does`)
    this.#value = value
  }

  read(): SshTarget {
    const words = splitWords(this.#value, { windows: process.platform === 'win32' })
    let onlyHosts = false
    while (words.length > 0) {
      const word = words.shift() ?? ''
      if (word === '--' && !onlyHosts) onlyHosts = true
      else if (word.startsWith('-') && word !== '-' && !onlyHosts) this.#cluster(word, words)
      else this.#host(word)
    }
    if (this.#destination === undefined) throw this.#error('names no host', 'write "user@host" behind the options')
    const { user, host, port } = this.#split(this.#destination)
    if (user !== undefined) this.#lines.push(line('User', user))
    if (port !== undefined) this.option('p', port)
    return {
      words: this.#words,
      destination: user === undefined ? host : `${user}@${host}`,
      host,
      configFile: this.#configFile,
      lines: this.#lines,
    }
  }

  /** `-p5000`, `-4A`, `-4p 5000`: letters that take nothing, then perhaps one that takes the rest or the next word. */
  #cluster(word: string, rest: string[]): void {
    for (let at = 1; at < word.length; at++) {
      const letter = word.charAt(at)
      if (!(letter in valued)) {
        this.#flag(letter)
        continue
      }
      const value = word.slice(at + 1) || rest.shift()
      if (value === undefined) throw this.#error(`gives the option -${letter} no value`, 'write one behind it')
      this.option(letter, value)
      return
    }
  }

  #flag(letter: string): void {
    const set = flags[letter]
    if (set === undefined) {
      const known = [...Object.keys(flags), ...Object.keys(valued)].map((name) => `-${name}`).join(' ')
      throw this.#error(`has the option -${letter}, which is not for reaching a host`, `those that are: ${known}`)
    }
    this.#words.push(`-${letter}`)
    if (set !== '') this.#lines.push(set)
  }

  option(letter: string, value: string): void {
    if (letter === 'F') return this.#file(value)
    this.#words.push(`-${letter}`, value)
    if (letter === 'o') this.#lines.push(value)
    // ssh warns of a key that is not there, and goes on as if it had not been named.
    else if (letter !== 'i' || existsSync(expandTilde(value))) this.#lines.push(line(valued[letter] ?? '', value))
    if (letter === 'p' && /^\d+$/.test(value) && !(Number(value) > 0 && Number(value) < 65_536)) {
      throw this.#error(`has the port ${value}`, 'ports are 1 to 65535')
    }
    if (letter === 'l') this.#checkUser(value)
  }

  #file(name: string): void {
    if (this.#configFile !== undefined)
      throw this.#error('has two configuration files', 'give one, with -F or ssh_config=')
    // No shell has seen the spec, so nobody else expands the tilde.
    const path = name === 'none' ? name : resolveHere(expandTilde(name))
    if (path !== 'none' && !existsSync(path))
      throw this.#error(`asks for the ssh configuration ${path}`, 'there is no such file')
    this.#configFile = path
    this.#words.push('-F', path)
  }

  #host(word: string): void {
    if (this.#destination !== undefined) {
      throw this.#error(
        `has "${word}" behind the host ${this.#destination}`,
        'tendril chooses the command itself; what to run there is python=',
      )
    }
    this.#destination = word
  }

  #split(destination: string): { user: string | undefined; host: string; port: string | undefined } {
    const isUri = destination.startsWith('ssh://')
    const text = isUri ? destination.slice('ssh://'.length).replace(/\/$/, '') : destination
    const at = text.lastIndexOf('@')
    const user = at < 0 ? undefined : text.slice(0, at)
    if (user !== undefined) this.#checkUser(user)
    const place = text.slice(at + 1)
    const [, bracketed, plain, port] = (isUri && /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(place)) || []
    const host = bracketed ?? plain ?? place
    // What ssh itself refuses (valid_hostname of ssh.c): the name goes into ProxyCommand, which a shell reads.
    if (host === '' || host.startsWith('-') || /['"`$\\;&<>|(){}\s]/.test(host)) {
      throw this.#error(
        `has the host "${host}"`,
        'a host does not begin with "-", is not empty and has no blanks, quotes or shell characters',
      )
    }
    return { user, host, port }
  }

  // valid_ruser of ssh.c: %r goes into ProxyCommand as well.
  #checkUser(user: string): void {
    if (user !== '' && !user.startsWith('-') && !/['"`;&<>|(){}]|\s-|\\$/.test(user)) return
    throw this.#error(
      `has the user "${user}"`,
      'a user does not begin with "-", is not empty and has no quotes or shell characters',
    )
  }

  #error(fault: string, advice: string): XSpecError {
    return new XSpecError(`"${this.#value}" ${fault}: ${advice}`)
  }
}

function line(keyword: string, value: string): string {
  return /[\s#"]/.test(value) ? `${keyword} "${value.replaceAll('"', '\\"')}"` : `${keyword} ${value}`
}
