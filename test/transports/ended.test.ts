// A far end that was never there.
import { expect, it } from 'vitest'
import { openEnded } from '../../src/transports/ended.js'

it('tells its last words and its end to whoever starts it, and takes what is written to it', async () => {
  const transport = openEnded({ exitCode: 127, stdout: 'hello', stderr: 'not found\n' }, 'me@web1')
  const told: unknown[] = []
  await new Promise<void>((resolve) => {
    transport.start({
      onChunk: (chunk) => told.push(Buffer.from(chunk).toString()),
      onStderr: (chunk) => told.push(Buffer.from(chunk).toString()),
      onDrain: () => told.push('drain'),
      onEnd: (end) => {
        told.push(end)
        resolve()
      },
    })
    expect(told).toEqual([])
    expect(transport.write([new Uint8Array(10)])).toBe(true)
  })
  expect(told).toEqual(['hello', 'not found\n', { exitCode: 127 }])
  expect(transport.remoteAddress).toBe('me@web1')
})
