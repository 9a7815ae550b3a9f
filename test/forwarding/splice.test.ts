// Connections that are joined, and broken off amid what they carry.
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { expect, it } from 'vitest'
import { reset, splice } from '../../src/features/forwarding/splice.js'
import { until } from '../waiting.js'
import { dial, End, over } from './ends.js'

const MIB = 1024 * 1024

it.each([
  ['is being told', 0],
  ['waits behind bytes that nobody takes', 50 * MIB],
])('can be reset while an end %s', async (_, bytes) => {
  const accepted: Socket[] = []
  await using server = await End.start((socket) => void accepted.push(socket))
  const client = await dial(`127.0.0.1:${server.port}`)
  await until(() => accepted.length === 1)
  const [near = client] = accepted
  const far = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  if (bytes > 0) far.push(Buffer.alloc(bytes))
  far.push(null)
  const ended = new Promise((resolve) => splice(near, far, resolve))
  await once(far, 'end')
  reset(near)
  far.destroy()
  await ended
  // It learns of it, as an error, or as the end that libuv makes of a reset right behind data.
  await over(client)
  expect(client.bytesRead).toBeLessThanOrEqual(bytes)
})
