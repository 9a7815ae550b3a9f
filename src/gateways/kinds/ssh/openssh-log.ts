/**
 * What `ssh -v` tells on its way: the phases it enters, the key that the host shows, what is offered and tried. Nothing
 * depends on a line that another version may word otherwise; then an error says less, and nothing else changes.
 */
import type { Connecting } from '../../../transports/connecting.js'
import type { ResolvedHost } from './host.js'
import type { ShownKey } from './known-hosts.js'

const MAX_LINES = 50
// What is said at every login and explains nothing.
const chatter = /^(OpenSSH_|Authenticated to |Transferred: |Bytes per second: |Authenticated using )/

/** The log of one login. */
export class OpensshLog {
  /** The keys that were shown: those of the hops of ProxyJump, then the host's. */
  readonly shownKeys: ShownKey[] = []
  /** Somebody is there, whom a ProxyCommand or a jump host may have to reach first. */
  hasConnected = false
  isAuthenticating = false
  readonly offered: string[] = []
  readonly tried: string[] = []
  /** What a server said in place of its name. */
  readonly banner: string[] = []
  /** All that is no log: complaints of ssh, and what the host wishes to be read. */
  readonly said: string[] = []
  readonly #host: ResolvedHost
  readonly #connecting: Connecting
  #partial = ''

  constructor(host: ResolvedHost, connecting: Connecting) {
    this.#host = host
    this.#connecting = connecting
  }

  readonly feed = (text: string): void => {
    const lines = (this.#partial + text).split(/\r?\n/)
    this.#partial = lines.pop() ?? ''
    for (const line of lines) this.#read(line.trimEnd())
  }

  /** The last complaint; empty when there was none. */
  get lastWords(): string {
    return this.said.at(-1) ?? this.#partial.trim()
  }

  #read(line: string): void {
    const [, event] = /^debug1: (.*)$/.exec(line) ?? []
    if (event !== undefined) return this.#note(event)
    const [, path, reason] = /^no such identity: (.*): (.*)$/.exec(line) ?? []
    if (path !== undefined) this.#correct(path, reason?.startsWith('No such file') ? 'no such file' : (reason ?? ''))
    else if (line !== '' && !/^debug\d/.test(line) && !chatter.test(line)) push(this.said, line)
  }

  #note(event: string): void {
    const { hostname, port, user, proxyCommand } = this.#host
    const way = proxyCommand === undefined ? `${hostname} port ${port}` : `ProxyCommand ${proxyCommand}`
    const is = (pattern: RegExp): RegExpExecArray | null => pattern.exec(event)
    if (is(/^(Connecting to |Executing proxy command)/)) this.#connecting.enter('connect', way)
    else if (is(/^Connection established/)) this.#connected()
    else if (is(/^SSH2_MSG_SERVICE_ACCEPT received/)) {
      this.isAuthenticating = true
      this.#connecting.enter('authenticate', `${user}@${hostname}`)
    } else if (is(/^Remote protocol version/)) this.#connected()
    else this.#noteDetails(is)
  }

  #noteDetails(is: (pattern: RegExp) => RegExpExecArray | null): void {
    const [, type, fingerprint] = is(/^Server host key: (\S+) (\S+)/) ?? []
    if (type !== undefined && fingerprint !== undefined) {
      this.shownKeys.push({ type, fingerprint })
      this.#connecting.enter('host key', `${type} ${fingerprint}`)
    }
    const [, methods] = is(/^Authentications that can continue: (.*)/) ?? []
    if (methods !== undefined && this.offered.length === 0) this.offered.push(...methods.split(','))
    const [, key] = is(/^Offering public key: (.*)/) ?? []
    if (key !== undefined) push(this.tried, `publickey ${key}`)
    const [, path] = is(/^Trying private key: (.*)/) ?? []
    if (path !== undefined) push(this.tried, `publickey ${path}`)
    const [, method] = is(/^Next authentication method: (password|keyboard-interactive|gssapi\S*|hostbased)/) ?? []
    if (method !== undefined) push(this.tried, method)
    const [, banner] = is(/^kex_exchange_identification: banner line \d+: (.*)/) ?? []
    if (banner !== undefined) {
      this.#connected()
      push(this.banner, banner)
    }
  }

  #connected(): void {
    if (this.hasConnected) return
    this.hasConnected = true
    this.#connecting.enter('host key', `${this.#host.hostname} port ${this.#host.port}`)
  }

  #correct(path: string, reason: string): void {
    const label = `publickey ${path}`
    const at = this.tried.indexOf(label)
    if (at >= 0) this.tried[at] = `${label}: ${reason}`
    else push(this.tried, `${label}: ${reason}`)
  }
}

function push(lines: string[], line: string): void {
  lines.push(line)
  if (lines.length > MAX_LINES) lines.shift()
}
