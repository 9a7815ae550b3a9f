// A far end that is still being reached: what is written meanwhile arrives first and whole, and giving up leaves nothing.
import { describe, expect, it } from 'vitest'
import { openDeferred, type Reached } from '../../src/transports/deferred.js'
import { openProcess } from '../../src/transports/process.js'
import type { Transport, TransportEnd } from '../../src/transports/transport.js'

/** A transport that has been started, and what came of it. */
class Watched {
  readonly transport: Transport
  readonly ended: Promise<TransportEnd>
  text = ''
  drains = 0
  #heard: (() => void) | undefined

  constructor(transport: Transport) {
    this.transport = transport
    this.ended = new Promise((resolve) => {
      transport.start({
        onChunk: (chunk) => {
          this.text += Buffer.from(chunk).toString()
          this.#heard?.()
        },
        onStderr: () => undefined,
        onDrain: () => {
          this.drains++
          this.#heard?.()
        },
        onEnd: resolve,
      })
    })
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text)

function held(): {
  readonly open: (signal: AbortSignal) => Promise<Reached>
  reach: (reached: Reached) => void
  fail: (error: Error) => void
} {
  let reach: (reached: Reached) => void = () => undefined
  let fail: (error: Error) => void = () => undefined
  const reached = new Promise<Reached>((resolve, reject) => {
    reach = resolve
    fail = reject
  })
  return { open: () => reached, reach: (value) => reach(value), fail: (error) => fail(error) }
}

describe('a deferred transport', () => {
  it('hands on what was written before the far end was there, and goes on', async () => {
    const way = held()
    const watched = new Watched(openDeferred({ address: 'somewhere', open: way.open }))
    expect(watched.transport.remoteAddress).toBe('somewhere')
    expect(watched.transport.write([bytes('one '), bytes('two ')])).toBe(true)
    way.reach({ transport: openProcess(['cat']) })
    await watched.until(() => watched.text === 'one two ')
    watched.transport.write([bytes('three')])
    watched.transport.endInput()
    expect((await watched.ended).exitCode).toBe(0)
    expect(watched.text).toBe('one two three')
  })

  it('takes a megabyte, then asks to wait', async () => {
    const way = held()
    const watched = new Watched(openDeferred({ address: 'somewhere', open: way.open }))
    expect(watched.transport.write([new Uint8Array(2 ** 20)])).toBe(true)
    expect(watched.transport.write([new Uint8Array(1)])).toBe(false)
    way.reach({ transport: openProcess(['wc', '-c']) })
    await watched.until(() => watched.drains > 0)
    watched.transport.endInput()
    await watched.ended
    expect(watched.text.trim()).toBe(String(2 ** 20 + 1))
  })

  it('ends with what the way failed with', async () => {
    const way = held()
    const watched = new Watched(openDeferred({ address: 'somewhere', open: way.open }))
    const error = new Error('no such place')
    way.fail(error)
    expect(await watched.ended).toEqual({ error })
  })

  it('gives up the way when it is killed, and ends what was reached all the same', async () => {
    let signal: AbortSignal | undefined
    const way = held()
    let hasEnded: () => void = () => undefined
    const innerEnded = new Promise<void>((resolve) => {
      hasEnded = resolve
    })
    const watched = new Watched(
      openDeferred({
        address: 'somewhere',
        open: (given) => {
          signal = given
          return way.open(given)
        },
      }),
    )
    watched.transport.kill('SIGKILL')
    expect((await watched.ended).error?.message).toMatch(/given up/)
    expect(signal?.aborted).toBe(true)
    way.reach({ transport: openProcess(['sleep', '60']), onEnd: hasEnded })
    await innerEnded
  })

  it('is opened anew, with all that was written, when it was turned away unheard', async () => {
    let attempts = 0
    const watched = new Watched(
      openDeferred({
        address: 'somewhere',
        open: async () => ({ transport: openProcess(attempts++ === 0 ? ['/no/such/program'] : ['cat']) }),
        mayReopen: () => true,
      }),
    )
    watched.transport.write([bytes('once')])
    await watched.until(() => watched.text === 'once')
    watched.transport.endInput()
    expect((await watched.ended).exitCode).toBe(0)
    expect(attempts).toBe(2)
  })
})
