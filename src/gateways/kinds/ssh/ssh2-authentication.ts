/**
 * Logs in as OpenSSH would: keys from the agent, then from files, then what a person answers, in the order that the user
 * configured; and remembers what was offered and tried, because a refused login is the failure that people meet most.
 */
import type { AnyAuthMethod, AuthHandlerMiddleware, NextAuthHandler } from 'ssh2'
import { asError } from '../../../thrown.js'
import type { ConnectFault, Connecting } from '../../../transports/connecting.js'
import type { ResolvedHost } from './host.js'
import { loginFailure, NOBODY } from './login-failure.js'
import { rsaBitsOf } from './rsa-bits.js'
import { keysFor } from './ssh2-keys.js'
import { agentSigningWith, type Signatures, signingWith } from './ssh2-signatures.js'

/** Something to try: a method, and what to call it when it has been refused. */
interface Attempt {
  readonly method: 'none' | 'publickey' | 'keyboard-interactive' | 'password'
  readonly label: string
  readonly auth: AnyAuthMethod
}

/** One login. */
export class Authentication {
  readonly #host: ResolvedHost
  readonly #connecting: Connecting
  readonly #signatures: Signatures
  readonly #tried: string[] = []
  #offered: readonly string[] = []
  #attempts: AsyncGenerator<Attempt>
  /** What has been accepted so far by a host that wants several things. */
  readonly #accepted = new Set<string>()
  #last: Attempt | undefined
  #knowsMethods = false

  constructor(host: ResolvedHost, connecting: Connecting, signatures: Signatures) {
    this.#host = host
    this.#signatures = signatures
    this.#connecting = connecting
    this.#attempts = this.#all()
  }

  /** What ssh2 asks for the next method. */
  readonly handler: AuthHandlerMiddleware = (methodsLeft, partialSuccess, next) => {
    void this.#next(methodsLeft, partialSuccess, next)
  }

  /** Why nobody was let in. @param cause - What ended it, if it was not that everything had been tried. */
  failure(cause?: Error): ConnectFault {
    return loginFailure(this.#host, { engine: 'ssh2', offered: this.#offered, tried: this.#tried, cause })
  }

  async #next(left: readonly string[] | null, partial: boolean | null, next: NextAuthHandler): Promise<void> {
    try {
      if (left !== null && left.length > 0) this.#learn(left, partial === true)
      next((await this.#attempt(left)) ?? (false as never)) // ssh2 takes false for "nothing left", which its types lack
    } catch (error) {
      this.#tried.push(asError(error).message)
      next(false as never)
    }
  }

  #learn(left: readonly string[], wasAccepted: boolean): void {
    this.#knowsMethods = true
    if (this.#offered.length === 0) this.#offered = left
    if (!wasAccepted || this.#last === undefined) return
    this.#accepted.add(this.#last.label)
    this.#tried.push(`${this.#tried.pop()} (accepted, more is wanted)`)
    this.#offered = left
    this.#attempts = this.#all()
  }

  async #attempt(left: readonly string[] | null): Promise<AnyAuthMethod | undefined> {
    for (let step = await this.#attempts.next(); !step.done; step = await this.#attempts.next()) {
      const attempt = step.value
      if (attempt.method !== 'none' && left !== null && !left.includes(attempt.method)) continue
      if (this.#accepted.has(attempt.label)) continue
      if (attempt.method !== 'none') this.#tried.push(attempt.label)
      this.#last = attempt
      return attempt.auth
    }
    return undefined
  }

  async *#all(): AsyncGenerator<Attempt> {
    for (const name of this.#host.authentications) {
      if (name === 'publickey') yield* this.#withKeys()
      if (this.#host.batchMode || (name !== 'keyboard-interactive' && name !== 'password')) continue
      // Nobody is asked for what the host does not want to hear.
      if (!this.#knowsMethods)
        yield { method: 'none', label: 'none', auth: { type: 'none', username: this.#host.user } }
      if (!this.#offered.includes(name)) continue
      yield* name === 'password' ? this.#withPassword() : this.#withAnswers()
    }
    if (!this.#knowsMethods) yield { method: 'none', label: 'none', auth: { type: 'none', username: this.#host.user } }
  }

  async *#withKeys(): AsyncGenerator<Attempt> {
    const { user: username } = this.#host
    const note = (text: string): void => {
      this.#tried.push(text)
    }
    for await (const { label, parsed: key, agent } of keysFor(this.#host, this.#connecting, note)) {
      const bits = rsaBitsOf(key.getPublicSSH())
      if (bits !== undefined && bits < this.#host.requiredRsaBits) {
        note(`publickey ${label}: it has ${bits} bits, RequiredRSASize wants ${this.#host.requiredRsaBits}`)
        continue
      }
      const algorithm = this.#signatures.algorithmFor(key.type)
      if (algorithm === undefined) {
        note(`publickey ${label}: no signature of it is taken by both sides (PubkeyAcceptedAlgorithms)`)
        continue
      }
      const auth: AnyAuthMethod =
        agent === undefined
          ? { type: 'publickey', username, key: signingWith(algorithm, key) }
          : { type: 'agent', username, agent: await agentSigningWith(algorithm, key, agent) }
      yield { method: 'publickey', label: `publickey ${label}`, auth }
    }
  }

  async *#withPassword(): AsyncGenerator<Attempt> {
    const { user: username, hostname } = this.#host
    for (let turn = 0; turn < this.#host.passwordPrompts; turn++) {
      const from = `${username}@${hostname}`
      const password = await this.#connecting.ask({ kind: 'password', from, text: `Password of ${from}`, echo: false })
      if (password === undefined) {
        this.#tried.push(`password ${NOBODY}`)
        return
      }
      yield { method: 'password', label: 'password', auth: { type: 'password', username, password } }
    }
  }

  async *#withAnswers(): AsyncGenerator<Attempt> {
    const { user: username, hostname } = this.#host
    let isDeclined = false
    for (let turn = 0; turn < this.#host.passwordPrompts && !isDeclined; turn++) {
      const prompt = (
        _name: string,
        instructions: string,
        _language: string,
        prompts: readonly { readonly prompt: string; readonly echo?: boolean }[],
        finish: (answers: string[]) => void,
      ): void => {
        const from = `${username}@${hostname}`
        void (async () => {
          const answers: string[] = []
          for (const { prompt: text, echo = false } of prompts) {
            const shown = [instructions.trim(), text.trim().replace(/:$/, '')].filter((part) => part !== '').join(' ')
            const answer = await this.#connecting.ask({ kind: echo ? 'answer' : 'password', from, text: shown, echo })
            if (answer === undefined) isDeclined = true
            answers.push(answer ?? '')
          }
          finish(answers)
        })()
      }
      yield {
        method: 'keyboard-interactive',
        label: 'keyboard-interactive',
        auth: { type: 'keyboard-interactive', username, prompt },
      }
    }
    if (isDeclined) this.#tried.push(`${this.#tried.pop()} ${NOBODY}`)
  }
}
