// Groups: order, ids, opening together, failing together, ending together.
import { describe, expect, it, vi } from 'vitest'
import {
  BootstrapError,
  EndOfChannelError,
  Group,
  type PhaseEvent,
  ProvideError,
  XSpec,
  XSpecError,
} from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'

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

  it('has gateways, and channels of theirs, that JSON shows without the values of variables', async () => {
    await using group = await Group.open([`${popen}//id=a//env:SECRET=hunter2`])
    const gateway = group.get('a')
    const channel = gateway.newChannel()
    const shown = { id: 'a', spec: `${popen}//id=a//env:SECRET=…` }
    const parts = [gateway, gateway.with({ timeout: 1000 }), channel]
    expect(JSON.parse(JSON.stringify(parts))).toEqual([shown, shown, { id: channel.id, gateway: shown }])
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

  it.each([
    ['what the system refuses to start at once', 'popen//python=/etc/passwd/python', /ENOTDIR/],
    [
      'what is too long for it',
      `popen//env:LONG=${'x'.repeat(140_000)}`,
      /more than this system.*E2BIG.*Shorten env:NAME=/,
    ],
    ['an interpreter that is not there', 'popen//python=/no/such/python', /does not exist/],
  ])('rejects `ready` and its channels with a BootstrapError for %s', async (_, spec, message) => {
    await using group = new Group()
    const gateway = group.launchGateway(spec)
    const channel = gateway.remoteExec('pass')
    await expect(gateway.ready).rejects.toThrow(BootstrapError)
    await expect(gateway.ready).rejects.toThrow(message)
    await expect(channel.receive()).rejects.toThrow(BootstrapError)
    expect(group.size).toBe(0)
  })

  it.each([
    ['a carrier', 'popen//via=nobody', XSpecError, /via=nobody names no gateway/],
    ['a token', 'socket=127.0.0.1:1//token_file=/no/such/token', XSpecError, /token/],
    ['certificates', 'socket=127.0.0.1:1//tls//insecure//ca=/no/such/ca', XSpecError, /ca=/],
    ['an ssh configuration', 'ssh=web1//ssh_config=/no/such/config', XSpecError, /no\/such\/config/],
    ['a placeholder', 'command=a {b}', XSpecError, /command/],
    ['a name of a container', 'docker=--rm', XSpecError, /docker/],
    ['roots', 'popen//roots=/no/such/folder', ProvideError, /no\/such\/folder: ENOENT/],
    ['a package', 'popen//provide=no_such_package', ProvideError, /no_such_package/],
  ])(
    'rejects `ready` and its channels with what is wrong when there is not what the spec names: %s',
    async (_, spec, kind, message) => {
      const onPhase = vi.fn<(event: PhaseEvent) => void>()
      await using group = new Group({ onPhase })
      const gateway = group.launchGateway(spec)
      const failures = [gateway.ready, gateway.remoteExec('pass').waitClose(), gateway.call('abs', [1])]
      for (const failure of failures.map((each) => each.catch((error: unknown) => error))) {
        expect(await failure).toBeInstanceOf(kind)
        expect(String(await failure)).toMatch(message)
      }
      expect((await gateway.closed).error).toBeInstanceOf(kind)
      expect(onPhase.mock.lastCall?.[0].error).toBeInstanceOf(kind)
      expect(group.size).toBe(0)
      await expect(group.makeGateway(spec)).rejects.toThrow(kind)
    },
  )

  it('throws what is wrong with the text of a spec, whose writer is told at once', () => {
    const group = new Group()
    for (const spec of ['popen//pyhton=python3', 'nothing=1', 'popen//ssh=web1', '2*popen'])
      expect(() => group.launchGateway(spec)).toThrow(XSpecError)
    expect(group.size).toBe(0)
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
    for (const spec of [undefined, '']) {
      const gateway = await group.makeGateway(spec)
      expect(await gateway.remoteExec('import os; channel.send(os.environ["MARK"])').receive()).toBe('default')
    }
  })

  it('closes the others when one cannot be opened, with an error that names the spec', async () => {
    const mark = new Mark()
    const opening = Group.open([`2*${popen}//${mark.key}`, 'popen//python=/nowhere/python'])
    await expect(opening).rejects.toThrow(BootstrapError)
    await expect(opening).rejects.toThrow('popen//python=/nowhere/python')
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('starts nothing when two specs have one id, or one cannot be read', async () => {
    const mark = new Mark()
    await expect(Group.open([`${popen}//id=a//${mark.key}`, `${popen}//id=a`])).rejects.toThrow(XSpecError)
    await expect(Group.open([`${popen}//${mark.key}`, 'popen//pyhton=x'])).rejects.toThrow('did you mean "python"')
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('stops opening when it is told to', async () => {
    const mark = new Mark()
    const reason = new Error('no longer wanted')
    const controller = new AbortController()
    const opening = Group.open([popen, `popen//python=sh -c 'sleep 1000'//${mark.key}`], { signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    await expect(opening).rejects.toBe(reason)
    expect(await thoseThatStay(mark.pids)).toEqual([])
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
