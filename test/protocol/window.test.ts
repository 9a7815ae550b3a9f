// What windows count. Who waits for room, and who is held to it, is in bounds.test.ts.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../src/errors.js'
import { itemCost, ReceiveWindow, SendWindow } from '../../src/protocol/window.js'

describe('the cost of an item', () => {
  it('is its payload and 128 bytes, so that a million empty items cost something', () => {
    expect([0, 1, 1000].map(itemCost)).toEqual([128, 129, 1128])
  })
})

describe('a send window', () => {
  it('has room until the bytes outstanding reach it, however large the last item is', () => {
    const window = new SendWindow(1000)
    window.take(999)
    expect(window.hasRoom).toBe(true)
    window.take(5000)
    expect(window.hasRoom).toBe(false)
  })

  it('has room again once enough has been given back', () => {
    const window = new SendWindow(1000)
    window.take(1500)
    window.giveBack(500)
    expect(window.hasRoom).toBe(false)
    window.giveBack(1)
    expect(window.hasRoom).toBe(true)
  })

  it('refuses credit for a byte more than is outstanding, and says how much is', () => {
    const window = new SendWindow(1000)
    window.take(300)
    expect(() => window.giveBack(301)).toThrow(new ProtocolError('CREDIT for 301 bytes when 300 are outstanding'))
    expect(() => window.giveBack(300)).not.toThrow()
  })
})

describe('a receive window', () => {
  it('gives back in batches of at least a quarter', () => {
    const window = new ReceiveWindow(1000)
    window.arrive(900)
    expect([249, 1, 249, 300].map((cost) => window.consume(cost))).toEqual([0, 250, 0, 549])
  })

  it('refuses an item that is started when the window is used up, held or not given back yet', () => {
    const window = new ReceiveWindow(1000)
    window.arrive(1000)
    window.consume(200)
    expect(() => window.start()).toThrow('1000 bytes of 1000 are outstanding')
    window.consume(50)
    expect(() => window.start()).not.toThrow()
    expect(window.held).toBe(750)
  })
})

describe('the two ends of a window', () => {
  it('never disagree: what the sender may start the receiver takes, however late the credit comes', () => {
    const step = fc.oneof(
      fc.constant('credit' as const),
      fc.constant('consume' as const),
      fc.integer({ min: 0, max: 700 }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const [sender, receiver] = [new SendWindow(1000), new ReceiveWindow(1000)]
        const [held, credits]: number[][] = [[], []]
        for (const step of steps) {
          if (step === 'credit') sender.giveBack(credits?.shift() ?? 0)
          else if (step === 'consume') credits?.push(receiver.consume(held?.shift() ?? 0))
          else if (sender.hasRoom) {
            receiver.start()
            sender.take(step)
            receiver.arrive(step)
            held?.push(step)
          }
        }
      }),
    )
  })
})
