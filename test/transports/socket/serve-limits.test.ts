// What the socket server allows: how long, how often, how many; what it wants of its user; and how it ends.
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Group, makeGateway, socketServerFile } from '../../../src/index.js'
import { answerOf } from '../../../src/transports/socket/handshake.js'
import { tendril } from '../../cli/command.js'
import { anyInterpreter, findInterpreter } from '../../interpreters.js'
import { Mark, thoseThatStay } from '../../processes.js'
import { titled } from '../../testbeds/needs.js'
import { startSocketServer } from '../../testbeds/socket-server.js'
import { eventually, until } from '../../waiting.js'
import { hello, RawClient } from './raw-client.js'

const python = anyInterpreter().command
const pythons = [anyInterpreter(), findInterpreter('CPython 2.7')].filter((each) => each !== undefined)
const request = { python: null, loader: 'pass', env: {} }

/** One whole attempt. @returns What the server said last. */
async function attempt(port: number, token: string): Promise<string> {
  using client = await RawClient.connect(port)
  client.say(hello)
  const line = await client.line()
  if (line !== 'TENDRIL 1 refused') {
    const [, , ours = '', theirs = ''] = `${hello.trim()} ${line.split(' ')[2]}`.split(' ')
    client.say(answerOf(token, [ours, theirs], request))
    return await client.line()
  }
  return line
}

describe('the socket server', () => {
  it('gives a handshake its time, however slowly it comes', async () => {
    await using server = await startSocketServer({ args: ['--handshake-timeout', '0.5'] })
    using client = await RawClient.connect(server.port)
    let said = 0
    // One whose time began anew with each byte would listen for as long as they come.
    const timer = setInterval(() => client.say(hello[said++] ?? '0'), 50)
    expect(await client.rest()).toBe('TENDRIL 1 refused\n')
    clearInterval(timer)
    expect(server.workers()).toEqual([])
  })

  it('keeps nobody out for wrong proofs, however many, and is in no hurry to answer them', async () => {
    await using server = await startSocketServer({ args: ['--penalty', '100', '--max-strangers', '20'] })
    const guessers = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(server.port)))
    for (const guesser of guessers)
      guesser.say(answerOf('no-token-of-this-server', (await guesser.greet()).nonces, request))
    expect(await attempt(server.port, server.token)).toBe('TENDRIL 1 ok')
    await eventually(() => expect(server.log().match(/its proof is wrong/g)).toHaveLength(20))
    expect(await Promise.any(guessers.map((guesser) => guesser.rest()))).toBe('') // it made room, and was answered by nobody
    for (const guesser of guessers) guesser.socket.destroy()
  })

  it('takes nobody for guessing who only looks whether the port is open', async () => {
    await using server = await startSocketServer()
    for (let looked = 0; looked < 8; looked++) {
      using client = await RawClient.connect(server.port)
      client.socket.end()
      await client.rest()
    }
    expect(await attempt(server.port, server.token)).toBe('TENDRIL 1 ok')
  })

  it('has as many workers as it may, and takes the next when one has ended', async () => {
    await using server = await startSocketServer({ args: ['--max-connections', '2'] })
    await using group = new Group()
    const [first] = [await group.makeGateway(server.spec), await group.makeGateway(server.spec)]
    await expect(group.makeGateway(server.spec)).rejects.toMatchObject({ code: 'ERR_AUTHENTICATION' })
    await eventually(() => expect(server.log()).toContain('there are 2 connections already'))
    await first.terminate()
    await eventually(() => expect(server.workers()).toHaveLength(1))
    const gateway = await group.makeGateway(server.spec)
    expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it.each(['', 'GET / HTTP/1.1\r\nX: ', 'TENDRIL 1 0'])(
    'lets nobody be kept out by those who say %j and no more',
    async (said) => {
      await using server = await startSocketServer({ args: ['--handshake-timeout', '100', '--max-strangers', '8'] })
      const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
      const silent = await Promise.all(
        Array.from({ length: 40 }, (_, i) => RawClient.connect(server.port, '127.0.0.1', hosts[i % hosts.length])),
      )
      for (const client of silent) client.say(said)
      await using group = new Group()
      const gateway = await group.makeGateway(`${server.spec}//timeout=60s`)
      expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
      for (const client of silent.slice(0, 20)) await client.rest()
      for (const client of silent) client.socket.destroy()
    },
  )

  it('takes a browser from no page that nobody named', async () => {
    await using server = await startSocketServer({ args: ['--origin', 'https://good.example'] })
    const fields =
      'Host: x\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
    for (const [origin, answer] of [
      ['http://evil.example', '403 Forbidden'],
      ['null', '403 Forbidden'],
      ['https://good.example', '101 Switching Protocols'],
    ]) {
      using client = await RawClient.connect(server.port)
      client.say(`GET / HTTP/1.1\r\n${fields}\r\nOrigin: ${origin}\r\n\r\n`)
      expect(await client.line()).toBe(`HTTP/1.1 ${answer}\r`)
    }
    await eventually(() => expect(server.log()).toContain('http://evil.example'))
  })

  it('keeps nothing of connections that are over, however they ended', async () => {
    await using server = await startSocketServer({ args: ['--penalty', '0'] })
    await using group = new Group()
    const held = (what: 'fd' | 'task'): number => readdirSync(`/proc/${server.pid}/${what}`).length
    // It has all that it opens for itself once it has answered somebody, and nothing of theirs once their thread is over.
    await attempt(server.port, 'no-token-of-this-server')
    await until(() => held('task') === 1)
    const files = held('fd')
    for (let round = 0; round < 20; round++) {
      const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(server.port)))
      for (const [index, { socket }] of clients.entries()) {
        socket.write(randomBytes(64 * index))
        if (index % 2 === 0) socket.resetAndDestroy()
        else socket.end(hello)
      }
      await attempt(server.port, round % 2 === 0 ? server.token : 'no-token-of-this-server')
      for (const client of clients) await client.rest()
      await (await group.makeGateway(server.spec)).terminate()
    }
    await eventually(() => expect({ files: held('fd'), threads: held('task') }).toEqual({ files, threads: 1 }))
    expect(server.log()).not.toContain('Traceback')
  })

  it('tells workers nothing of its token', async () => {
    await using server = await startSocketServer({ env: { TENDRIL_TOKEN: 'another-token-of-the-environment' } })
    await using group = new Group()
    const gateway = await group.makeGateway(server.spec)
    expect(await gateway.remoteExec('import os; channel.send("TENDRIL_TOKEN" in os.environ)').receive()).toBe(false)
  })

  const noIpv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'))
    ? undefined
    : 'this machine has no IPv6'
  it.skipIf(noIpv6)(titled('listens on IPv6', noIpv6), async () => {
    await using server = await startSocketServer({ args: ['--host', '::1'] })
    expect(server.spec).toMatch(/^socket=\[::1\]:\d+\//)
    await using group = new Group()
    const gateway = await group.makeGateway(server.spec)
    expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })
})

describe.each(pythons)('the end of a server on $name', ({ command }) => {
  it('is that of all workers and of what they started, whoever else is about to come', async () => {
    const mark = new Mark()
    await using server = await startSocketServer({ python: command })
    const group = new Group()
    const gateways = await Promise.all([1, 2, 3].map(() => group.makeGateway(`${server.spec}//${mark.key}`)))
    const started = gateways.map((gateway) => gateway.remoteExec(stubborn))
    await Promise.all(started.map((channel) => channel.receive()))
    const pending = await Promise.all(Array.from({ length: 40 }, () => RawClient.connect(server.port)))
    expect(mark.pids().length).toBeGreaterThanOrEqual(6)
    const exited = once(server.child, 'exit')
    server.child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
    expect(await thoseThatStay(mark.pids)).toEqual([])
    for (const gateway of gateways) expect((await gateway.closed).reason).not.toBe('terminated')
    for (const channel of started) await expect(channel.receive()).rejects.toMatchObject({ code: 'ERR_GATEWAY_CLOSED' })
    for (const client of pending) client.socket.destroy()
    await group.terminate()
  })

  it('by SIGKILL ends nothing that it serves', async () => {
    await using server = await startSocketServer({ python: command })
    await using group = new Group()
    const gateway = await group.makeGateway(server.spec)
    const exited = once(server.child, 'exit')
    server.child.kill('SIGKILL')
    await exited
    const { pid } = await gateway.info()
    expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
    const channel = gateway.remoteExec('channel.receive()')
    expect((await gateway.terminate({ timeout: Infinity })).killed).toEqual([])
    await expect(channel.receive()).rejects.toThrow()
    expect(await thoseThatStay(() => [pid])).toEqual([])
  })
})

const stubborn = `
import signal, subprocess, time
subprocess.Popen(['sh', '-c', 'trap "" TERM HUP INT; sleep 100; sleep 100'])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
channel.send(1)
while True: time.sleep(100)
`

it.each(pythons.map(({ name, command }) => [name, command] as const))(
  'writes thirty lines a second about strangers, and how many more there were, on %s',
  (_, command) => {
    const code = `
import sys
sys.path.insert(0, sys.argv[1])
import serve
seconds = [100]
serve.clock = lambda: seconds[0] + 0.5
strangers = serve.Strangers(512, 10)
for number in range(45):
    strangers.tell('stranger %d' % number)
for seconds[0] in (101, 102):
    strangers.tell('later')
`
    const { stderr } = spawnSync(command, ['-B', '-c', code, dirname(socketServerFile)], { encoding: 'utf8' })
    const first = Array.from({ length: 30 }, (_, number) => `tendril serve: stranger ${number}`)
    const then = ['15 more were refused or lost', 'later', 'later'].map((text) => `tendril serve: ${text}`)
    expect(stderr.trimEnd().split('\n')).toEqual([...first, ...then])
  },
)

describe('the start of a server', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tendril-serve-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const file = (name: string, text: string, mode = 0o600): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }
  const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const variables = { ...process.env, HOME: folder, XDG_CONFIG_HOME: '', TENDRIL_TOKEN: '', ...env }
    return spawnSync(python, [socketServerFile, ...args], { encoding: 'utf8', env: variables, timeout: 60_000 })
  }

  const faults: readonly [string, () => [args: string[], env?: Record<string, string>], string][] = [
    ['a short token', () => [['--token-file', file('short', 'hunter2\n')]], 'at least 22 characters; make one with'],
    ['an empty token file', () => [['--token-file', file('empty', '\n')]], 'at least 22 characters'],
    [
      'a short token in the environment',
      () => [[], { TENDRIL_TOKEN: 'hunter2' }],
      'TENDRIL_TOKEN has no token of at least',
    ],
    ['a token that others may read', () => [['--token-file', file('open', 'x'.repeat(30), 0o644)]], 'chmod 600'],
    ['a token file that is not there', () => [['--token-file', join(folder, 'none')]], 'No such file or directory'],
    ['a token on the command line', () => [['--token', 'x'.repeat(30)]], 'use --token-file or TENDRIL_TOKEN'],
    ['a host that is not known', () => [['--host', 'no-such-host.invalid']], 'cannot listen on no-such-host.invalid'],
    ['a port that no system has', () => [['--port', '70000']], 'no port 70000'],
    ['an address that is another machine’s', () => [['--host', '192.0.2.1']], 'cannot listen on 192.0.2.1'],
    ['a certificate that is not there', () => [['--tls', '--cert', '/no/cert', '--key', '/no/key']], '/no/cert'],
    ['a certificate that is none', () => [['--tls', '--cert', file('c', 'x'), '--key', file('k', 'x')]], 'cannot use'],
    ['a key without its certificate', () => [['--tls', '--key', '/no/key']], '--key needs --cert'],
    ['no openssl', () => [['--tls'], { PATH: folder }], 'install openssl, or name a certificate'],
    ['a folder that cannot be made', () => [[], { XDG_CONFIG_HOME: file('plain', '') }], 'cannot make'],
  ]

  const notRoot = process.geteuid?.() === 0 ? undefined : 'only root can give a file away'
  it.skipIf(notRoot)(titled('takes no token of another user', notRoot), async () => {
    const path = file('foreign', 'x'.repeat(30))
    chownSync(path, 65534, 65534)
    expect(start(['--token-file', path]).stderr).toMatch(/^tendril serve: [^\n]+ belongs to another user[^\n]+\n$/)
    await expect(makeGateway(`socket=127.0.0.1:1//token_file=${path}`)).rejects.toThrow(/belongs to another user/)
  })

  it.each<[string, (path: string) => void]>([
    ['a pipe', (path) => execFileSync('mkfifo', ['-m', '600', path])],
    ['a device', (path) => symlinkSync('/dev/zero', path)],
    ['a file of gigabytes', (path) => truncateSync(file(basename(path), ''), 2 ** 33)],
  ])('takes no token from %s', async (name, make) => {
    const path = join(folder, name.replaceAll(' ', '-'))
    make(path)
    const says = `${path} is no file of at most 65536 bytes`
    expect(start(['--token-file', path]).stderr).toBe(`tendril serve: ${says}\n`)
    await expect(makeGateway(`socket=127.0.0.1:1//token_file=${path}`)).rejects.toThrow(`the token file ${says}`)
  })

  it.each(faults)('fails in one line with %s', (_, prepare, says) => {
    const { status, stdout, stderr } = start(...prepare())
    expect({ status, stdout }, stderr).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(/^tendril serve: [^\n]+\n$/)
    expect(stderr).toContain(says)
  })

  it('fails in one line when the port is in use', async () => {
    await using server = await startSocketServer()
    const { status, stderr } = start(['--port', String(server.port)], { TENDRIL_TOKEN: 'x'.repeat(30) })
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: `tendril serve: cannot listen on 127.0.0.1, port ${server.port}: Address already in use\n`,
    })
  })

  it('says the same of a token on the command line of tendril', () => {
    const { status, stderr } = tendril(['serve', '--token', 'x'.repeat(30)])
    expect(status).toBe(2)
    expect(stderr).toMatch(/^tendril: [^\n]*use --token-file or TENDRIL_TOKEN\n$/)
  })

  it('makes a token where there is none, for its user alone, and takes the same the next time', async () => {
    const config = join(folder, 'config')
    const env = { XDG_CONFIG_HOME: config, TENDRIL_TOKEN: '' }
    await using first = await startSocketServer({ env, token: null })
    await using second = await startSocketServer({ env, token: null })
    const path = join(config, 'tendril', 'token')
    for (const { spec } of [first, second]) expect(spec).toContain(`//token_file=${path}`)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(config, 'tendril')).mode & 0o777).toBe(0o700)
    await using group = new Group()
    const gateway = await group.makeGateway(second.spec)
    expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })
})
