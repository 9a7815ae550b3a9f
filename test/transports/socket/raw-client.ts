/** Somebody who speaks to the socket server without our client: says what it likes, hears what comes. */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'

export const nonce: string = '0123456789abcdef'.repeat(4)
export const hello: string = `TENDRIL 1 ${nonce}\n`

/** A connection to a server. */
export class RawClient implements Disposable {
  readonly socket: Socket
  #heard = ''
  readonly #closed: Promise<unknown>

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.#heard += text
    })
    socket.on('error', () => undefined)
    this.#closed = new Promise((resolve) => void socket.once('close', resolve))
  }

  /** @param localAddress - Where it comes from. */
  static async connect(port: number, host = '127.0.0.1', localAddress?: string): Promise<RawClient> {
    const socket = createConnection({ port, host, ...(localAddress === undefined ? {} : { localAddress }) })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  say(text: string | Uint8Array): void {
    this.socket.write(text)
  }

  /** The next line, taken out of what has been heard. */
  async line(): Promise<string> {
    while (!this.#heard.includes('\n')) {
      if (this.socket.readableEnded || this.socket.destroyed) throw new Error(`no line, but ${this.#heard}`)
      await Promise.race([once(this.socket, 'data'), this.#closed])
    }
    const at = this.#heard.indexOf('\n')
    const line = this.#heard.slice(0, at)
    this.#heard = this.#heard.slice(at + 1)
    return line
  }

  /** Everything that is heard from now on, until the server has hung up. */
  async rest(): Promise<string> {
    await this.#closed
    return this.#heard
  }

  /** Greets; gives both nonces, and the server's proof. */
  async greet(): Promise<{ nonces: [string, string]; shown: string }> {
    this.say(hello)
    const [, , theirs = '', shown = ''] = (await this.line()).split(' ')
    return { nonces: [nonce, theirs], shown }
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}
