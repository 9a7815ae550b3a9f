/** The worker listens; connections go on from here (twin: listen in forward_remote.py, which says what is sent). */
import { connect, type Socket } from 'node:net'
import { Channel, messages, streamOver, Timer } from '../../core.js'
import { type Place, placeText } from './address.js'
import { forwardError } from './connections.js'
import { dropWhenCut, type Listener, type ListenTask, MOST_BYTES, startRemote } from './listener.js'
import { reset } from './splice.js'

/** @throws {@link ForwardError} when nobody can listen there. */
export async function listenThere(task: ListenTask): Promise<Listener> {
  const { listen, to, timeoutMs, connections } = task
  const control = task.gateway.ownChannel(() => MOST_BYTES)
  await startRemote(task.gateway, 'listen', { control, host: listen.host, port: listen.port ?? null })
  const place = placeOf(await control.receive(), listen, task.gateway.id)
  const accept = async (): Promise<void> => {
    while (true) {
      const item = await control.receiveQuietly()
      const channel: unknown = Array.isArray(item) ? item[0] : undefined
      if (!(channel instanceof Channel)) continue
      const near = streamOver(channel)
      dropWhenCut(near, channel, control)
      void connections.take(near, placeText(to), (signal) => connectHere(to, timeoutMs, signal))
    }
  }
  accept().catch(task.onEnd)
  let release: (() => void) | undefined = control.hold()
  const keepAlive = (isWanted: boolean): void => {
    if (isWanted) {
      release ??= control.hold()
    } else {
      release?.()
      release = undefined
    }
  }
  const close = async (): Promise<void> => {
    keepAlive(false)
    await control.close()
  }
  return { place, close, keepAlive }
}

function placeOf(answer: unknown, asked: Place, gatewayId: string): Place {
  const [host, port, text] = Array.isArray(answer) ? (answer as readonly unknown[]) : []
  if (typeof host === 'string') return { host, port: typeof port === 'number' ? port : undefined }
  const cause = Object.assign(new Error(messages.said(text)), { code: messages.said(port) })
  throw forwardError(`cannot listen on ${gatewayId}`, placeText(asked), cause)
}

function connectHere(to: Place, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const target = to.port === undefined ? { path: to.host } : { host: to.host, port: to.port, autoSelectFamily: true }
    const socket = connect({ ...target, allowHalfOpen: true, noDelay: true, keepAlive: true })
    const fail = (error: unknown): void => {
      settle()
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => {
      settle()
      reject(signal.reason)
      dropWhenThere(socket, timeoutMs)
    }
    const late = (): void => fail(Object.assign(new Error('it does not answer'), { code: 'ETIMEDOUT' }))
    const timer = new Timer(timeoutMs, late)
    const settle = (): void => {
      timer.stop()
      signal.removeEventListener('abort', onAbort)
      socket.off('error', fail)
    }
    socket.once('error', fail)
    socket.once('connect', () => {
      settle()
      resolve(socket)
    })
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
}

/** Nobody waits for it any more. It may be there, only that nobody knows yet: closing it then would look like a proper end. */
function dropWhenThere(socket: Socket, timeoutMs: number): void {
  const timer = new Timer(timeoutMs, () => socket.destroy()).unref()
  socket.unref().on('error', () => undefined)
  socket.once('close', () => timer.stop()).once('connect', () => reset(socket))
}
