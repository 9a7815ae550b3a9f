// Groups: order, ids, opening together, failing together, ending together.
import { describe, expect, it } from 'vitest'
import { BootstrapError, EndOfChannelError, Group, XSpec, XSpecError } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { Mark, notGoneWithin } from '../processes.js'

const popen = `popen//python=${anyInterpreter().command}`

describe('Group', () => {
  it('keeps the order of its specs, whatever their ids', async () => {
    await using group = await Group.open([`${popen}//id=3`, `${popen}//id=2`, `${popen}//id=5`])
    expect([...group].map(({ id }) => id)).toEqual(['3', '2', '5'])
    expect([group.size, group.has('2'), group.has('4')]).toEqual([3, true, false])
    expect([group.get('2'), group.get(1), group.get(-1)].map(({ id }) => id)).toEqual(['2', '2', '5'])
    expect(() => group.get('4')).toThrow(RangeError)
    expect(() => group.get(3)).toThrow(RangeError)
  })

  it('is empty after terminate, and can be used again', async () => {
    await using group = await Group.open([`2*${popen}`])
    expect([...group].map(({ id }) => id)).toEqual(['gw0', 'gw1'])
    await group.terminate()
    expect(group.size).toBe(0)
    await group.terminate()
    const gateway = await group.makeGateway(popen)
    expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('gives a spec the id that its gateway will have', async () => {
    await using group = new Group()
    const [spec, taken] = [XSpec.parse(popen), XSpec.parse(`${popen}//id=gw1`)]
    group.allocateId(spec)
    expect(spec.id).toBe('gw0')
    expect([(await group.makeGateway(spec)).id, (await group.makeGateway(taken)).id]).toEqual(['gw0', 'gw1'])
    expect((await group.makeGateway(popen)).id).toBe('gw2')
    expect(() => group.allocateId(XSpec.parse('popen//id=gw1'))).toThrow('already have a gateway with id "gw1"')
  })

  it('forgets a gateway that ends by itself', async () => {
    await using group = await Group.open([`2*${popen}`])
    const first = group.get(0)
    first.remoteExec('import os; os._exit(0)')
    await first.closed
    expect([...group].map(({ id }) => id)).toEqual(['gw1'])
  })

  it('opens gateways of its default spec', async () => {
    await using group = new Group({ defaultSpec: `${popen}//env:MARK=default` })
    const gateway = await group.makeGateway()
    expect(await gateway.remoteExec('import os; channel.send(os.environ["MARK"])').receive()).toBe('default')
  })

  it('closes the others when one cannot be opened, with an error that names the spec', async () => {
    const mark = new Mark()
    const opening = Group.open([`2*${popen}//${mark.key}`, 'popen//python=/nowhere/python'])
    await expect(opening).rejects.toThrow(BootstrapError)
    await expect(opening).rejects.toThrow('popen//python=/nowhere/python')
    expect(await notGoneWithin(500, mark.pids)).toEqual([])
  })

  it('starts nothing when two specs have one id, or one cannot be read', async () => {
    const mark = new Mark()
    await expect(Group.open([`${popen}//id=a//${mark.key}`, `${popen}//id=a`])).rejects.toThrow(XSpecError)
    await expect(Group.open([`${popen}//${mark.key}`, 'popen//pyhton=x'])).rejects.toThrow('did you mean "python"')
    expect(await notGoneWithin(500, mark.pids)).toEqual([])
  })

  it('stops opening when it is told to', async () => {
    const mark = new Mark()
    const reason = new Error('no longer wanted')
    const controller = new AbortController()
    const opening = Group.open([popen, `popen//python=sh -c 'sleep 1000'//${mark.key}`], { signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    await expect(opening).rejects.toBe(reason)
    expect(await notGoneWithin(500, mark.pids)).toEqual([])
  })

  it('sends to each and receives from each in order', async () => {
    await using group = await Group.open([`3*${popen}`])
    const channels = group.remoteExec<number, number>('channel.send(channel.receive() + 1)')
    await channels.sendEach(41)
    const received = await channels.receiveEach({ withChannel: true })
    expect(received.map(([channel, item]) => [channel.gateway.id, item])).toEqual([
      ['gw0', 42],
      ['gw1', 42],
      ['gw2', 42],
    ])
    await channels.waitClose()
    await expect(channels.receiveEach()).rejects.toThrow(EndOfChannelError)
  })

  it('gathers several failures', async () => {
    await using group = await Group.open([`2*${popen}`])
    const failing = group.remoteExec('raise ValueError("17")')
    await expect(failing.waitClose()).rejects.toThrow(AggregateError)
  })

  it('gathers items as they come, and one endmarker of each channel when the group is terminated', async () => {
    await using group = await Group.open([`3*${popen}`])
    const channels = group.remoteExec<number | string, number>('channel.send(channel.receive() + 1); channel.receive()')
    const queue = channels.makeReceiveQueue({ endmarker: 'end' })
    expect(channels.makeReceiveQueue()).toBe(queue)
    await channels.at(1).send(1)
    expect(await queue.get()).toEqual([channels.at(1), 2])
    await group.terminate()
    const ends = []
    for await (const [channel, item] of queue) ends.push([channel.gateway.id, item])
    expect(ends.sort()).toEqual([
      ['gw0', 'end'],
      ['gw1', 'end'],
      ['gw2', 'end'],
    ])
  })

  it('gives endmarkers when workers are killed', async () => {
    await using group = await Group.open([`2*${popen}`])
    const queue = group.remoteExec('import os; os.kill(os.getpid(), 9)').makeReceiveQueue({ endmarker: null })
    expect([(await queue.get())[1], (await queue.get())[1]]).toEqual([null, null])
    await expect(queue.get()).rejects.toThrow(EndOfChannelError)
  })
})
