// Waiting that can be given up.
import { describe, expect, it } from 'vitest'
import { unlessAborted } from '../../src/transports/unless-aborted.js'

const never = new AbortController().signal

describe('unlessAborted', () => {
  it('comes to what the promise comes to', async () => {
    expect(await unlessAborted(Promise.resolve(17), never)).toBe(17)
    await expect(unlessAborted(Promise.reject(new Error('no')), never)).rejects.toThrow('no')
  })

  it('gives up with the reason of the abort, before or meanwhile, whatever becomes of the promise', async () => {
    const abort = new AbortController()
    let fail: (error: Error) => void = () => undefined
    const value = new Promise((_, reject) => {
      fail = reject
    })
    const waiting = unlessAborted(value, abort.signal)
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(unlessAborted(value, abort.signal)).rejects.toThrow('enough')
    fail(new Error('nobody hears of this'))
  })
})
