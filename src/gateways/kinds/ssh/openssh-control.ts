/**
 * Speaks to a master of OpenSSH through its control socket, as PROTOCOL.mux of OpenSSH has it: only what needs no file
 * descriptor to be passed. A master whose persistence is short lives as long as somebody is connected here.
 */
import { connect, type Socket } from 'node:net'
import { Timer } from '../../../timer.js'

const VERSION = 4
const HELLO = 0x00000001
const ALIVE_CHECK = 0x10000004
const TERMINATE = 0x10000005
const ALIVE = 0x80000005
// No answer to what is asked here is longer.
const MAX_PACKET_BYTES = 4096
// Long: the machine of the master is this one, and may be busy.
const ANSWER_MS = 15_000

/** A master that is there. */
export class OpensshControl {
  readonly path: string
  /** Settles when the master has ended. Never rejects. */
  readonly closed: Promise<void>
  readonly #socket: Socket

  private constructor(path: string, socket: Socket) {
    this.path = path
    this.#socket = socket
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
  }

  /**
   * Connects to a master; nothing that it does keeps this process alive.
   *
   * @throws When nobody is there, or what is there is no master.
   */
  static async join(path: string): Promise<OpensshControl> {
    const socket = connect(path)
    socket.on('error', () => undefined)
    const control = new OpensshControl(path, socket)
    socket.write(packet(HELLO, VERSION))
    socket.write(packet(ALIVE_CHECK, 0))
    try {
      await isAlive(socket, path)
    } catch (error) {
      socket.destroy()
      throw error
    }
    socket.resume()
    socket.unref()
    return control
  }

  /** Ends the master with all its sessions. */
  terminate(): void {
    this.#socket.end(packet(TERMINATE, 1))
  }

  /** Leaves the master to itself. */
  leave(): void {
    this.#socket.destroy()
  }
}

function packet(type: number, ...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 + 4 * numbers.length)
  for (const [index, number] of [bytes.length - 4, type, ...numbers].entries()) bytes.writeUInt32BE(number, 4 * index)
  return bytes
}

function isAlive(socket: Socket, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let unread = Buffer.alloc(0)
    const settle = (error?: Error): void => {
      timer.stop()
      socket.off('data', read).off('close', onClose)
      if (error === undefined) resolve()
      else reject(error)
    }
    const onClose = (): void => settle(new Error(`no master of ssh answers at ${path}`))
    const timer = new Timer(ANSWER_MS, onClose)
    const read = (chunk: Buffer): void => {
      unread = Buffer.concat([unread, chunk])
      while (unread.length >= 8) {
        const length = unread.readUInt32BE(0)
        const type = unread.readUInt32BE(4)
        if (length > MAX_PACKET_BYTES || (type !== HELLO && type !== ALIVE))
          return settle(new Error(`what answers at ${path} is no master of ssh`))
        if (type === ALIVE) return settle()
        if (unread.length < 4 + length) return undefined
        unread = unread.subarray(4 + length)
      }
      return undefined
    }
    socket.on('data', read)
    socket.once('close', onClose)
  })
}
