// Who has proved nothing, at a listener of workers: bounded in time and number, whichever way they come, and in nobody's way.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { selfSigned } from '../../src/transports/dial-home/certificate.js'
import { tokenId } from '../../src/transports/dial-home/handshake.js'
import { type Arrival, type Listener, type ListenerOptions, listen } from '../../src/transports/dial-home/listener.js'
import { Tokens } from '../../src/transports/dial-home/tokens.js'
import { networkOf, Strangers } from '../../src/transports/strangers.js'
import { startDialer } from '../testbeds/dialer.js'
import { noOpenssl, titled } from '../testbeds/needs.js'

const token = 'correct-horse-battery-staple'

/** A listener, and who came, or not. */
async function listening(options: Partial<ListenerOptions> = {}) {
  let arrive: (arrival: Arrival) => void = () => undefined
  const arrived = new Promise<Arrival>((resolve) => {
    arrive = resolve
  })
  const refusals: string[] = []
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    tokens: new Tokens(token),
    origins: [],
    onArrival: (arrival) => arrive(arrival),
    onRefusal: (_, { message }) => refusals.push(message),
    ...options,
  })
  return { listener, refusals, arrived, [Symbol.dispose]: () => listener.close() }
}

async function reach({ port }: Listener, localAddress = '127.0.0.1', said = ''): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  socket.on('error', () => undefined).resume()
  await once(socket, 'connect')
  socket.write(said)
  return socket
}

/** Also of a connection that is reset, because something of it was left unread. */
async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
}

const halves: readonly [string, string][] = [
  ['say nothing', ''],
  ['stop amid a request', 'GET / HTTP/1.1\r\nX: '],
  ['stop amid a greeting', `TENDRIL 1 ${'0'.repeat(20)}`],
  ['stop before their proof', `TENDRIL 1 ${'0'.repeat(64)} ${tokenId(token)}\n`],
]

describe('strangers at a listener', () => {
  it.each(halves)('who %s make room for each other, and a worker comes beside them', async (_, said) => {
    using home = await listening({ strangers: { budget: 4 } })
    const sockets = []
    for (let i = 0; i < 12; i++) sockets.push(await reach(home.listener, `127.0.0.${2 + (i % 3)}`, said))
    const cut = Promise.all(sockets.slice(0, 6).map(closed))
    await using _dialer = startDialer([`tcp://127.0.0.1:${home.listener.port}`], { TENDRIL_TOKEN: token })
    const { stream } = await home.arrived
    await cut
    expect(home.refusals.every((message) => message.includes('too many'))).toBe(true)
    stream.destroy()
    for (const socket of sockets) socket.destroy()
  })

  it.skipIf(noOpenssl)(titled('count before they begin TLS', noOpenssl), async () => {
    using home = await listening({ strangers: { budget: 2 }, tls: await selfSigned() })
    const sockets = [await reach(home.listener), await reach(home.listener), await reach(home.listener)]
    await closed(sockets[0]!)
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false, false])
    for (const socket of sockets) socket.destroy()
  })

  it.each(halves)('who %s have so much time from when they came', async (_, said) => {
    using home = await listening({ strangers: { patienceMs: 100 } })
    const socket = await reach(home.listener, '127.0.0.1', said)
    const saying = setInterval(() => said !== '' && socket.write('0'), 20)
    await closed(socket)
    clearInterval(saying)
    expect(home.refusals).toEqual(['it took too long to prove that it knows a token'])
  })

  it('who prove nothing, however often, keep nobody out who knows the token', async () => {
    using home = await listening({ strangers: { budget: 8 } })
    const guess = `TENDRIL 1 ${'0'.repeat(64)} ${tokenId(token)}\n${'0'.repeat(64)} 00\n`
    const sockets = []
    for (let i = 0; i < 40; i++) sockets.push(await reach(home.listener, '127.0.0.1', guess))
    await using _dialer = startDialer([`tcp://127.0.0.1:${home.listener.port}`], { TENDRIL_TOKEN: token })
    const { stream } = await home.arrived
    stream.destroy()
    for (const socket of sockets) socket.destroy()
  })

  it('are refused when a browser brings them from a page that nobody named', async () => {
    using home = await listening({ origins: ['https://good.example'] })
    const ask = async (origin: string): Promise<string> => {
      const socket = connect(home.listener.port, '127.0.0.1')
      const fields = 'Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13'
      socket.write(
        `GET / HTTP/1.1\r\n${fields}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: ${origin}\r\n\r\n`,
      )
      const [answer] = await once(socket, 'data')
      socket.destroy()
      return String(answer).split('\r\n')[0] ?? ''
    }
    expect(await ask('http://evil.example')).toBe('HTTP/1.1 403 Forbidden')
    expect(await ask('null')).toBe('HTTP/1.1 403 Forbidden')
    expect(home.refusals[0]).toContain('http://evil.example')
    expect(await ask('https://good.example')).toBe('HTTP/1.1 101 Switching Protocols')
  })
})

describe('a budget of strangers', () => {
  it('takes the oldest of the address with most', async () => {
    await using bed = await connections()
    const strangers = new Strangers({ budget: 4 })
    const [one, two, three, alone] = [
      await bed.accept('127.0.0.2'),
      await bed.accept('127.0.0.2'),
      await bed.accept('127.0.0.2'),
      await bed.accept('127.0.0.3'),
    ]
    const signals = [one, two, three, alone].map((socket) => strangers.add(socket)?.signal)
    strangers.letIn(strangers.of(two)!)
    strangers.add(await bed.accept('127.0.0.2'))
    expect(signals.map((signal) => signal?.aborted)).toEqual([false, false, false, false])
    strangers.add(await bed.accept('127.0.0.3'))
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, false, false, false])
    expect(one.destroyed).toBe(true)
    expect(strangers.size).toBe(4)
    strangers.cutAll()
    expect(strangers.size).toBe(0)
  })

  it('is heard an address in turn, and never who has made room', async () => {
    await using bed = await connections()
    const strangers = new Strangers({ budget: 5 })
    const addresses = ['127.0.0.2', '127.0.0.2', '127.0.0.2', '127.0.0.2', '127.0.0.3', '127.0.0.4']
    const sockets: Socket[] = []
    for (const address of addresses) {
      const socket = await bed.accept(address)
      sockets.push(socket)
      strangers.add(socket)
    }
    const heard: number[] = []
    for (let next = strangers.next(); next !== undefined; next = strangers.next())
      heard.push(sockets.indexOf(next.socket))
    expect(heard).toEqual([1, 4, 5, 2, 3])
  })

  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['1:2:3:4:5:6:7::', '1:2:3:4'],
  ])('counts %s as of %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})

/** Connections of this process with itself. */
async function connections() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const sockets: Socket[] = []
  return {
    accept: async (localAddress: string): Promise<Socket> => {
      const client = connect({ port, host: '127.0.0.1', localAddress })
      const [accepted] = (await once(server, 'connection')) as [Socket]
      client.on('error', () => undefined)
      sockets.push(client, accepted)
      return accepted
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
