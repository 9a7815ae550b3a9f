/** A worker that says what no worker says: real ones, whose remote code writes frames by itself (fixtures/hostile.py). */
import { fileURLToPath } from 'node:url'
import { dumps, type Gateway } from '../src/index.js'

export const fixture: string = fileURLToPath(new URL('./fixtures/hostile.py', import.meta.url))

/** A frame: its kind, its channel by its number or as the session's is called, its payload and its flags. */
export type Frame = readonly [
  kind: number,
  channel: number | 'requests' | 'control' | 'answers',
  payload?: Uint8Array,
  flags?: number,
]

/** Has a function of the fixture run; resolves when it has ended, or the gateway has. */
export async function run(gateway: Gateway, name: string, kwargs: Readonly<Record<string, unknown>>): Promise<void> {
  await gateway
    .remoteExec({ file: fixture, function: name }, kwargs)
    .waitClose()
    .catch((error: Error) => {
      if (gateway.isReceiving) throw error
    })
}

/** Has frames written. */
export async function say(gateway: Gateway, ...frames: readonly Frame[]): Promise<void> {
  const all = frames.map(([kind, channel, payload = new Uint8Array(), flags = 0]) => [kind, channel, payload, flags])
  await run(gateway, 'say', { frames: all })
}

/** A list that holds itself twice, and so on, 40 times over: of a few hundred bytes, 2⁴⁰ lists to whoever walks through it. */
export function bomb(): unknown[] {
  let value: unknown[] = []
  for (let depth = 0; depth < 40; depth++) value = [value, value]
  return value
}

/** The payload of an item of tendril's own channels. */
export function item(...members: readonly unknown[]): Uint8Array {
  return dumps(members)
}
