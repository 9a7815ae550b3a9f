// Items that wait for people and people who wait for items.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ENDED, ItemQueue, TIMED_OUT } from '../../src/channels/item-queue.js'

function queueOf<T>(...items: T[]): ItemQueue<T> {
  const queue = new ItemQueue<T>()
  for (const item of items) queue.push(item)
  return queue
}

describe('a queue', () => {
  it('gives the oldest item first', async () => {
    const queue = queueOf(1, 2, 3)
    expect([queue.shift(), await queue.take(), queue.shift(), queue.shift()]).toEqual([1, 2, 3, undefined])
  })

  it('gives an item to whoever has waited longest', async () => {
    const queue = queueOf<number>()
    const waiting = [queue.take(), queue.take({ timeout: 10_000 }), queue.take()]
    for (const item of [1, 2, 3]) queue.push(item)
    expect(await Promise.all(waiting)).toEqual([1, 2, 3])
    expect(queue.length).toBe(0)
  })

  it('gives an item to whoever has waited longest, also where others gave up, and when it was empty in between', async () => {
    const queue = new ItemQueue<number>()
    for (let round = 0; round < 3; round++) {
      const controller = new AbortController()
      const waits = Array.from({ length: 6 }, (_, index) =>
        queue.take(index % 3 === 0 ? { signal: controller.signal } : {}).catch(() => 'gave up'),
      )
      controller.abort()
      for (let item = 0; item < 5; item++) queue.push(item)
      expect(await Promise.all(waits)).toEqual(['gave up', 0, 1, 'gave up', 2, 3])
      expect(queue.shift()).toBe(4)
    }
  })

  it('gives what was put back to whoever waits, or else first', async () => {
    const queue = queueOf<number>()
    const waiting = queue.take()
    queue.unshift(1)
    expect(await waiting).toBe(1)
    for (const item of [3, 4]) queue.push(item)
    queue.shift()
    queue.unshift(2)
    expect([queue.shift(), queue.shift(), queue.length]).toEqual([2, 4, 0])
  })

  it('gives all that is left when it is drained, and goes on', () => {
    const queue = queueOf(1, 2, 3)
    queue.shift()
    expect(queue.drain()).toEqual([2, 3])
    queue.push(4)
    expect([queue.length, queue.shift()]).toEqual([1, 4])
  })

  it('is a list, for any pushes, takes and put-backs', () => {
    const step = fc.constantFrom('push', 'push', 'push', 'shift', 'shift', 'unshift', 'drain')
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = queueOf<number>()
        const list: number[] = []
        for (const [at, verb] of steps.entries()) {
          if (verb === 'shift') expect(queue.shift()).toBe(list.shift())
          else if (verb === 'drain') expect(queue.drain()).toEqual(list.splice(0))
          else {
            queue[verb as 'push' | 'unshift'](at)
            list[verb as 'push' | 'unshift'](at)
          }
          expect(queue.length).toBe(list.length)
        }
      }),
    )
  })

  it('keeps its order when thousands pass while it is never empty', () => {
    const queue = queueOf(...Array.from({ length: 3000 }, (_, at) => at))
    for (let at = 0; at < 20_000; at++) {
      expect(queue.shift()).toBe(at)
      queue.push(3000 + at)
    }
    expect(queue.length).toBe(3000)
  })
})

describe('the end', () => {
  it('reaches everybody who waits and everybody who comes later', async () => {
    const queue = queueOf<number>()
    const waiting = [queue.take(), queue.take({ timeout: 10_000 })]
    queue.end()
    expect(await Promise.all([...waiting, queue.take(), queue.take({ timeout: 0 })])).toEqual(Array(4).fill(ENDED))
  })

  it('stands behind the items that came before it', async () => {
    const queue = queueOf(1)
    queue.end()
    expect([await queue.take(), await queue.take()]).toEqual([1, ENDED])
    expect(queue.isEnded).toBe(true)
  })
})

describe('waiting', () => {
  it('ends when the time is up, and takes nothing', async () => {
    const queue = queueOf<number>()
    expect(await queue.take({ timeout: 5 })).toBe(TIMED_OUT)
    queue.push(1)
    expect(queue.length).toBe(1)
  })

  it('for no time at all gives an item that is there', async () => {
    expect(await queueOf(1).take({ timeout: 0 })).toBe(1)
    expect(await queueOf().take({ timeout: 0 })).toBe(TIMED_OUT)
  })

  it('ends with the reason of an abort, before and amid it, and takes nothing', async () => {
    const queue = queueOf<number>()
    const controller = new AbortController()
    const waiting = queue.take({ signal: controller.signal, timeout: 10_000 })
    controller.abort('enough')
    await expect(waiting).rejects.toBe('enough')
    queue.push(1)
    await expect(queue.take({ signal: controller.signal })).rejects.toBe('enough')
    expect(queue.length).toBe(1)
  })

  it.each([2 ** 31, 1e12, Number.POSITIVE_INFINITY])('for %d ms does not end at once', async (timeout) => {
    const queue = queueOf<number>()
    const waiting = queue.take({ timeout })
    expect(await Promise.race([waiting, queueOf().take({ timeout: 20 })])).toBe(TIMED_OUT)
    queue.push(1)
    expect(await waiting).toBe(1)
  })
})
