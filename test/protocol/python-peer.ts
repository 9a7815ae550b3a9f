// A Python that has the codec as a worker has it, answering questions one line each way (test/fixtures/values_peer.py).
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../fixtures/values_peer.py', import.meta.url))

/** One interpreter that answers until it is closed. */
export class PythonPeer implements AsyncDisposable {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: Interface

  constructor(command: string, ...args: string[]) {
    const env = { ...process.env, PYTHONIOENCODING: 'utf-8', PYTHONDONTWRITEBYTECODE: '1' }
    // An unpickler that fails deep inside of malformed bytes may grumble.
    const stderr = args.includes('limited') ? 'ignore' : 'inherit'
    this.#process = spawn(command, [program, ...args], { stdio: ['pipe', 'pipe', stderr], env })
    this.#lines = createInterface(this.#process.stdout)
  }

  async ask(request: Record<string, unknown>): Promise<unknown[]> {
    const answered = once(this.#lines, 'line')
    this.#process.stdin.write(`${JSON.stringify(request)}\n`)
    const ended = once(this.#process, 'exit').then(([code]) => {
      throw new Error(`${program} exited with code ${code}`)
    })
    const [line]: unknown[] = await Promise.race([answered, ended])
    const answer: unknown = JSON.parse(String(line))
    if (!Array.isArray(answer)) throw new Error(`no answer, but ${line}`)
    return answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return
    const exited = once(this.#process, 'exit')
    this.#process.stdin.end()
    await exited
  }
}

export function toHex(parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString('hex')
}

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}
