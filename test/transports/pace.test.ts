// A far end that never stops sending leaves everybody else a turn.
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { readPaced } from '../../src/transports/pace.js'

it('acts upon what comes at once in slices, where that takes long, and upon all of it in its order', async () => {
  const chunks = [1, 2].map((each) => Buffer.alloc(128 * 1024, each))
  const slices: Buffer[] = []
  const stream = Readable.from(chunks, { objectMode: false, highWaterMark: 2 ** 20 })
  readPaced(stream, (slice) => {
    slices.push(Buffer.from(slice))
    const end = performance.now() + slice.length / 1024
    while (performance.now() < end);
  })
  await once(stream, 'close')
  expect(Buffer.concat(slices).equals(Buffer.concat(chunks))).toBe(true)
  expect(slices[0]?.length).toBe(64 * 1024)
  for (const slice of slices.slice(1)) expect(slice.length).toBeLessThanOrEqual(16 * 1024)
})

it('lets timers and others have their turn between chunks without end', async () => {
  const endless = new Readable({
    read() {
      this.push(Buffer.alloc(1024))
    },
  })
  let chunks = 0
  readPaced(endless, () => {
    chunks++
    const end = performance.now() + 0.1
    while (performance.now() < end);
  })
  for (let times = 0; times < 3; times++) {
    const before = chunks
    await new Promise((resolve) => setTimeout(resolve, 1))
    while (chunks === before) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  endless.destroy()
  expect(chunks).toBeGreaterThan(2)
})
