// Connections that are lost while items are on their way: everybody who waits learns it in time, and neither side keeps anything.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Channel, type Gateway, Group, TendrilError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { thoseThatStay } from '../processes.js'
import { expectUsable, workers } from '../testbeds/fault.js'
import { type Direction, Host } from '../testbeds/hosts.js'
import { noHosts, noSshd, titled } from '../testbeds/needs.js'
import { type Sshd, type SshdOptions, startSshd } from '../testbeds/sshd.js'
import { until } from '../waiting.js'

const engines = ['ssh2', 'openssh'] as const
const python = `python=${anyInterpreter().command}`

// A second without an answer, three times: TCP itself would try for a quarter of an hour.
const alive = ['ServerAliveInterval 1', 'ServerAliveCountMax 2']

/** Starts items in both directions, and waits for all that ends with the gateway. */
async function waitersOn(gateway: Gateway): Promise<Promise<unknown>[]> {
  const incoming = gateway.remoteExec('while True: channel.send(b"x" * (16 << 20))')
  await incoming.receive()
  const outgoing = gateway.remoteExec('channel.send(1)\nfor item in channel: pass')
  await outgoing.receive()
  const idle = gateway.remoteExec('channel.receive()')
  const waiters = [
    drain(incoming),
    fill(outgoing),
    outgoing.waitClose(),
    idle.receive(),
    gateway.newChannel().receive(),
  ]
  for (const waiter of waiters) waiter.catch(() => undefined) // they may end before anybody looks
  return waiters
}

async function drain(channel: Channel): Promise<void> {
  while (true) await channel.receive()
}

async function fill(channel: Channel): Promise<void> {
  const item = new Uint8Array(16 * 1024 * 1024)
  while (true) await channel.send(item)
}

async function expectAllEnd(waiters: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(waiters)
  for (const outcome of outcomes)
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_GATEWAY_CLOSED' } })
}

describe.skipIf(noSshd).each(engines)(titled('a gateway by the %s engine', noSshd), (engine) => {
  const group = new Group()
  afterEach(async () => void (await group.terminate()))
  const open = ({ spec }: Sshd, ...keys: string[]): Promise<Gateway> =>
    group.makeGateway([spec, `engine=${engine}`, python, ...keys].join('//'))

  it('ends everything when its sshd is killed mid-item, and so does its worker', async () => {
    await using sshd = await startSshd()
    const gateway = await open(sshd)
    const waiters = await waitersOn(gateway)
    expect(sshd.server.workers()).not.toEqual([])
    await sshd.server.crash()
    await expectAllEnd(waiters)
    expect(await gateway.closed).toMatchObject({ reason: 'lost' })
    expect(await workers(sshd.server)).toEqual([])
    await expectUsable()
  })

  it('that is lost before its interpreter says a word sends nobody to look for another one', async () => {
    await using sshd = await startSshd()
    const phases: string[] = []
    await using telling = new Group({ onPhase: ({ phase }) => phases.push(phase) })
    // The server knows of the session first: a ssh that does not know of it yet takes it for refused, and logs in anew.
    const spec = `${sshd.spec}//engine=${engine}//python=sh -c 'echo here >&2; sleep 1000'`
    const opening = errorOf(telling.makeGateway(spec))
    await until(() => phases.includes('python'))
    await sshd.server.crash()
    expect(await opening).toMatchObject({ code: 'ERR_BOOTSTRAP', message: expect.stringContaining('tendril doctor') })
    expect(await opening).not.toMatchObject({ message: expect.stringContaining('python= key') })
  })

  it('ends with those that share its connection, and a new one is opened on a new connection', async () => {
    await using sshd = await startSshd()
    const gateways = [await open(sshd), await open(sshd)]
    await sshd.server.killSessions()
    for (const gateway of gateways) expect(await gateway.closed).toMatchObject({ reason: 'lost' })
    expect(await (await open(sshd)).remoteExec('channel.send(1)').receive()).toBe(1)
  })

  // Of OpenSSH only the master knows whether the host says anything, and its keepalive decides.
  const notOurs = engine === 'ssh2' ? undefined : 'that is for the master of ssh to know'
  it.skipIf(notOurs)(
    titled('does not stand in the way of a new one when its connection is mute', notOurs),
    async () => {
      await using sshd = await startSshd()
      const first = await open(sshd)
      const processes = sshd.server.pids().filter((pid) => !sshd.server.workers().includes(pid))
      for (const pid of processes) process.kill(pid, 'SIGSTOP')
      expect(await (await open(sshd)).remoteExec('channel.send(1)').receive()).toBe(1)
      expect(await first.closed).toMatchObject({ reason: 'lost' })
    },
  )

  it('leaves nothing on the host when it is terminated', async () => {
    await using sshd = await startSshd()
    const gateway = await open(sshd)
    // In peace each ends in its own way: the code there may have a last word.
    const waiters = await waitersOn(gateway)
    await gateway.terminate({ timeout: 500 })
    for (const outcome of await Promise.allSettled(waiters))
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(TendrilError)
    expect(await workers(sshd.server)).toEqual([])
  })

  describe.skipIf(noHosts)(titled('to a host of its own', noHosts), () => {
    let host: Host
    beforeEach(() => {
      host = Host.start()
    })
    afterEach(() => host.stop())
    /** Both sides ask whether the other is there, as users who care configure them. */
    const serve = (options: SshdOptions = {}): Promise<Sshd> =>
      startSshd({
        ...host,
        port: 22,
        clientConfig: alive,
        config: ['ClientAliveInterval 1', 'ClientAliveCountMax 2'],
        ...options,
      })

    it.for<Direction>(['in', 'out', 'both'])('ends mid-item when packets are lost: %s', async (direction) => {
      await using sshd = await serve()
      const gateway = await open(sshd)
      const waiters = await waitersOn(gateway)
      host.cutOff(direction)
      await expectAllEnd(waiters)
      expect(await gateway.closed).toMatchObject({ reason: 'lost' })
      expect(await thoseThatStay(sshd.server.workers)).toEqual([])
      await expectUsable()
    })

    it('ends when packets are lost while nothing is asked of it', async () => {
      await using sshd = await serve()
      const gateway = await open(sshd)
      host.cutOff()
      expect(await gateway.closed).toMatchObject({ reason: 'lost' })
    })

    it('ends when the host has forgotten the connection', async () => {
      await using sshd = await serve()
      const gateway = await open(sshd)
      const waiters = await waitersOn(gateway)
      host.rejectAll()
      await expectAllEnd(waiters)
      expect(await gateway.closed).toMatchObject({ reason: 'lost' })
    })

    it('is terminated in time while packets are lost', async () => {
      await using sshd = await serve({ clientConfig: [] })
      const gateway = await open(sshd)
      const waiters = await waitersOn(gateway)
      host.cutOff()
      await gateway.terminate({ timeout: 500 })
      await expectAllEnd(waiters)
    })

    it('is not opened on a connection that is dead and does not know it yet', async () => {
      await using sshd = await serve({ clientConfig: [] })
      await open(sshd)
      host.cutOff()
      const opening = open(sshd, 'timeout=1s', 'id=second')
      await expect(opening).rejects.toMatchObject({ code: 'ERR_BOOTSTRAP' })
      host.restore()
    })
  })
})
