/** Listens here; the worker makes the connections go on (twin: serve in forward_remote.py, which says what is sent). */
import { chmodSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { connectOverChannel, secondsOf } from '../../core.js'
import { placeText } from './address.js'
import { forwardError } from './connections.js'
import { dropWhenCut, type Listener, type ListenTask, MOST_BYTES, startRemote } from './listener.js'

/** @throws {@link ForwardError} when nobody can listen there. */
export async function listenHere(task: ListenTask): Promise<Listener> {
  const { gateway, to, timeoutMs, connections } = task
  const control = gateway.ownChannel(() => MOST_BYTES)
  startRemote(gateway, 'serve', { control }).catch(task.onEnd)
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket: Socket) => {
    const goOn = async (signal: AbortSignal) => {
      const channel = gateway.ownChannel()
      await control.send([channel, to.host, to.port ?? null, secondsOf(timeoutMs)])
      const { stream } = await connectOverChannel(channel, signal)
      dropWhenCut(stream, channel, control)
      return stream
    }
    void connections.take(socket, placeText(to), goOn)
  })
  try {
    await listening(server, task)
  } catch (error) {
    void control.close()
    throw error
  }
  control.receiveQuietly().catch(task.onEnd)
  const address = server.address()
  return {
    place:
      address === null || typeof address === 'string' ? task.listen : { host: address.address, port: address.port },
    close: async () => {
      void control.close()
      await new Promise((resolve) => server.close(resolve))
    },
    keepAlive: (isWanted) => void (isWanted ? server.ref() : server.unref()),
  }
}

function listening(server: Server, { listen, onEnd }: ListenTask): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(forwardError('cannot listen', placeText(listen), error)))
    server.once('listening', () => {
      server.removeAllListeners('error').on('error', onEnd)
      resolve()
    })
    if (listen.port === undefined) listenPrivately(server, listen.host)
    else server.listen({ host: listen.host, port: listen.port })
  })
}

/** A Unix socket is for its user alone, whatever the umask. By a mode that is set later, or by its name, another user could come between. */
function listenPrivately(server: Server, path: string): void {
  if (!isMainThread) {
    server.listen({ path }, () => chmodSync(path, 0o600)) // the umask is not ours to set
    return
  }
  const before = process.umask(0o177)
  try {
    server.listen({ path })
  } finally {
    process.umask(before)
  }
}
