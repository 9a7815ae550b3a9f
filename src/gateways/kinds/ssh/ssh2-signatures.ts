/**
 * By which algorithm a key signs, chosen as OpenSSH does. ssh2 chooses for itself, rsa-sha2-256 where the host knows that,
 * and hosts name all that they know, not what they accept.
 */
import type { BaseAgent, Client, ParsedKey, SignCallback, SigningRequestOptions } from 'ssh2'
import { hostKeyAlgorithms } from './algorithms.js'

/** Those of an RSA key, which names itself ssh-rsa whatever it signs with. */
const hashes: Readonly<Record<string, string>> = {
  'rsa-sha2-512': 'sha512',
  'rsa-sha2-256': 'sha256',
  'ssh-rsa': 'sha1',
}

// It knows both, and names neither.
const forgetful = /^OpenSSH_7\.4/

/** What of ssh2's own state is used. */
interface Internals {
  readonly _protocol?: {
    readonly _handlers?: { EXT_INFO?: (protocol: unknown, extensions: readonly Extension[]) => void }
  }
  readonly _remoteVer?: string
}

interface Extension {
  readonly name: string
  readonly algs?: readonly string[]
}

/** Of one login. */
export class Signatures {
  readonly #client: Internals
  readonly #accepted: readonly string[]
  #named: readonly string[] | undefined

  /** @param accepted - By the user; empty when that is not known. */
  constructor(client: Client, accepted: readonly string[]) {
    this.#client = client as unknown as Internals // declared nowhere
    this.#accepted = accepted.length === 0 ? hostKeyAlgorithms.usual : accepted // OpenSSH's own list has the same names
  }

  /** Hears which algorithms the host knows (RFC 8308): to be called when the client has begun to connect. */
  listen(): void {
    const handlers = this.#client._protocol?._handlers
    const hear = handlers?.EXT_INFO
    if (handlers === undefined || hear === undefined) return
    handlers.EXT_INFO = (protocol, extensions) => {
      this.#named ??= extensions.find(({ name }) => name === 'server-sig-algs')?.algs
      hear(protocol, extensions)
    }
  }

  /** The algorithm for a kind of key; undefined when there is none that both sides take. */
  algorithmFor(type: string): string | undefined {
    const named = this.#namedByHost()
    if (type === 'ssh-rsa' && named !== undefined)
      return this.#accepted.find((name) => name in hashes && named.includes(name))
    return this.#accepted.find((name) => name === type)
  }

  #namedByHost(): readonly string[] | undefined {
    if (!forgetful.test(this.#client._remoteVer ?? '')) return this.#named
    return [...(this.#named ?? []), 'rsa-sha2-512', 'rsa-sha2-256']
  }
}

/** The key as one that names itself after the algorithm, which is what ssh2 then asks for and signs with. */
export function signingWith(algorithm: string, key: ParsedKey): ParsedKey {
  if (algorithm === key.type) return key
  return Object.create(key, {
    type: { value: algorithm },
    sign: { value: (data: Buffer) => key.sign(data, hashes[algorithm]) },
  }) as ParsedKey // it is one but for these two
}

/** An agent that has one of an agent's keys, and signs with that algorithm. */
export async function agentSigningWith(algorithm: string, key: ParsedKey, agent: BaseAgent): Promise<BaseAgent> {
  const { default: ssh2 } = await import('ssh2')
  class OneKeyAgent extends ssh2.BaseAgent<ParsedKey> {
    override getIdentities(found: (error: undefined, keys: ParsedKey[]) => void): void {
      found(undefined, [signingWith(algorithm, key)])
    }

    override sign(
      _key: ParsedKey,
      data: Buffer,
      options: SigningRequestOptions | SignCallback,
      done: SignCallback = options as SignCallback, // when there are no options
    ): void {
      agent.sign(key, data, key.type === 'ssh-rsa' ? { hash: hashes[algorithm] as 'sha1' } : {}, done)
    }
  }
  return new OneKeyAgent()
}
