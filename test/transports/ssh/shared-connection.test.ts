// The one connection to a host: who shares it, how long it stays, and that none is left over. The server is ssh2's own.
import { describe, expect, it } from 'vitest'
import type { SshEngine } from '../../../src/gateways/kinds/ssh/connection.js'
import { SharedConnection } from '../../../src/gateways/kinds/ssh/shared-connection.js'
import { ssh2Engine } from '../../../src/gateways/kinds/ssh/ssh2-engine.js'
import { acceptKey, type Ssh2Server, startSsh2Server } from '../../testbeds/ssh2-server.js'
import { eventually } from '../../waiting.js'
import { byFiles } from './scratch.js'
import { Traveller } from './traveller.js'

const idleMs = 50

async function sharedTo(server: Ssh2Server, engine: SshEngine = ssh2Engine): Promise<SharedConnection> {
  return new SharedConnection(await byFiles('bed', server.configFile), engine, { idleMs })
}

async function expectNoneOpen(server: Ssh2Server): Promise<void> {
  await eventually(() => expect(server.open()).toBe(0))
}

/** One is there, and still is when one elsewhere that nobody uses from now on has been closed. */
async function expectOneStays(server: Ssh2Server): Promise<void> {
  await using elsewhere = await startSsh2Server()
  const other = await (await sharedTo(elsewhere)).lease(new Traveller())
  other.release()
  await other.connection.closed
  await expectNoneOpen(elsewhere)
  expect(server.open()).toBe(1)
}

/** A server that answers no login until it is told to. */
async function startSlowServer(): Promise<{ server: Ssh2Server; admit: () => void }> {
  const waiting: (() => void)[] = []
  let isOpen = false
  const server = await startSsh2Server({
    authenticate: (context) => {
      const answer = (): void => acceptKey(context, server.userKey)
      if (isOpen) answer()
      else waiting.push(answer)
    },
  })
  const admit = (): void => {
    isOpen = true
    for (const answer of waiting) answer()
  }
  return { server, admit }
}

describe('a connection', () => {
  it('is made once for all who need it at the same time, and shows all of them its phases', async () => {
    await using server = await startSsh2Server()
    const shared = await sharedTo(server)
    const travellers = [new Traveller(), new Traveller(), new Traveller()]
    const leases = await Promise.all(travellers.map((each) => shared.lease(each)))
    expect(new Set(leases.map(({ connection }) => connection)).size).toBe(1)
    expect(server.connections()).toBe(1)
    for (const { told } of travellers) {
      const phases = told.map((each) => each.split(':')[0])
      expect(phases).toEqual(['connect', 'host key', 'host key', 'authenticate'])
    }
  })

  it('stays while one lease is held, and is closed a while after the last', async () => {
    await using server = await startSsh2Server()
    const shared = await sharedTo(server)
    const [first, second] = [await shared.lease(new Traveller()), await shared.lease(new Traveller())]
    first.release()
    first.release()
    await expectOneStays(server)
    second.release()
    expect(await second.connection.closed).toBeInstanceOf(Error)
    await expectNoneOpen(server)
  })

  it('is still there for who comes before it is closed, and made anew for who comes after', async () => {
    await using server = await startSsh2Server()
    const shared = await sharedTo(server)
    const first = await shared.lease(new Traveller())
    first.release()
    const second = await shared.lease(new Traveller())
    expect(second.connection).toBe(first.connection)
    await expectOneStays(server)
    second.release()
    await expectNoneOpen(server)
    await shared.lease(new Traveller())
    expect(server.connections()).toBe(2)
  })

  it('is stale for who had it when it broke, and made anew for who comes then', async () => {
    await using server = await startSsh2Server()
    const shared = await sharedTo(server)
    const [fresh, old] = [await shared.lease(new Traveller()), await shared.lease(new Traveller())]
    expect([fresh.isStale(), old.isStale()]).toEqual([false, false])
    server.cut()
    await old.connection.closed
    expect([fresh.isStale(), old.isStale()]).toEqual([false, true])
    const next = await shared.lease(new Traveller())
    expect(next.connection).not.toBe(old.connection)
    expect(server.connections()).toBe(2)
  })
})

describe('a login', () => {
  it('goes on for the others when one gives up', async () => {
    const { server, admit } = await startSlowServer()
    await using _ = server
    const shared = await sharedTo(server)
    const [hasty, patient] = [new Traveller(), new Traveller()]
    const refused = expect(shared.lease(hasty)).rejects.toThrow('enough')
    const lease = shared.lease(patient)
    await hasty.reaches('authenticate')
    hasty.giveUp()
    await refused
    admit()
    await lease
    expect(server.connections()).toBe(1)
  })

  it('is broken off when all have given up, and who comes then gets one of its own', async () => {
    const { server, admit } = await startSlowServer()
    await using _ = server
    const shared = await sharedTo(server)
    const travellers = [new Traveller(), new Traveller()]
    const refused = Promise.all(travellers.map((each) => expect(shared.lease(each)).rejects.toThrow('enough')))
    await travellers[0]?.reaches('authenticate')
    for (const each of travellers) each.giveUp()
    await refused
    await expectNoneOpen(server)
    admit()
    await shared.lease(new Traveller())
    expect(server.connections()).toBe(2)
  })

  it('that succeeds after all have given up is closed, not kept', async () => {
    const { server, admit } = await startSlowServer()
    await using _ = server
    const deaf: SshEngine = { name: 'ssh2', connect: (host) => ssh2Engine.connect(host, new Traveller()) }
    const shared = await sharedTo(server, deaf)
    const traveller = new Traveller()
    const refused = expect(shared.lease(traveller)).rejects.toThrow('enough')
    await eventually(() => expect(server.methods).not.toEqual([]))
    traveller.giveUp()
    await refused
    expect(server.open()).toBe(1)
    admit()
    await expectNoneOpen(server)
  })

  it('is not begun for who has given up before', async () => {
    await using server = await startSsh2Server()
    const traveller = new Traveller()
    traveller.giveUp()
    await expect((await sharedTo(server)).lease(traveller)).rejects.toThrow('enough')
    expect(server.connections()).toBe(0)
  })

  it('fails alike for all who waited for it, and is tried anew for who comes then', async () => {
    let isOpen = false
    await using server = await startSsh2Server({
      authenticate: (context) => {
        if (isOpen) acceptKey(context, server.userKey)
        else context.reject(['publickey'])
      },
    })
    const shared = await sharedTo(server)
    const leases = [shared.lease(new Traveller()), shared.lease(new Traveller())]
    for (const lease of leases) await expect(lease).rejects.toMatchObject({ phase: 'authenticate' })
    expect(server.connections()).toBe(1)
    isOpen = true
    await shared.lease(new Traveller())
    await expectOneStays(server)
  })

  it('waits for its turn when many log in, with the clock stopped', async () => {
    const { server, admit } = await startSlowServer()
    await using _ = server
    const shared = await sharedTo(server)
    const travellers = Array.from({ length: 9 }, () => new Traveller())
    const connections = travellers.map((each) => shared.connectOnceMore(each))
    for (const each of travellers.slice(0, 8)) await each.reaches('authenticate')
    expect(travellers.map(({ pauses }) => pauses)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1])
    expect(server.connections()).toBe(8)
    admit()
    for (const connection of connections) await (await connection).close()
    expect(travellers.at(-1)?.pauses).toBe(0)
    expect(server.connections()).toBe(9)
  })
})
