/**
 * What must hold whatever goes wrong on the way to a worker: one typed error that says where the way ended and what to do,
 * told once; nothing left running on either side, no descriptor left; and the controller works as before.
 */

import { expect } from 'vitest'
import { Group, type Phase, type PhaseEvent, type Prompt, TendrilError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { thoseThatStay } from '../processes.js'
import { eventually } from '../waiting.js'
import { childrenOf, type Server } from './server.js'

/** What is to go wrong, and how. */
export interface Fault {
  readonly spec: string
  readonly code: TendrilError['code']
  readonly phase: Phase
  /** What the message must say: what failed, and what to do about it. */
  readonly says: readonly (string | RegExp)[]
  readonly prompt?: Prompt
  /** The server that the way leads to: no login may be left on it. */
  readonly server?: Server
}

/** Opens a gateway that cannot be opened. @returns The error, for what else it tells. */
export async function expectFault({ spec, code, phase, says, prompt, server }: Fault): Promise<TendrilError> {
  const [children, sockets] = [childrenOf(process.pid), openSockets()]
  const events: PhaseEvent[] = []
  const group = new Group({ prompt, onPhase: (event) => events.push(event) })
  const error = await errorOf(group.makeGateway(spec))
  if (!(error instanceof TendrilError)) throw new Error(`${spec} opened, or failed without a type`, { cause: error })
  expect({ code: error.code, phase: Reflect.get(error, 'phase') }, error.message).toEqual({ code, phase })
  for (const text of says) expect(error.message).toMatch(text)
  expect(error.message).toMatch(/^gateway gw0[: ]/)
  expect(error.message).not.toContain('\n')
  expect(events.filter((event) => event.error !== undefined)).toMatchObject([{ gateway: 'gw0', phase }])
  expect(group.size).toBe(0)
  expect(await workers(server)).toEqual([])
  const ours = (): number[] => childrenOf(process.pid).filter((pid) => !children.includes(pid))
  expect(await thoseThatStay(ours)).toEqual([])
  // The handle of a process outlives it by a turn of the event loop.
  await eventually(() => expect(openSockets()).toBeLessThanOrEqual(sockets))
  await expectUsable()
  return error
}

/** That the controller works: a gateway of another kind can be opened, used and ended. */
export async function expectUsable(): Promise<void> {
  await using group = new Group()
  const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
  expect(await gateway.remoteExec('channel.send(6 * 7)').receive()).toBe(42)
}

/** What logins started on a server and is there after two seconds. */
export async function workers(server: Server | undefined): Promise<number[]> {
  return await thoseThatStay(() => server?.workers() ?? [])
}

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /^(TCP|Pipe|Process)/.test(name)).length
}
