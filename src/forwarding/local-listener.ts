/** Listens here; the worker makes the connections go on (twin: serve in forward_remote.py, which says what is sent). */
import { createServer, type Server, type Socket } from 'node:net'
import { connectOverChannel } from '../core.js'
import { placeText } from './address.js'
import { forwardError } from './connections.js'
import { dropWhenCut, type Listener, type ListenTask, startRemote } from './listener.js'

/** @throws {@link ForwardError} when nobody can listen there. */
export async function listenHere(task: ListenTask): Promise<Listener> {
  const { gateway, to, timeoutMs, connections } = task
  const control = gateway.newChannel()
  startRemote(gateway, 'serve', { control }).catch(task.onEnd)
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket: Socket) => {
    const goOn = async (signal: AbortSignal) => {
      const channel = gateway.newChannel()
      await control.send([channel, to.host, to.port ?? null, timeoutMs / 1000])
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
    server.listen(listen.port === undefined ? { path: listen.host } : { host: listen.host, port: listen.port })
  })
}
