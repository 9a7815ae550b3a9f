// Connections over socket= under load and when one end of them dies: nothing is lost, nothing waits for ever.
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { type Channel, type Gateway, Group } from '../../src/index.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { expectUsable } from '../testbeds/fault.js'
import { Host } from '../testbeds/hosts.js'
import { noHosts, noInterpreter, noOpenssl, titled } from '../testbeds/needs.js'
import { startSocketServer } from '../testbeds/socket-server.js'

const MB = 1024 * 1024

/** Starts all that may wait on a gateway, and waits until it does. */
async function waitersOn(gateway: Gateway): Promise<Promise<unknown>[]> {
  const incoming = gateway.remoteExec('while True: channel.send(b"x" * (4 << 20))')
  await incoming.receive()
  const outgoing = gateway.remoteExec('channel.send(1)\nfor item in channel: pass')
  await outgoing.receive()
  const idle = gateway.remoteExec('channel.receive()')
  const waiters = [drain(incoming), fill(outgoing), idle.receive(), gateway.newChannel().receive(), idle.waitClose()]
  for (const waiter of waiters) waiter.catch(() => undefined) // they may end before anybody looks
  return waiters
}

async function drain(channel: Channel): Promise<void> {
  while (true) await channel.receive()
}

async function fill(channel: Channel): Promise<void> {
  const item = new Uint8Array(4 * MB)
  while (true) await channel.send(item)
}

async function expectAllEnd(waiters: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(waiters))
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_GATEWAY_CLOSED' } })
}

const ways: readonly [string, string[], string | undefined][] = [
  ['a plain connection', [], undefined],
  ['an encrypted connection', ['--tls'], noOpenssl],
]

describe.each(ways)('%s', (_, args, missing) => {
  it.skipIf(missing)(
    titled('carries 8 MB each way on 12 channels at once, and all of it arrives', missing),
    async () => {
      await using server = await startSocketServer({ args })
      await using group = new Group()
      const gateway = await group.makeGateway(server.spec)
      const echo = async (index: number): Promise<void> => {
        const channel = gateway.remoteExec('channel.send(channel.receive())')
        const sent = new Uint8Array(8 * MB).fill(index)
        sent[index] = 255
        await channel.send(sent)
        const received = await channel.receive()
        expect(Buffer.compare(Buffer.from(received as Uint8Array), sent)).toBe(0)
        await channel.waitClose()
      }
      await Promise.all(Array.from({ length: 12 }, (__, index) => echo(index)))
    },
  )

  it.skipIf(missing)(
    titled('carries both directions at once while neither end reads before it has sent', missing),
    async () => {
      await using server = await startSocketServer({ args })
      await using group = new Group()
      const gateway = await group.makeGateway(server.spec)
      const exchange = async (): Promise<void> => {
        const channel = gateway.remoteExec(stubborn)
        for (let sent = 0; sent < 40; sent++) await channel.send(new Uint8Array(MB))
        let bytes = 0
        for (let received = 0; received < 40; received++) bytes += ((await channel.receive()) as Uint8Array).length
        expect(bytes).toBe(40 * MB)
        expect(await channel.receive()).toBe(40 * MB)
      }
      await Promise.all([exchange(), exchange(), exchange()])
    },
  )

  it.skipIf(missing)(titled('that ends with its worker tells everybody who waits', missing), async () => {
    await using server = await startSocketServer({ args })
    const mark = new Mark()
    await using group = new Group()
    const gateway = await group.makeGateway(`${server.spec}//${mark.key}`)
    const waiters = await waitersOn(gateway)
    process.kill((await gateway.info()).pid, 'SIGKILL')
    await expectAllEnd(waiters)
    expect(await thoseThatStay(mark.pids)).toEqual([])
    await expectUsable()
  })

  it.skipIf(missing)(titled('that its controller breaks leaves no worker', missing), async () => {
    await using server = await startSocketServer({ args })
    const mark = new Mark()
    const group = new Group()
    const gateway = await group.makeGateway(`${server.spec}//${mark.key}`)
    const waiters = await waitersOn(gateway)
    await group.terminate()
    await Promise.allSettled(waiters)
    expect(await thoseThatStay(mark.pids)).toEqual([])
    expect(server.workers()).toEqual([])
    expect(server.log()).not.toContain('Traceback')
  })
})

// Two windows are full before anybody reads: 16 MiB each.
const stubborn = `
import threading
def send():
    for _ in range(40): channel.send(b"y" * (1 << 20))
sender = threading.Thread(target=send)
sender.start()
total = sum(len(channel.receive()) for _ in range(40))
sender.join()
channel.send(total)
`

describe('a server that is killed', () => {
  it.skipIf(noOpenssl)(titled('takes its encrypted connections with it', noOpenssl), async () => {
    await using server = await startSocketServer({ args: ['--tls'] })
    const mark = new Mark()
    await using group = new Group()
    const gateway = await group.makeGateway(`${server.spec}//${mark.key}`)
    const waiters = await waitersOn(gateway)
    const exited = once(server.child, 'exit')
    server.child.kill('SIGKILL')
    await exited
    await expectAllEnd(waiters)
    expect(await gateway.closed).toMatchObject({ reason: 'lost' })
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('leaves its plain connections, whose end is the end of everything', async () => {
    await using server = await startSocketServer()
    await using group = new Group()
    const gateway = await group.makeGateway(server.spec)
    const exited = once(server.child, 'exit')
    server.child.kill('SIGKILL')
    await exited
    const waiters = await waitersOn(gateway)
    process.kill((await gateway.info()).pid, 'SIGKILL')
    await expectAllEnd(waiters)
  })
})

describe.skipIf(noHosts)(titled('a host that is gone without a word', noHosts), () => {
  it('is noticed within half a minute, though nothing is sent', async () => {
    await using host = Host.start()
    await using server = await startSocketServer({ netns: host.netns, args: ['--host', host.address] })
    await using group = new Group()
    const gateway = await group.makeGateway(server.spec)
    const waiting = gateway.remoteExec('channel.receive()').receive()
    await gateway.remoteStatus()
    host.cutOff()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLOSED' })
    expect(await gateway.closed).toMatchObject({ reason: 'lost' })
  })
})

const python2 = findInterpreter('CPython 2.7')
const noPython2 = noInterpreter('CPython 2.7')
it.skipIf(noPython2)(
  titled('a server on Python 2.7 serves its own interpreter, and any other', noPython2),
  async () => {
    await using server = await startSocketServer({ python: python2?.command ?? '' })
    await using group = new Group()
    for (const [keys, major] of [
      ['', 2],
      [`//python=${anyInterpreter().command}`, 3],
    ] as const) {
      const gateway = await group.makeGateway(`${server.spec}${keys}`)
      expect(await gateway.remoteExec('import sys; channel.send(sys.version_info[0])').receive()).toBe(major)
    }
  },
)
