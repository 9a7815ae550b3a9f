// Several channels treated as one.
import { describe, expect, it } from 'vitest'
import { MultiChannel } from '../../src/channels/multi-channel.js'
import { ChannelClosedError, EndOfChannelError, LoadError, RemoteError, TimeoutError } from '../../src/errors.js'
import { FarEnd } from './far-end.js'

function farEnds(count: number): FarEnd[] {
  return Array.from({ length: count }, (_, at) => new FarEnd(2 * at + 1))
}

function multi(fars: readonly FarEnd[]): MultiChannel<unknown, unknown, string> {
  return new MultiChannel(fars.map((far) => far.channel))
}

describe('the channels of a MultiChannel', () => {
  it('are counted, found from both ends, and iterated in their order', () => {
    const fars = farEnds(3)
    const channels = multi(fars)
    expect([channels.length, channels.at(0).id, channels.at(-1).id]).toEqual([3, 1, 5])
    expect([...channels]).toEqual(fars.map((far) => far.channel))
  })

  it('are not found beyond the last', () => {
    expect(() => multi(farEnds(2)).at(2)).toThrow(new RangeError('no channel 2: there are 2'))
  })
})

describe('sendEach', () => {
  it('sends on every channel', async () => {
    const fars = farEnds(2)
    await multi(fars).sendEach('item')
    expect(fars.map((far) => far.asked)).toEqual([[['send', 'item']], [['send', 'item']]])
  })

  it('sends on those that are open, and rejects with the failure of the one that is not', async () => {
    const fars = farEnds(3)
    fars[1]!.close()
    await expect(multi(fars).sendEach('item')).rejects.toThrow(ChannelClosedError)
    expect(fars.map((far) => far.asked.length)).toEqual([1, 0, 1])
  })

  it('rejects with an AggregateError when several failed', async () => {
    const fars = farEnds(3)
    for (const far of fars.slice(1)) far.close()
    const failure = { name: 'AggregateError', message: '2 of 3 channels failed' }
    await expect(multi(fars).sendEach('item')).rejects.toMatchObject(failure)
  })
})

describe('receiveEach', () => {
  it('gives an item of every channel in the order of the channels, whatever that of arrival', async () => {
    const fars = farEnds(3)
    const items = multi(fars).receiveEach()
    for (const [at, far] of [...fars.entries()].reverse()) far.deliver(at)
    expect(await items).toEqual([0, 1, 2])
  })

  it('warns of no leak, however many channels there are', async () => {
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    const fars = farEnds(20)
    const items = multi(fars).receiveEach()
    for (const far of fars) far.deliver('item')
    await items
    await new Promise(setImmediate)
    process.off('warning', note)
    expect(warnings).toEqual([])
  })

  it('gives the channels too, when asked', async () => {
    const fars = farEnds(2)
    for (const far of fars) far.deliver('item')
    expect(await multi(fars).receiveEach({ withChannel: true })).toEqual(fars.map((far) => [far.channel, 'item']))
  })

  it.each([
    ['one channel fails', (far: FarEnd) => far.close('why'), RemoteError],
    ['one channel ends', (far: FarEnd) => far.close(), EndOfChannelError],
    ['the time is up', () => undefined, TimeoutError],
  ])('loses no item when %s', async (_, end, errorClass) => {
    const fars = farEnds(3)
    fars[0]!.deliver('first', 'second')
    const each = multi(fars).receiveEach({ timeout: 20 })
    end(fars[1]!)
    await expect(each).rejects.toThrow(errorClass)
    fars[2]!.deliver('late')
    const items = [fars[0]!, fars[0]!, fars[2]!].map((far) => far.channel.receive({ timeout: 0 }))
    expect(await Promise.all(items)).toEqual(['first', 'second', 'late'])
  })

  it('lets nobody wait when it has failed, and does not keep the process alive', async () => {
    const fars = farEnds(2)
    const each = multi(fars).receiveEach()
    fars[0]!.close('why')
    await expect(each).rejects.toThrow('why')
    expect(fars.map((far) => far.holds)).toEqual([0, 0])
  })

  it('rejects with the reason of an abort', async () => {
    await expect(multi(farEnds(2)).receiveEach({ signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
  })

  it('rejects with the error of an item that cannot be decoded', async () => {
    const fars = farEnds(2)
    for (const far of fars) far.deliver(far.channel.id === 1 ? new LoadError('no pickle') : 1)
    await expect(multi(fars).receiveEach()).rejects.toThrow(LoadError)
  })

  it('of no channels is no items', async () => {
    expect(await multi([]).receiveEach()).toEqual([])
  })
})

describe('waitClose', () => {
  it('waits for all, and then rejects with the one failure', async () => {
    const fars = farEnds(3)
    let isOver = false
    const waiting = multi(fars).waitClose()
    void waiting
      .catch(() => undefined)
      .then(() => {
        isOver = true
      })
    fars[0]!.close('why')
    fars[1]!.close()
    await new Promise(setImmediate)
    expect(isOver).toBe(false)
    fars[2]!.close()
    await expect(waiting).rejects.toThrow(RemoteError)
  })

  it('rejects with all failures when there are several', async () => {
    const fars = farEnds(3)
    for (const [at, far] of fars.entries()) far.close(at === 0 ? undefined : `why ${at}`)
    await expect(multi(fars).waitClose()).rejects.toMatchObject({
      errors: [{ message: 'why 1' }, { message: 'why 2' }],
    })
  })
})
