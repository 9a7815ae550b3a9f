// The socket server against whoever may come: who does not know the token starts nothing and learns nothing, keeps nobody out, and leaves nothing behind.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Group } from '../../../src/index.js'
import { answerOf, proof, type StartRequest } from '../../../src/transports/socket/handshake.js'
import { findInterpreter, newestInterpreter } from '../../interpreters.js'
import { type SocketServer, startSocketServer } from '../../testbeds/socket-server.js'
import { hello, nonce, RawClient } from './raw-client.js'

const pythons = [findInterpreter('CPython 2.7'), findInterpreter('CPython 3.6'), newestInterpreter()].filter(
  (each) => each !== undefined,
)

describe.each(pythons)('a server on $name', ({ command }) => {
  let server: SocketServer
  let started = ''
  let request: StartRequest
  beforeAll(async () => {
    server = await startSocketServer({ python: command, args: ['--penalty', '0'] })
    started = join(server.folder, 'started')
    request = { python: null, loader: `open(${JSON.stringify(started)}, "w").close()`, env: {} }
  })
  beforeEach(() => rmSync(started, { force: true }))
  afterAll(() => server?.stop())

  const expectNothingStarted = (): void => {
    expect(server.workers()).toEqual([])
    expect(existsSync(started)).toBe(false)
    expect(server.log()).not.toContain('Traceback')
  }

  it('starts what somebody who knows the token asks for', async () => {
    using client = await RawClient.connect(server.port)
    client.say(answerOf(server.token, (await client.greet()).nonces, request))
    expect(await client.line()).toBe('TENDRIL 1 ok')
    await client.rest()
    expect(existsSync(started)).toBe(true)
  })

  // Each is what a stranger says, who may have listened to somebody else.
  const strangers: readonly [string, (client: RawClient) => Promise<void>][] = [
    ['another token', async (client) => client.say(answerOf('x'.repeat(30), (await client.greet()).nonces, request))],
    ['no token at all', async (client) => client.say(answerOf('', (await client.greet()).nonces, request))],
    [
      'the answer of another conversation',
      async (client) => {
        using other = await RawClient.connect(server.port)
        const { nonces } = await other.greet()
        await client.greet()
        client.say(answerOf(server.token, nonces, request))
      },
    ],
    [
      'the server’s own proof',
      async (client) => {
        const { shown } = await client.greet()
        const text = JSON.stringify(request)
        client.say(`${shown} ${text.length}\n${text}`)
      },
    ],
    [
      'a good proof of another request',
      async (client) => {
        const good = answerOf(server.token, (await client.greet()).nonces, { ...request, loader: `#${request.loader}` })
        client.say(good.replace('"#', '" '))
      },
    ],
    ['a proof without a size', (client) => greetAndSay(client, `${'0'.repeat(64)}\n`)],
    ['a size below nothing', (client) => greetAndSay(client, `${'0'.repeat(64)} -1\n`)],
    ['a request beyond all bounds', (client) => greetAndSay(client, `${'0'.repeat(64)} 65537\n${' '.repeat(65_537)}`)],
    ['a line without an end', async (client) => client.say(`TENDRIL 1 ${'0'.repeat(1_000_000)}`)],
    ['a short nonce', async (client) => client.say('TENDRIL 1 00\n')],
    ['another version', async (client) => client.say(hello.replace('1', '2'))],
    ['TLS', async (client) => client.say(Buffer.from(`16030100${'f0'.repeat(250)}`, 'hex'))],
    ['nothing of use', async (client) => client.say(Buffer.alloc(100_000))],
  ]

  it.each(strangers)('answers %s as it answers all, and starts nothing', async (_, speak) => {
    using client = await RawClient.connect(server.port)
    await speak(client)
    expect(await client.rest()).toBe('TENDRIL 1 refused\n')
    expectNothingStarted()
  })

  it('refuses a recorded conversation that is played again', async () => {
    const said: string[] = []
    for (const isReplay of [false, true]) {
      using client = await RawClient.connect(server.port)
      const { nonces } = await client.greet()
      if (!isReplay) said.push(answerOf(server.token, nonces, request))
      client.say(said.join(''))
      expect(await client.line()).toBe(isReplay ? 'TENDRIL 1 refused' : 'TENDRIL 1 ok')
      await client.rest()
      if (!isReplay) rmSync(started)
    }
    expectNothingStarted()
  })

  it('refuses a request that makes no sense, also of somebody who knows the token', async () => {
    for (const text of ['', '[]', '{}', '{"python":1,"loader":"","env":{}}', '{"python":[1],"loader":"","env":{}}']) {
      using client = await RawClient.connect(server.port)
      const { nonces } = await client.greet()
      client.say(`${proof(server.token, 'client', nonces, text)} ${text.length}\n${text}`)
      expect(await client.rest(), text).toBe('TENDRIL 1 refused\n')
    }
    expectNothingStarted()
  })

  it('starts nothing for a handshake that is cut at any byte', async () => {
    const { length } = hello + answerOf(server.token, [nonce, nonce], request)
    for (let cut = 0; cut < length; cut++) {
      using client = await RawClient.connect(server.port)
      client.say(hello.slice(0, cut))
      if (cut > hello.length) {
        const [, , theirs = ''] = (await client.line()).split(' ')
        client.say(answerOf(server.token, [nonce, theirs], request).slice(0, cut - hello.length))
      }
      client.socket.end()
      expect(await client.rest(), `cut at ${cut}`).toMatch(/^(TENDRIL 1 [0-9a-f ]{129}\n)?TENDRIL 1 refused\n$/)
    }
    expectNothingStarted()
  })

  it('answers HTTP in HTTP, and starts nothing', async () => {
    using client = await RawClient.connect(server.port)
    client.say('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(await client.rest()).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n[\s\S]*\r\n\r\nTENDRIL 1 refused\n$/)
    expectNothingStarted()
  })

  it('tells in words what cannot be started', async () => {
    using client = await RawClient.connect(server.port)
    client.say(answerOf(server.token, (await client.greet()).nonces, { ...request, python: ['/no/such/python'] }))
    expect(await client.rest()).toMatch(/^TENDRIL 1 ok\ncannot start .*\/no\/such\/python.*: No such file or directory/)
  })

  it('still serves', async () => {
    await using group = new Group()
    const gateway = await group.makeGateway(`${server.spec}//python=${command}`)
    expect(await gateway.remoteExec('channel.send(6 * 7)').receive()).toBe(42)
  })
})

async function greetAndSay(client: RawClient, text: string): Promise<void> {
  await client.greet()
  client.say(text)
}
