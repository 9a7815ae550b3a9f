// A timeout that can stand still.
import { describe, expect, it } from 'vitest'
import { Countdown } from '../../src/gateways/countdown.js'

/** A countdown, what it has rung, and a promise of the first time. */
function ringing(durationMs: number): { countdown: Countdown; rings: () => number; rang: Promise<void> } {
  let count = 0
  let ring = (): void => undefined
  const rang = new Promise<void>((resolve) => {
    ring = resolve
  })
  const countdown = new Countdown(durationMs, () => {
    count++
    ring()
  })
  return { countdown, rings: () => count, rang }
}

/** Resolves well after anything that had less time has rung. */
async function later(): Promise<void> {
  const { countdown, rang } = ringing(30)
  countdown.start()
  await rang
}

describe('Countdown', () => {
  it('rings once when its time is up, and not before it was started', async () => {
    const { countdown, rings, rang } = ringing(1)
    await later()
    expect(rings()).toBe(0)
    countdown.start()
    countdown.start()
    await rang
    await later()
    expect(rings()).toBe(1)
  })

  it('stands still until everybody who paused it has resumed it', async () => {
    const { countdown, rings, rang } = ringing(1)
    const [first, second] = [countdown.pause(), countdown.pause()]
    countdown.start()
    first()
    first() // counts once
    await later()
    expect(rings()).toBe(0)
    second()
    await rang
  })

  it('rings though it is paused again and again', async () => {
    const { countdown, rang } = ringing(50)
    countdown.start()
    const interval = setInterval(() => countdown.pause()(), 5)
    await rang
    clearInterval(interval)
  })

  it('never rings when it was stopped, also by resuming', async () => {
    const { countdown, rings } = ringing(1)
    countdown.start()
    const resume = countdown.pause()
    countdown.stop()
    resume()
    countdown.start()
    await later()
    expect(rings()).toBe(0)
  })
})
