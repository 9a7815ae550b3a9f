// Ports forwarded both ways, between servers and clients of this machine, through workers of every Python.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Forward,
  ForwardError,
  type ForwardOptions,
  type Gateway,
  GatewayClosedError,
  Group,
} from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter, chosenInterpreters } from '../interpreters.js'
import { until } from '../waiting.js'
import { all, dial, End, echo, exchange, over } from './ends.js'

const MIB = 1024 * 1024
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const spec = `popen//python=${anyInterpreter().command}`

type Listen = Pick<ForwardOptions, 'localListen' | 'remoteListen'>

/** The two ways, listening on the same kind of address. */
const ways = [
  ['localListen', (at: string | number): Listen => ({ localListen: at })],
  ['remoteListen', (at: string | number): Listen => ({ remoteListen: at })],
] as const

const folder = mkdtempSync(join(tmpdir(), 'tendril-forward-'))
let group: Group
let gateway: Gateway
beforeAll(async () => {
  group = await Group.open([spec])
  gateway = group.get(0)
})
afterAll(async () => {
  await group.terminate()
  rmSync(folder, { recursive: true })
})

/** How many threads the worker has. */
async function threads(of: Gateway): Promise<number> {
  const source = 'channel.send(int([l for l in open("/proc/self/status") if l.startswith("Threads")][0].split()[1]))'
  return Number(await of.remoteExec(source).receive())
}

/** The same once a connection has been carried: what all of them share is there, and nothing is left of this one. */
async function threadsAfterOne(of: Gateway, forward: Forward): Promise<number> {
  await exchange(forward.address, 'one')
  await until(() => forward.connections === 0)
  return threads(of)
}

describe.each(ways)('%s', (way, listen) => {
  it.each(chosenInterpreters())('carries a connection and its end with $name', async ({ command }) => {
    await using own = await Group.open([`popen//python=${command}`])
    await using server = await End.start(echo)
    await using forward = await own.get(0).forward({ ...listen(0), to: server.port })
    const bytes = randomBytes(3 * MIB)
    expect((await exchange(forward.address, bytes)).equals(bytes)).toBe(true)
    await until(() => forward.connections === 0)
  })

  it.each([
    ['IPv4', '127.0.0.1:0', '127.0.0.1', 0],
    ['IPv6', '[::1]:0', '::1', 0],
    ['Unix sockets', join(folder, `${way}.sock`), '', join(folder, `${way}-server.sock`)],
  ])('goes over %s', async (_, at, host, serverAt) => {
    await using server = await End.start(echo, serverAt, host)
    const to = typeof serverAt === 'string' ? serverAt : `${host.includes(':') ? `[${host}]` : host}:${server.port}`
    const forward = await gateway.forward({ ...listen(at), to })
    expect(forward.address).toContain(at.replace(/0$/, ''))
    expect((await exchange(forward.address, 'there and back')).toString()).toBe('there and back')
    await forward.close()
    await until(
      () =>
        readdirSync(folder).length === 0 ||
        typeof serverAt === 'number' ||
        !readdirSync(folder).includes(`${way}.sock`),
    )
  })

  it('is for this user alone as a Unix socket, whatever the umask', async () => {
    const path = join(folder, `${way}-private.sock`)
    const before = process.umask(0)
    try {
      await gateway.remoteExec('import os; os.umask(0)').waitClose()
      await using _forward = await gateway.forward({ ...listen(path), to: 1 })
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(process.umask()).toBe(0)
    } finally {
      process.umask(before)
    }
  })

  it('keeps one direction open when the other has ended', async () => {
    // Answers only when it has had all, which it can only know by the end.
    const serve = async (socket: Parameters<typeof echo>[0]) => {
      socket.end(
        createHash('md5')
          .update(await all(socket))
          .digest('hex'),
      )
    }
    await using server = await End.start((socket) => void serve(socket))
    await using forward = await gateway.forward({ ...listen(0), to: server.port })
    const bytes = randomBytes(MIB)
    expect((await exchange(forward.address, bytes)).toString()).toBe(createHash('md5').update(bytes).digest('hex'))
    // The other way round: the server ends at once, and still reads.
    const received: Promise<Buffer>[] = []
    await using ender = await End.start((socket) => {
      socket.end('bye')
      received.push(all(socket))
    })
    await using other = await gateway.forward({ ...listen(0), to: ender.port })
    const client = await dial(other.address)
    expect((await all(client)).toString()).toBe('bye')
    client.end('still here')
    expect((await received[0])?.toString()).toBe('still here')
  })

  it('carries many connections at once', async () => {
    await using own = await Group.open([spec])
    await using server = await End.start(echo)
    await using forward = await own.get(0).forward({ ...listen(0), to: server.port })
    const before = await threadsAfterOne(own.get(0), forward)
    const texts = Array.from({ length: 100 }, (_, i) => `connection ${i} `.repeat(5000))
    const answers = await Promise.all(texts.map((text) => exchange(forward.address, text)))
    expect(answers.map((answer, i) => answer.toString() === texts[i])).toEqual(texts.map(() => true))
    await until(async () => forward.connections === 0 && (await threads(own.get(0))) <= before)
  })

  it('stops a sender whom nobody reads, and nobody else', async () => {
    await using server = await End.start(
      (socket) =>
        void socket.once('data', (data) => {
          if (String(data).startsWith('echo')) socket.write(data)
          else socket.pause()
        }),
    )
    await using forward = await gateway.forward({ ...listen(0), to: server.port })
    const blocked = await dial(forward.address)
    const exchanges: Promise<undefined>[] = []
    let sent = 0
    while (sent < 400 * MIB) {
      if (!blocked.write(Buffer.alloc(MIB, 'x'))) {
        const drained = once(blocked, 'drain').then(() => true)
        const exchanged = exchangeOnce(forward.address)
        exchanges.push(exchanged)
        if (!(await Promise.race([drained, exchanged]))) break
      }
      sent += MIB
    }
    expect(sent).toBeLessThan(64 * MIB)
    await Promise.all(exchanges)
    // What is stuck comes loose when the one who does not read goes away.
    for (const socket of server.sockets) socket.destroy()
    await over(blocked)
    await until(() => forward.connections === 0)
  })

  it('reports a target that refuses, and goes on', async () => {
    const server = await End.start(echo)
    const { port } = server
    await server[Symbol.asyncDispose]()
    const errors: Error[] = []
    await using forward = await gateway.forward({ ...listen(0), to: port, onError: (error) => void errors.push(error) })
    const client = await dial(forward.address)
    await over(client)
    expect(errors).toEqual([expect.any(ForwardError)])
    expect(errors[0]).toMatchObject({ code: 'ERR_FORWARD', address: `localhost:${port}`, reason: 'ECONNREFUSED' })
    await using late = await End.start(echo, port)
    expect((await exchange(forward.address, 'now')).toString()).toBe('now')
    expect(late.sockets.length).toBe(1)
  })

  it('reports names that lead nowhere, and targets that reset', async () => {
    const errors: Error[] = []
    const onError = (error: Error) => void errors.push(error)
    await using nowhere = await gateway.forward({ ...listen(0), to: 'no-such-host.invalid:80', onError })
    const client = await dial(nowhere.address)
    await over(client)
    expect(errors.splice(0)).toEqual([expect.objectContaining({ reason: 'ENOTFOUND' })])
    await using unheardOf = await gateway.forward({ ...listen(0), to: `${'ä'.repeat(70)}:80`, onError })
    await over(await dial(unheardOf.address))
    expect(errors.splice(0)).toEqual([expect.objectContaining({ reason: 'ENOTFOUND' })])
    await using server = await End.start((socket) => void socket.once('data', () => socket.resetAndDestroy()))
    await using forward = await gateway.forward({ ...listen(0), to: server.port, onError })
    const reset = await dial(forward.address)
    reset.write('x')
    await over(reset)
    await until(() => errors.length > 0)
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_FORWARD', address: `localhost:${server.port}` })])
  })

  it('ends its connections when it is closed, and what waits on the other side', async () => {
    await using server = await End.start((socket) => void socket.pause())
    await using own = await Group.open([spec])
    await using echoes = await End.start(echo)
    const other = await own.get(0).forward({ ...listen(0), to: echoes.port })
    const before = await threadsAfterOne(own.get(0), other)
    await other.close()
    const forward = await own.get(0).forward({ ...listen(0), to: server.port })
    const clients = await Promise.all([dial(forward.address), dial(forward.address)])
    const ends = clients.map(over)
    for (const client of clients) client.write(Buffer.alloc(4 * MIB))
    await until(() => server.sockets.length === 2 && forward.connections === 2)
    await Promise.all([forward.close(), forward.close(), ...ends])
    expect(forward.connections).toBe(0)
    await expect(dial(forward.address)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await until(async () => (await threads(own.get(0))) < before)
  })

  it.each(Object.entries(cuts))('resets both ends when it is cut off amid a transfer by %s', async (_, cut) => {
    await using own = await Group.open([`${spec}//id=carrier`, `${spec}//via=carrier//id=carried`], {
      onOutput: () => undefined,
    })
    const doomed = own.get('carried')
    const fates: Promise<string[]>[] = []
    await using server = await End.start((socket) => {
      if (fates.length === 0) fates.push(fate(socket)) // of the other, which has had its end, Node does not hear any more
      socket.resume().write(Buffer.alloc(900_000))
    })
    const forward = await doomed.forward({ ...listen(0), to: server.port })
    const clients: Socket[] = []
    while (clients.length < 2) {
      const client = await dial(forward.address)
      clients.push(client)
      client.write(Buffer.alloc(900_000))
      await until(() => client.resume().bytesRead === 900_000) // libuv takes a reset right behind data for an end
      fates.push(fate(client))
    }
    clients[1]?.end()
    await until(
      () =>
        server.sockets.every((socket) => socket.bytesRead === 900_000) &&
        server.sockets.some((socket) => socket.readableEnded),
    )
    await cut({ gateway: doomed, carrier: own.get('carrier'), forward })
    await forward.closed
    for (const events of await Promise.all(fates)) expect(events).toEqual(['ECONNRESET'])
  })

  it('resets its connections when the program exits, or is killed', async () => {
    await using server = await End.start((socket) => void socket.write('x'))
    const program = `
      import { makeGateway } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
      const gateway = await makeGateway(${JSON.stringify(spec)})
      const forward = await gateway.forward({ ${way}: 0, to: ${server.port} })
      process.on('SIGTERM', () => process.exit())
      console.log(forward.address)`
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program])
      const [address] = await once(child.stdout, 'data')
      const client = await dial(String(address).trim())
      await once(client, 'data')
      const socket = server.sockets.at(-1) ?? client
      const fates = [fate(client.resume()), fate(socket.resume())] as const
      child.kill(signal)
      const [near, far] = way === 'localListen' ? fates : [fates[1], fates[0]]
      expect(await far).toEqual(['ECONNRESET'])
      // What the program has itself, the system closes properly when it is killed.
      if (signal === 'SIGTERM') expect(await near).toEqual(['ECONNRESET'])
    }
  })

  it.each([
    ['', false],
    [' when the other direction has ended', true],
  ])('takes a reset right behind data for none of the ends that there are%s', async (_, is_half) => {
    // Both ends are Python's: what libuv reports of such a reset is an end.
    const channel = gateway.remoteExec<number | string, number>(RESETS, { is_server: way === 'remoteListen', is_half })
    await using forward = await gateway.forward({ ...listen(0), to: Number(await channel.receive()) })
    await channel.send(forward.port)
    expect(await channel.receive()).toBe('connected')
    await until(() => forward.connections === 1)
    await channel.send(0)
    const end = performance.now() + 300 // it is reset meanwhile, which is found together with the data
    while (performance.now() < end);
    expect(await channel.receive()).toBe('ECONNRESET')
  })

  it('leaves nothing when its gateway ends while it begins', async () => {
    const servers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length
    const before = servers()
    const gateways: WeakRef<Gateway>[] = []
    const begin = async (python: string, turns: number): Promise<void> => {
      await using own = new Group({ onOutput: () => undefined })
      const doomed = own.launchGateway(`popen//python=${python}`)
      gateways.push(new WeakRef(doomed))
      const options = { ...listen(0), to: 1, onError: () => void doomed.id }
      const ended = errorOf(
        doomed.forward(options).then((forward) => forward.closed.then(() => Promise.reject(new Error('it began')))),
      )
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
      await doomed.terminate({ timeout: 0 })
      await ended
    }
    for (let turns = 0; turns < 6; turns++) {
      await begin('/no/such/python', turns)
      await begin(anyInterpreter().command, turns)
    }
    await until(() => {
      collect()
      return servers() <= before && gateways.every((each) => each.deref() === undefined)
    })
  })

  it('settles when the gateway dies', async () => {
    await using own = await Group.open([spec])
    const doomed = own.get(0)
    await using server = await End.start(echo)
    const errors: Error[] = []
    const forward = await doomed.forward({ ...listen(0), to: server.port, onError: (error) => void errors.push(error) })
    const client = await dial(forward.address)
    client.write('x')
    await once(client, 'data')
    process.kill((await doomed.info()).pid, 'SIGKILL')
    await Promise.all([over(client), forward.closed])
    expect(errors).toEqual([expect.any(GatewayClosedError)])
    expect(forward.connections).toBe(0)
    await expect(doomed.forward({ ...listen(0), to: server.port })).rejects.toBeInstanceOf(GatewayClosedError)
  })

  it('keeps the process alive as a server does, unless told not to', async () => {
    await using server = await End.start(echo)
    const program = (rest: string) => `
      import { makeGateway } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
      const gateway = await makeGateway(${JSON.stringify(spec)})
      const forward = await gateway.forward({ ${way}: 0, to: ${server.port} })
      console.log(forward.address)
      ${rest}`
    const start = (rest: string) =>
      spawn(process.execPath, ['--input-type=module', '-e', program(rest)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const child = start('process.on("SIGTERM", () => void forward.close())')
    const [address] = await once(child.stdout, 'data')
    const [code] = await once(start('forward.unref()'), 'exit')
    expect(code).toBe(0)
    // One that began later has ended by itself, and this one is there.
    expect((await exchange(String(address).trim(), 'alive')).toString()).toBe('alive')
    child.kill()
    expect((await once(child, 'exit'))[0]).toBe(0)
  })

  it('says that no host can be called so where it is to listen', async () => {
    for (const host of ['a..b', 'ä'.repeat(70)])
      await expect(gateway.forward({ remoteListen: `${host}:0`, to: 1 })).rejects.toMatchObject({ reason: 'ENOTFOUND' })
  })

  it('refuses an address that is in use', async () => {
    await using taken = await End.start(echo)
    const error = await errorOf(gateway.forward({ ...listen(taken.port), to: 1 }))
    expect(error).toBeInstanceOf(ForwardError)
    expect(error).toMatchObject({ reason: 'EADDRINUSE', address: `127.0.0.1:${taken.port}` })
  })
})

/** Ways in which a forward comes to its end while connections are open. */
const cuts: Record<string, (parts: { gateway: Gateway; carrier: Gateway; forward: Forward }) => unknown> = {
  'the exit of its gateway': ({ gateway: own }) => own.exit(),
  'its termination': ({ gateway: own }) => own.terminate({ timeout: 0 }),
  'a kill': async ({ gateway: own }) => process.kill((await own.info()).pid, 'SIGKILL'),
  'a crash': ({ gateway: own }) => own.remoteExec('import os\nos._exit(3)'),
  'a kill of its carrier': async ({ carrier }) => process.kill((await carrier.info()).pid, 'SIGKILL'),
  'its own end': ({ forward }) => forward.close(),
}

/** A connection is made for a controller that is gone before it can be told. */
const DIALS = `
import errno, socket
from _tendril.via_remote import dial
class Gone(object):
    def send(self, item):
        raise IOError('the gateway has ended')
server = socket.socket()
server.bind(('127.0.0.1', 0))
server.listen(1)
try:
    dial(Gone(), '127.0.0.1', server.getsockname()[1], 5)
except IOError:
    pass
far, _ = server.accept()
far.settimeout(30)
try:
    far.recv(10)
    channel.send('a proper end')
except EnvironmentError as e:
    channel.send(errno.errorcode.get(e.errno, str(e)))
`

/** What was to be carried over a channel, and its end, when that has been cut off meanwhile. */
const LATE = `
import errno, socket
from _tendril.via_remote import Exchange
try:
    channel.waitclose()
except channel.RemoteError:
    pass
server = socket.socket()
server.bind(('127.0.0.1', 0))
server.listen(1)
near = socket.create_connection(server.getsockname())
far, _ = server.accept()
Exchange(channel, getattr(near, '_sock', near)).run()
near.close()
far.settimeout(30)
try:
    while far.recv(10000): pass
    report.send('a proper end')
except EnvironmentError as e:
    report.send(errno.errorcode.get(e.errno, str(e)))
`

/** A connection is carried that was reset, as another than whoever reads has been told already. */
const TOLD = `
import socket, struct
from _tendril.via_remote import Exchange
server = socket.socket()
server.bind(('127.0.0.1', 0))
server.listen(1)
near = socket.create_connection(server.getsockname())
far, _ = server.accept()
far.sendall(b'x')
far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
far.close()
while not near.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR): pass
Exchange(channel, getattr(near, '_sock', near)).run()
`

/** A server and a client, of which the one that answers sends data and resets; what the other one makes of it. */
const RESETS = `
import errno, socket, struct
server = socket.socket()
server.bind(('127.0.0.1', 0))
server.listen(1)
channel.send(server.getsockname()[1])
client = socket.create_connection(('127.0.0.1', channel.receive()))
far, _ = server.accept()
resetting, reading = (far, client) if is_server else (client, far)
if is_half:
    reading.shutdown(socket.SHUT_WR)
    resetting.recv(1)
channel.send('connected')
channel.receive()
resetting.sendall(b'x' * 1000)
resetting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
resetting.close()
reading.settimeout(30)
try:
    while reading.recv(5000): pass
    channel.send('a proper end')
except EnvironmentError as e:
    channel.send(errno.errorcode.get(e.errno, str(e)))
`

/** What happens to a connection: its proper end, and its error. Resolves when it is over. */
function fate(socket: Socket): Promise<string[]> {
  const events: string[] = []
  socket.on('end', () => void events.push('end'))
  socket.on('error', (error: NodeJS.ErrnoException) => void events.push(String(error.code)))
  return new Promise((resolve) => void socket.once('close', () => resolve(events)))
}

async function exchangeOnce(address: string): Promise<undefined> {
  const client = await dial(address)
  client.write('echo')
  await new Promise<unknown>((resolve, reject) => {
    const onOver = (): void => reject(new Error('a connection was over before it had its answer'))
    client.once('data', resolve).once('end', onOver).once('close', onOver)
  })
  client.destroy()
  return undefined
}

describe('a forward', () => {
  it.each(chosenInterpreters())(
    'whose gateway ends when a connection has just been made resets that, with $name',
    async ({ command }) => {
      await using own = await Group.open([`popen//python=${command}`])
      await using _forward = await own.get(0).forward({ localListen: 0, to: 1 }) // it brings what is asked here
      expect(await own.get(0).remoteExec(DIALS).receive()).toBe('ECONNRESET')
    },
  )

  it.each(chosenInterpreters())(
    'whose connection is cut off when all that it carries waits in the worker resets that, with $name',
    async ({ command }) => {
      await using own = await Group.open([`popen//python=${command}`])
      await using _forward = await own.get(0).forward({ localListen: 0, to: 1 }) // it brings what is asked here
      const report = own.get(0).newChannel<string>()
      const channel = own.get(0).remoteExec<never, Uint8Array | null>(LATE, { report })
      for (const item of [new Uint8Array(9), null]) void channel.send(item)
      await channel.close('it was cut off')
      expect(await report.receive()).toBe('ECONNRESET')
    },
  )

  it.each(chosenInterpreters())(
    'takes a connection that was reset for one that broke, whoever was told, with $name',
    async ({ command }) => {
      await using own = await Group.open([`popen//python=${command}`])
      await using _forward = await own.get(0).forward({ localListen: 0, to: 1 })
      const items = []
      for await (const item of own.get(0).remoteExec(TOLD)) {
        items.push(item)
        if (item === null) break // as one that has come to its end; nobody would close the channel
      }
      expect(items).toEqual([new Uint8Array([0x78]), 'Connection reset by peer'])
    },
  )

  it('that is closed while it connects here leaves no proper end', async () => {
    const ends: string[] = []
    await using server = await End.start((socket) => void socket.resume().on('end', () => void ends.push('end')))
    await using forward = await gateway.forward({ remoteListen: 0, to: `127.0.0.1:${server.port}` })
    const text =
      'import socket\nc = socket.create_connection(("127.0.0.1", port))\ntry: c.recv(1)\nexcept EnvironmentError: pass'
    const task = gateway.remoteExec(text, { port: forward.port })
    while (forward.connections === 0) await new Promise((resolve) => setImmediate(resolve)) // the system has it already
    await forward.close()
    await task.waitClose()
    await until(() => server.sockets.length === 1)
    await until(() => server.sockets.every((socket) => socket.destroyed))
    expect(ends).toEqual([])
  })

  it.each([
    [{ to: 80 }, /give localListen or remoteListen/],
    [{ localListen: 0, remoteListen: 0, to: 80 }, /give localListen or remoteListen/],
    [{ localListen: 0, to: 0 }, /"0" is no address/],
    [{ localListen: 0, to: 'localhost' }, /"localhost" is no address/],
    [{ localListen: 70_000, to: 80 }, /"70000" is no address/],
    [{ localListen: '::1:80', to: 80 }, /write host:port, \[::1\]:port/],
    [{ localListen: 0, to: 80, timeout: 0 }, /timeout must be/],
  ])('refuses %j', async (options, message) => {
    await expect(gateway.forward(options)).rejects.toThrow(message)
  })
})
