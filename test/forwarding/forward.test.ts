// Ports forwarded both ways, between servers and clients of this machine, through workers of every Python.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ForwardError, type ForwardOptions, type Gateway, GatewayClosedError, Group } from '../../src/index.js'
import { anyInterpreter, findInterpreter, interpreters } from '../interpreters.js'
import { all, dial, End, echo, exchange, over } from './ends.js'

const MIB = 1024 * 1024
const spec = `popen//python=${anyInterpreter().command}`

const chosen = [
  findInterpreter('CPython 2.7'),
  findInterpreter('CPython 3.6'),
  interpreters()
    .filter(({ name }) => name.startsWith('CPython'))
    .at(-1),
  findInterpreter('PyPy'),
].filter((each) => each !== undefined)

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

/** Waits for what nobody tells. */
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`not within ten seconds: ${isTrue}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe.each(ways)('%s', (way, listen) => {
  it.each(chosen)('carries a connection and its end with $name', async ({ command }) => {
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
    await using server = await End.start(echo)
    await using forward = await gateway.forward({ ...listen(0), to: server.port })
    const before = await threads(gateway)
    const texts = Array.from({ length: 100 }, (_, i) => `connection ${i} `.repeat(5000))
    const answers = await Promise.all(texts.map((text) => exchange(forward.address, text)))
    expect(answers.map((answer, i) => answer.toString() === texts[i])).toEqual(texts.map(() => true))
    await until(async () => forward.connections === 0 && (await threads(gateway)) <= before)
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
    const before = await threads(gateway)
    const forward = await gateway.forward({ ...listen(0), to: server.port })
    const clients = await Promise.all([dial(forward.address), dial(forward.address)])
    const ends = clients.map(over)
    for (const client of clients) client.write(Buffer.alloc(4 * MIB))
    await until(() => server.sockets.length === 2 && forward.connections === 2)
    await Promise.all([forward.close(), forward.close(), ...ends])
    expect(forward.connections).toBe(0)
    await expect(dial(forward.address)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await until(async () => (await threads(gateway)) <= before)
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
    const [code] = await once(start('forward.unref()'), 'exit')
    expect(code).toBe(0)
    const child = start('process.on("SIGTERM", () => void forward.close())')
    const [address] = await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, 200)) // longer than a gateway holds on by itself
    expect((await exchange(String(address).trim(), 'alive')).toString()).toBe('alive')
    child.kill()
    expect((await once(child, 'exit'))[0]).toBe(0)
  })

  it('refuses an address that is in use', async () => {
    await using taken = await End.start(echo)
    const error = await gateway.forward({ ...listen(taken.port), to: 1 }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ForwardError)
    expect(error).toMatchObject({ reason: 'EADDRINUSE', address: `127.0.0.1:${taken.port}` })
  })
})

async function exchangeOnce(address: string): Promise<undefined> {
  const client = await dial(address)
  client.write('echo')
  await once(client, 'data')
  client.destroy()
  return undefined
}

describe('a forward', () => {
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
