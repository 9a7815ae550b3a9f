// The conformance suite through a carrier, and what is the carrier's own.
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { BootstrapError, GatewayClosedError, Group, XSpecError } from '../../src/index.js'
import { overSocket } from '../conformance/socket.js'
import { direct } from '../conformance/ssh.js'
import { Subject, via, viaCarrier } from '../conformance/subject.js'
import { combinedWaySuites, conformanceSuites } from '../conformance/suites.js'
import { overWebSocket } from '../conformance/ws.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { noSshd, titled } from '../testbeds/needs.js'
import { startSocketServer } from '../testbeds/socket-server.js'
import { startSshd } from '../testbeds/sshd.js'

const carried = [anyInterpreter(), findInterpreter('CPython 2.7'), findInterpreter('PyPy')]
for (const interpreter of carried)
  if (interpreter !== undefined) conformanceSuites(new Subject('via', interpreter, via))

combinedWaySuites(new Subject('socket via popen', anyInterpreter(), viaCarrier(overSocket)))
combinedWaySuites(new Subject('ws via popen', anyInterpreter(), viaCarrier(overWebSocket)))
describe.skipIf(noSshd)(titled('through a carrier', noSshd), () => {
  combinedWaySuites(new Subject('ssh via popen', anyInterpreter(), viaCarrier(direct('ssh2'))))
})

const python = `python=${anyInterpreter().command}`

describe('via', () => {
  it('starts the worker as a child of the carrier', async () => {
    await using group = await Group.open([`popen//id=carrier//${python}`, 'popen//via=carrier//id=sub'])
    const [carrier, sub] = [await group.get('carrier').info(), group.get('sub')]
    expect(await sub.remoteExec('import os; channel.send(os.getppid())').receive()).toBe(carrier.pid)
    expect((await sub.info()).executable).toBe(carrier.executable)
    expect(sub.remoteAddress).toBe('carrier')
  })

  it('carries a gateway that carries another', async () => {
    await using group = await Group.open([`popen//via=b//id=c`, 'popen//via=a//id=b', `popen//id=a//${python}`])
    expect(await group.get('c').remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('ends its channels with an error within a second when the worker or the carrier is killed', async () => {
    await using group = await Group.open([`popen//id=carrier//${python}`, '2*popen//via=carrier'])
    const [carrier, first, second] = [...group]
    const waiting = [first, second].map((gateway) => gateway!.remoteExec('channel.receive()'))
    process.kill((await first!.info()).pid, 'SIGKILL')
    await expect(waiting[0]!.receive()).rejects.toMatchObject({
      code: 'ERR_GATEWAY_CLOSED',
      signal: 'SIGKILL',
    })
    process.kill((await carrier!.info()).pid, 'SIGKILL')
    await expect(waiting[1]!.receive()).rejects.toThrow(GatewayClosedError)
    await expect(carrier!.closed).resolves.toMatchObject({ signal: 'SIGKILL' })
  })

  it('leaves nothing of a carried worker when the carrier is killed', async () => {
    const mark = new Mark()
    await using group = await Group.open([`popen//id=carrier//${python}`, `popen//via=carrier//${mark.key}`])
    group.get(1).remoteExec('import re; re.match("(a+)+$", "a" * 40 + "b")')
    process.kill((await group.get('carrier').info()).pid, 'SIGKILL')
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('terminates the carried before the carriers', async () => {
    const group = await Group.open([`popen//id=carrier//${python}`, '2*popen//via=carrier'])
    const order: string[] = []
    const all = [...group].map((gateway) => gateway.closed.then(() => order.push(gateway.id)))
    expect((await group.terminate({ timeout: Infinity })).killed).toEqual([])
    await Promise.all(all)
    expect(order.at(-1)).toBe('carrier')
  })

  it('names an interpreter that is missing on the carrier', async () => {
    await using group = await Group.open([`popen//id=carrier//${python}`])
    const opening = group.makeGateway('popen//via=carrier//python=/nowhere/python3')
    await expect(opening).rejects.toThrow(BootstrapError)
    await expect(opening).rejects.toThrow('"/nowhere/python3" does not exist')
    expect(await group.get('carrier').remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('refuses a carrier that there is not, and a kind that cannot be carried', async () => {
    await using group = new Group()
    await expect(group.makeGateway('popen//via=nobody')).rejects.toThrow(XSpecError)
    await expect(group.makeGateway('popen//via=nobody')).rejects.toThrow('nobody')
    expect(group.size).toBe(0)
  })
})

describe('connections that begin beside a carrier', () => {
  it("are the carrier's own", async () => {
    await using server = await startSocketServer()
    await using group = await Group.open([`popen//id=carrier//${python}`, `${server.spec}//via=carrier//id=far`])
    const { pid } = await group.get('carrier').info()
    const [far] = server.workers()
    expect(far).toBe((await group.get('far').info()).pid)
    expect(establishedBy(pid)).toContain(server.port)
    expect(establishedBy(process.pid)).not.toContain(server.port)
  })

  it('fail with the words and the phase of a connection from here', async () => {
    await using group = await Group.open([`popen//id=carrier//${python}`])
    const token = ['env:X=1', 'insecure'].join('//')
    await expect(group.makeGateway(`socket=127.0.0.1:1//via=carrier//${token}`)).rejects.toMatchObject({
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'connect',
      message: expect.stringContaining('refused the connection'),
    })
    await expect(group.makeGateway(`socket=no.such.host.invalid:1//via=carrier//${token}`)).rejects.toMatchObject({
      phase: 'resolve',
      message: expect.stringContaining('no.such.host.invalid'),
    })
  })

  it('settle within a second all that is behind a hop that is killed, and leave nothing', async () => {
    const mark = new Mark()
    await using server = await startSocketServer()
    await using group = await Group.open([
      `popen//id=first//${python}`,
      `${server.spec}//via=first//id=second//${mark.key}`,
      `popen//via=second//id=third`,
      `${server.spec}//via=third//id=fourth//${mark.key}`,
    ])
    const waiting = ['second', 'third', 'fourth'].map((id) => group.get(id).remoteExec('channel.receive()'))
    const data = new Uint8Array(8 << 20).fill(7)
    const echo = group.get('fourth').remoteExec<Uint8Array>('channel.send(channel.receive())')
    await echo.send(data)
    expect(Buffer.compare(await echo.receive(), data)).toBe(0)
    process.kill((await group.get('second').info()).pid, 'SIGKILL')
    for (const channel of waiting) await expect(channel.receive()).rejects.toThrow(GatewayClosedError)
    expect(await thoseThatStay(mark.pids)).toEqual([])
    expect(await group.get('first').remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('settle when the carrier is given up while the far end says nothing', async () => {
    await using group = await Group.open([`popen//id=carrier//${python}`])
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const arrived = once(server, 'connection')
    const opening = group.makeGateway(`socket=127.0.0.1:${port}//via=carrier//insecure`)
    const settled = expect(opening).rejects.toThrow()
    const [connection] = await arrived
    connection.on('error', () => undefined) // a reset, where the carrier had made the connection already
    process.kill((await group.get('carrier').info()).pid, 'SIGKILL')
    await settled
    connection.destroy()
    server.close()
  })
})

describe.skipIf(noSshd)(titled('ssh through a carrier', noSshd), () => {
  it('logs in with the keys of this machine, over one connection of the carrier', async () => {
    await using sshd = await startSshd()
    const steps: string[] = []
    await using group = new Group({ onPhase: ({ gateway, phase }) => steps.push(`${gateway} ${phase}`) })
    await group.makeGateway(`popen//id=carrier//${python}`)
    const spec = `${sshd.spec}//via=carrier//${python}`
    const gateways = await Promise.all([group.makeGateway(`${spec}//id=a`), group.makeGateway(`${spec}//id=b`)])
    for (const gateway of gateways) expect(await gateway.remoteExec('channel.send(6 * 7)').receive()).toBe(42)
    expect(steps.filter((step) => step.startsWith('a '))).toEqual(
      ['resolve', 'connect', 'host key', 'host key', 'authenticate', 'channel', 'python', 'ready'].map(
        (phase) => `a ${phase}`,
      ),
    )
    expect(establishedBy((await group.get('carrier').info()).pid).filter((port) => port === sshd.port)).toHaveLength(1)
  })

  it('refuses the engine that sets out from this machine', async () => {
    await using sshd = await startSshd()
    await using group = await Group.open([`popen//id=carrier//${python}`])
    await expect(group.makeGateway(`${sshd.spec}//engine=openssh//via=carrier`)).rejects.toThrow('via=carrier')
  })
})

/** The ports that a process is connected to. */
function establishedBy(pid: number): number[] {
  const inodes = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]
    } catch {
      return undefined // it has been closed meanwhile
    }
  })
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === '01' && inodes.includes(inode))
    .map(([, , remote]) => Number.parseInt(remote?.split(':')[1] ?? '', 16))
}
