/** What the tests of aborting share: a gateway that has the functions of fixtures/aborted.py, and one of them on its way. */
import { fileURLToPath } from 'node:url'
import type { CallOptions, Channel, Gateway, Group } from '../../src/index.js'
import { errorOf } from '../failing.js'

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))

/** A gateway whose `__main__` has those functions. */
export async function gatewayToAbort(group: Group, keys: string): Promise<Gateway> {
  const gateway = await group.makeGateway(`popen//${keys}`)
  await gateway.execute(`import sys; sys.path.insert(0, ${JSON.stringify(fixtures)})`)
  await gateway.execute('from aborted import *')
  return gateway
}

/** A call that has begun. */
export interface Begun {
  /** The name of the thread that it runs in. */
  readonly thread: unknown
  readonly begun: Channel
  /** Aborts it, and gives what it was rejected with. */
  abort(reason?: unknown): Promise<unknown>
}

/** Has one of the functions begin. */
export async function begin(gateway: Gateway, name: string, options: CallOptions = {}): Promise<Begun> {
  const begun = gateway.newChannel()
  const controller = new AbortController()
  const error = errorOf(gateway.call(name, [begun], {}, { signal: controller.signal, ...options }))
  const thread = await begun.receive()
  const abort = (reason: unknown = new Error('enough')): Promise<unknown> => {
    controller.abort(reason)
    return error
  }
  return { thread, begun, abort }
}

/** Keeps the main thread busy until it is told to let go. */
export function occupyMain(gateway: Gateway): () => Promise<void> {
  const task = gateway.remoteExec('channel.receive()')
  return async () => {
    await task.send(null)
    await task.waitClose()
  }
}
