// One way that several go together.
import { describe, expect, it } from 'vitest'
import type { Question } from '../../src/transports/connecting.js'
import { JoinedConnecting } from '../../src/transports/joined-connecting.js'
import { Traveller } from './ssh/traveller.js'

const question: Question = { kind: 'password', from: 'me@web1', text: 'Password of me@web1', echo: false }

function together(...travellers: Traveller[]): { way: JoinedConnecting; leaves: (() => void)[] } {
  const way = new JoinedConnecting()
  return { way, leaves: travellers.map((each) => way.join(each)) }
}

describe('a way that several go', () => {
  it('shows its phases to all, and the last one to who comes later', () => {
    const [first, second, late] = [new Traveller(), new Traveller(), new Traveller()]
    const { way } = together(first, second)
    way.enter('connect', 'web1 port 22')
    way.enter('host key')
    way.join(late)
    way.enter('authenticate')
    expect(first.told).toEqual(['connect: web1 port 22', 'host key', 'authenticate'])
    expect(second.told).toEqual(first.told)
    expect(late.told).toEqual(['host key', 'authenticate'])
  })

  it('tells nothing to who has left', () => {
    const traveller = new Traveller()
    const { way, leaves } = together(traveller, new Traveller())
    leaves[0]?.()
    way.enter('connect')
    expect(traveller.told).toEqual([])
  })

  it('is given up when all have, and not before', () => {
    const [first, second] = [new Traveller(), new Traveller()]
    const { way, leaves } = together(first, second)
    first.giveUp()
    leaves[0]?.()
    expect(way.signal.aborted).toBe(false)
    leaves[1]?.()
    expect(way.signal.aborted).toBe(true)
  })

  it('is not given up by those who leave at its end', () => {
    const { way, leaves } = together(new Traveller())
    way.arrive()
    leaves[0]?.()
    expect(way.signal.aborted).toBe(false)
  })
})

describe('a question on it', () => {
  it('goes to the next until somebody answers, and to nobody after that', async () => {
    const [silent, one, other] = [new Traveller(), new Traveller('17'), new Traveller('18')]
    const { way } = together(silent, one, other)
    expect(await way.ask(question)).toBe('17')
    expect([silent.asked, one.asked, other.asked]).toEqual([[question.text], [question.text], []])
  })

  it('has no answer when nobody has one', async () => {
    expect(await together(new Traveller(), new Traveller()).way.ask(question)).toBeUndefined()
  })

  it('stops the clocks of all until it is answered', async () => {
    const [asked, waiting] = [new Traveller('17'), new Traveller()]
    const { way } = together(asked, waiting)
    const answer = way.ask(question)
    expect([asked.pauses, waiting.pauses]).toEqual([1, 1])
    await answer
    expect([asked.pauses, waiting.pauses]).toEqual([0, 0])
  })
})

describe('the clocks of those who go it', () => {
  it('stand still until the last has let go of them', () => {
    const traveller = new Traveller()
    const { way } = together(traveller)
    const [resume, resumeToo] = [way.pause(), way.pause()]
    resume()
    resume()
    expect(traveller.pauses).toBe(1)
    resumeToo()
    expect(traveller.pauses).toBe(0)
  })

  it('stand still for who comes meanwhile, and go on for who leaves', () => {
    const { way } = together(new Traveller())
    const resume = way.pause()
    const late = new Traveller()
    const leave = way.join(late)
    expect(late.pauses).toBe(1)
    leave()
    expect(late.pauses).toBe(0)
    resume()
    expect(late.pauses).toBe(0)
  })
})
