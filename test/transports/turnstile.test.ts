// So many at a time, first come, first served.
import { expect, it } from 'vitest'
import { Turnstile } from '../../src/transports/turnstile.js'

const never = new AbortController().signal

it('lets through as many as it has places, in their order', async () => {
  const turnstile = new Turnstile(2)
  const order: number[] = []
  const leaves = [await turnstile.enter(never), await turnstile.enter(never)]
  const later = [3, 4, 5].map(async (n) => {
    const leave = await turnstile.enter(never)
    order.push(n)
    leave()
  })
  expect(order).toEqual([])
  leaves[0]?.()
  await Promise.all(later)
  expect(order).toEqual([3, 4, 5])
})

it('keeps no place for who gave up', async () => {
  const turnstile = new Turnstile(1)
  const leave = await turnstile.enter(never)
  const abort = new AbortController()
  const givenUp = turnstile.enter(abort.signal)
  const next = turnstile.enter(never)
  abort.abort(new Error('enough'))
  await expect(givenUp).rejects.toThrow('enough')
  leave()
  ;(await next)()
  ;(await turnstile.enter(never))()
  await expect(turnstile.enter(abort.signal)).rejects.toThrow('enough')
})
