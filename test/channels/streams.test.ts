// A channel's items as Web streams.
import { describe, expect, it } from 'vitest'
import { FarEnd } from './far-end.js'

async function readAll(stream: ReadableStream): Promise<unknown[]> {
  const items: unknown[] = []
  for await (const item of stream) items.push(item)
  return items
}

describe('readable', () => {
  it('gives all items and closes with the channel', async () => {
    const far = new FarEnd()
    far.deliver(1, 2)
    far.close()
    expect(await readAll(far.channel.readable)).toEqual([1, 2])
  })

  it('takes no item before somebody reads, so that the window stays in charge', async () => {
    const far = new FarEnd()
    far.deliver(1, 2)
    const reader = far.channel.readable.getReader()
    await new Promise(setImmediate)
    expect(far.consumed).toEqual([])
    expect(await reader.read()).toEqual({ done: false, value: 1 })
    await new Promise(setImmediate)
    expect(far.consumed).toEqual([1])
  })

  it('fails with the failure of the other side, after the items', async () => {
    const far = new FarEnd()
    far.deliver(1)
    far.close('why')
    const reader = far.channel.readable.getReader()
    expect(await reader.read()).toMatchObject({ value: 1 })
    await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_REMOTE', message: 'why' })
  })

  it('that is cancelled closes the channel', async () => {
    const far = new FarEnd()
    await far.channel.readable.cancel()
    expect(far.asked).toEqual([['close', undefined]])
  })

  it('is the same stream every time', () => {
    const { channel } = new FarEnd()
    expect(channel.readable).toBe(channel.readable)
    expect(channel.writable).toBe(channel.writable)
  })
})

describe('writable', () => {
  it('sends its chunks in order and says that no more will follow', async () => {
    const far = new FarEnd()
    const writer = far.channel.writable.getWriter()
    for (const item of [1, 2]) void writer.write(item)
    await writer.close()
    expect(far.asked).toEqual([['send', 1], ['send', 2], ['sendEnd']])
    expect(far.channel.isClosed).toBe(false)
  })

  it('writes the next item when the window has taken the one before', async () => {
    const far = new FarEnd()
    let settle: (taken: boolean) => void = () => undefined
    far.taken = new Promise((resolve) => {
      settle = resolve
    })
    const writer = far.channel.writable.getWriter()
    const writes = [writer.write(1), writer.write(2)]
    await new Promise(setImmediate)
    expect(far.asked).toEqual([['send', 1]])
    settle(true)
    await Promise.all(writes)
    expect(far.asked).toEqual([
      ['send', 1],
      ['send', 2],
    ])
  })

  it.each([
    [new Error('disk full'), 'disk full'],
    ['a text', 'a text'],
    [undefined, 'the stream was aborted'],
  ])('that is aborted with %s closes the channel with an error', async (reason, text) => {
    const far = new FarEnd()
    await far.channel.writable.abort(reason)
    expect(far.asked).toEqual([['close', text]])
  })

  it('fails when the channel is closed', async () => {
    const far = new FarEnd()
    far.close()
    await expect(far.channel.writable.getWriter().write(1)).rejects.toMatchObject({ code: 'ERR_CHANNEL_CLOSED' })
  })
})
