// Workers that dial home: who is let in, who is not, and what is told on either side.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Gateway, Group, type ListenOptions, XSpecError } from '../../src/index.js'
import { selfSigned } from '../../src/transports/dial-home/certificate.js'
import { tokenId } from '../../src/transports/dial-home/handshake.js'
import { proof } from '../../src/transports/socket/handshake.js'
import { anyInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { readInvitation, runInvitation, startDialer } from '../testbeds/dialer.js'
import { noOpenssl, titled } from '../testbeds/needs.js'

const token = 'correct-horse-battery-staple'

/** A listener, and who was turned away. */
async function listening(group: Group, options: ListenOptions = {}) {
  const refusals: string[] = []
  let tell: () => void = () => undefined
  const arrivals = await group.listen({
    ...options,
    onRefusal: (_, reason) => {
      refusals.push(reason.message)
      tell()
    },
  })
  const refused = async (): Promise<string> => {
    while (refusals.length === 0)
      await new Promise<void>((resolve) => {
        tell = resolve
      })
    return refusals.shift() ?? ''
  }
  return { arrivals, refused, [Symbol.dispose]: () => arrivals.close() }
}

async function answerOf(gateway: Gateway | undefined): Promise<unknown> {
  return gateway?.remoteExec('channel.send(6 * 7)').receive()
}

describe('workers that dial home', () => {
  describe.each(['tcp', 'tls', 'ws', 'wss'])('over %s', (scheme) => {
    const reason = scheme === 'tls' || scheme === 'wss' ? noOpenssl : undefined
    it.skipIf(reason)(titled('come by the command of one line', reason), async () => {
      await using group = new Group()
      using home = await listening(group, scheme === 'tls' || scheme === 'wss' ? { tls: await selfSigned() } : {})
      const { arrivals } = home
      const command = arrivals.invite(
        scheme.startsWith('ws') ? { url: `${scheme}://127.0.0.1:${arrivals.port}/a` } : {},
      )
      expect(command).not.toContain('\n')
      await using _dialer = runInvitation(command)
      const gateway = await arrivals.next()
      expect(await answerOf(gateway)).toBe(42)
      expect([...group]).toEqual([gateway])
      expect(gateway?.remoteAddress).toMatch(/^\S+ \(127\.0\.0\.1:\d+\)$/)
      expect(String(gateway?.spec)).toContain('home=')
    })
  })

  it('are given the keys of the listener, and are told apart', async () => {
    await using group = new Group()
    using home = await listening(group, { spec: 'chdir=/tmp//nice=3' })
    const command = home.arrivals.invite({ count: 2 })
    await using _one = runInvitation(command)
    await using _other = runInvitation(command)
    const gateways = [await home.arrivals.next(), await home.arrivals.next()]
    expect(gateways.map((gateway) => gateway?.id).sort()).toEqual(['gw0', 'gw1'])
    for (const gateway of gateways) {
      const told = gateway?.remoteExec('import os; channel.send([os.getcwd(), os.nice(0)])').receive()
      expect(await told).toEqual(['/tmp', Math.min(getPriority() + 3, 19)])
    }
  })

  it('come all of them when they come at once', async () => {
    await using group = new Group()
    using home = await listening(group)
    const { address, token } = readInvitation(home.arrivals.invite({ count: 20 }))
    const dialers = Array.from({ length: 20 }, () => startDialer([address], { TENDRIL_TOKEN: token }))
    const answers = []
    for (const _ of dialers) answers.push(answerOf(await home.arrivals.next()))
    expect(await Promise.all(answers)).toEqual(dialers.map(() => 42))
    for (const gateway of group) await gateway.terminate() // twenty that end at once may take longer than their guards wait
    expect((await Promise.all(dialers.map(({ exited }) => exited))).map(({ code }) => code)).toEqual(
      dialers.map(() => 0),
    )
  })

  it('leave when the controller ends them, and when it is gone, with all that they started', async () => {
    const mark = new Mark()
    await using group = new Group()
    using home = await listening(group)
    const { address, token } = readInvitation(home.arrivals.invite())
    await using dialer = startDialer([address], { ...mark.variables, TENDRIL_TOKEN: token })
    const gateway = await home.arrivals.next()
    await gateway?.remoteExec('import subprocess; subprocess.Popen(["sleep", "100"]); channel.send(1)').receive()
    await gateway?.terminate()
    expect((await dialer.exited).code).toBe(0)
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('are new gateways when they come back', async () => {
    await using group = new Group()
    using home = await listening(group, { token })
    const { address } = readInvitation(home.arrivals.invite())
    await using _dialer = startDialer([address, '--retry'], { TENDRIL_TOKEN: token })
    const first = await home.arrivals.next()
    process.kill((await first!.info()).pid, 'SIGKILL')
    expect(await first?.closed).toMatchObject({ reason: 'lost' })
    const second = await home.arrivals.next()
    expect(second).not.toBe(first)
    expect(await answerOf(second)).toBe(42)
  })

  it('come by what a program starts, with the token on standard input and on no command line', async () => {
    await using group = new Group()
    for (const given of [{}, { token }]) {
      using home = await listening(group, given)
      const { command, input } = home.arrivals.inviteParts()
      expect(input).toMatch(/^\S{22,}\n$/)
      expect(command).not.toContain(input.trim())
      const python = command.replace(/^python3 /, () => `exec ${anyInterpreter().command} `)
      const child = spawn('/bin/sh', ['-c', python], { stdio: ['pipe', 'ignore', 'ignore'] })
      child.stdin.write(input) // whoever carries it may leave it open
      const gateway = await home.arrivals.next()
      expect(await answerOf(gateway)).toBe(42)
      const exited = once(child, 'exit')
      await gateway?.terminate()
      await exited
    }
  })

  it('import nothing from the working directory before the controller has proved what it is', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tendril-traps-'))
    for (const name of ['socket', 'hashlib', 'hmac', 'base64', 'binascii', 'ssl', 'urllib'])
      writeFileSync(join(folder, `${name}.py`), 'raise SystemExit("trapped")')
    await using group = new Group()
    using home = await listening(group)
    const { command, input } = home.arrivals.inviteParts()
    const python = command.replace(/^python3 /, () => `exec ${anyInterpreter().command} `)
    const child = spawn('/bin/sh', ['-c', python], { cwd: folder, stdio: ['pipe', 'ignore', 'ignore'] })
    child.stdin.end(input)
    const exited = once(child, 'exit')
    const gateway = await Promise.race([home.arrivals.next(), exited.then(() => undefined)])
    expect(await answerOf(gateway)).toBe(42)
    await group.makeGateway(`popen//id=c//chdir=${folder}//python=${anyInterpreter().command}`)
    for (const name of ['argparse', 'stringprep', 'tempfile'])
      writeFileSync(join(folder, `${name}.py`), 'raise SystemExit')
    expect(await answerOf(await group.makeGateway('socket//installvia=c'))).toBe(42)
    await using _forward = await group.get('c').forward({ remoteListen: 0, to: 1 })
    await gateway?.terminate()
    await exited
    rmSync(folder, { recursive: true })
  })

  it('are invited by a command that means the same to every shell, or by none', async () => {
    await using group = new Group()
    using home = await listening(group)
    for (const path of ["a'b", 'a"b', "a';touch x;'", 'a\\b', 'a b', 'a\nb', 'ä'])
      for (const invite of ['invite', 'inviteParts'] as const)
        expect(() => home.arrivals[invite]({ url: `ws://127.0.0.1/${path}` })).toThrow(XSpecError)
    const folder = mkdtempSync(join(tmpdir(), 'tendril-invite-'))
    for (const url of ['ws://a%27;b/', 'ws://127.0.0.1:1/a;id>x;$(id>x)`id>x`&!x', 'tcp://h$(touch$IFS.x):1']) {
      const { command } = home.arrivals.inviteParts({ url })
      spawnSync('sh', ['-c', `python3() { :; }; ${command}`], { cwd: folder })
      expect(readdirSync(folder)).toEqual([])
    }
    rmSync(folder, { recursive: true })
  })

  it('see no token in their environment or arguments', async () => {
    await using group = new Group()
    using home = await listening(group, { token })
    await using _dialer = runInvitation(home.arrivals.invite(), { TENDRIL_TOKEN: token })
    const gateway = await home.arrivals.next()
    const seen = await gateway?.remoteExec('import os, sys; channel.send(repr([dict(os.environ), sys.argv]))').receive()
    expect(seen).not.toContain(token)
  })
})

describe('a listener', () => {
  it('lets a token be used as often as it was made for, also by two who come at once', async () => {
    await using group = new Group()
    using home = await listening(group)
    const { address, token } = readInvitation(home.arrivals.invite())
    const dialers = [startDialer([address], { TENDRIL_TOKEN: token }), startDialer([address], { TENDRIL_TOKEN: token })]
    expect(await answerOf(await home.arrivals.next())).toBe(42)
    const refused = await Promise.race(dialers.map(({ exited }) => exited))
    expect(refused).toMatchObject({ code: 1, said: expect.stringMatching(/has been used/) })
    expect(group.size).toBe(1)
    for (const dialer of dialers) await dialer[Symbol.asyncDispose]()
  })

  it('turns away who knows another token, who is told before anything is run', async () => {
    await using group = new Group()
    using home = await listening(group, { token })
    const { address } = readInvitation(home.arrivals.invite())
    await using dialer = startDialer([address], { TENDRIL_TOKEN: `${token}!` })
    expect(await dialer.exited).toMatchObject({ code: 1, said: expect.stringContaining('does not know the token') })
    expect(await home.refused()).toContain('hung up')
  })

  it.skipIf(noOpenssl)(titled('says in a line why TLS does not come about', noOpenssl), async () => {
    await using group = new Group()
    using home = await listening(group, { tls: await selfSigned() })
    const socket = await reach(home.arrivals.port)
    socket.write('no TLS at all\n')
    expect(await home.refused()).toMatch(/^TLS did not come about: [\w ]+$/)
    socket.destroy()
  })

  it('turns away who proves nothing, and answers all of them alike', async () => {
    await using group = new Group()
    using home = await listening(group, { token })
    const nonce = '0'.repeat(64)
    const greetings = [`TENDRIL 1 ${nonce} ${tokenId(token)}\n`, `TENDRIL 1 ${nonce} ${'f'.repeat(16)}\n`]
    const answers = []
    for (const greeting of greetings) {
      const socket = await reach(home.arrivals.port)
      socket.write(greeting)
      const line = await lineOf(socket)
      expect(line).toMatch(/^TENDRIL 1 [0-9a-f]{64} [0-9a-f]{64}$/)
      // Its own proof, sent back to it, proves nothing.
      socket.write(`${line.split(' ')[3]} 00\n`)
      answers.push(await lineOf(socket))
      expect(await home.refused()).toContain('token')
    }
    expect(answers).toEqual(['TENDRIL 1 refused', 'TENDRIL 1 refused'])
    expect(group.size).toBe(0)
  })

  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a line without end', `TENDRIL 1 ${'0'.repeat(5000)}`],
    ['a nonce that is too short', 'TENDRIL 1 00 00\n'],
    ['a proof that is none', `TENDRIL 1 ${'0'.repeat(64)} ${'0'.repeat(16)}\nnothing\n`],
  ])('turns away %s', async (_, said) => {
    await using group = new Group()
    using home = await listening(group, { token })
    const socket = await reach(home.arrivals.port)
    const closed = once(socket, 'close')
    socket.resume().write(said)
    await closed
    expect(group.size).toBe(0)
    await using _dialer = runInvitation(home.arrivals.invite({ count: 1 }))
    expect(await answerOf(await home.arrivals.next())).toBe(42)
  })

  it('cuts those who hang up at every byte of a handshake, and serves the next', async () => {
    await using group = new Group()
    using home = await listening(group, { token })
    const whole = `TENDRIL 1 ${'0'.repeat(64)} ${tokenId(token)}\n${'0'.repeat(64)} 00\n`
    for (let size = 1; size < whole.length; size += 7) {
      const socket = await reach(home.arrivals.port)
      socket.resume().end(whole.slice(0, size))
      await once(socket, 'close')
    }
    await using _dialer = runInvitation(home.arrivals.invite({ count: 1 }))
    expect(await answerOf(await home.arrivals.next())).toBe(42)
  })

  it('tells of a worker that came and could not be set up', async () => {
    await using group = new Group()
    using home = await listening(group, { spec: 'chdir=/dev/null/sub' })
    await using _dialer = runInvitation(home.arrivals.invite())
    expect(await home.refused()).toContain('/dev/null/sub')
    expect(group.size).toBe(0)
  })

  it('cuts who is on the way when it is closed; who has arrived stays', async () => {
    await using group = new Group()
    using home = await listening(group)
    await using _dialer = runInvitation(home.arrivals.invite())
    const gateway = await home.arrivals.next()
    const socket = await reach(home.arrivals.port)
    const closed = once(socket, 'close')
    socket.write(`TENDRIL 1 ${'0'.repeat(64)} ${'0'.repeat(16)}\n`)
    await lineOf(socket)
    home.arrivals.close()
    await closed
    expect(await home.arrivals.next()).toBeUndefined()
    expect(await answerOf(gateway)).toBe(42)
    await expect(reach(home.arrivals.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('refuses what it cannot do', async () => {
    await using group = new Group()
    await expect(group.listen({ token: 'short' })).rejects.toThrow(/22/)
    expect(() => group.listen({ spec: 'python=python2' })).toThrow(XSpecError)
    expect(() => group.listen({ spec: 'nice=much' })).toThrow(XSpecError)
    using home = await listening(group)
    expect(() => home.arrivals.invite({ url: 'ftp://x' })).toThrow(XSpecError)
    await expect(group.listen({ port: home.arrivals.port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})

describe('a worker to be', () => {
  it('runs nothing of a controller that does not know the token', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => {
        socket.write(`TENDRIL 1 ${'1'.repeat(64)} ${'2'.repeat(64)}\nTENDRIL 1 ok 5\nraise`)
      })
    })
    await using at = await started(server)
    await using dialer = startDialer([at.address], { TENDRIL_TOKEN: token })
    expect(await dialer.exited).toMatchObject({
      code: 1,
      said: expect.stringContaining('nothing of the controller was run'),
    })
  })

  it('is not deceived by a controller that proves as a worker does', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', (data) => {
        const [, , theirs = ''] = data.toString().split(' ')
        const ours = '1'.repeat(64)
        socket.write(`TENDRIL 1 ${ours} ${proof(token, 'worker', [theirs, ours])}\n`)
      })
    })
    await using at = await started(server)
    await using dialer = startDialer([at.address], { TENDRIL_TOKEN: token })
    expect(await dialer.exited).toMatchObject({ code: 1, said: expect.stringContaining('does not know the token') })
  })

  it('runs no other program than the one that was announced', async () => {
    await using group = new Group()
    using home = await listening(group)
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nprint("deceived")'))
    })
    await using at = await started(server)
    const command = home.arrivals.invite().replaceAll(String(home.arrivals.port), String(at.port))
    await using dialer = runInvitation(command)
    expect(await dialer.exited).toEqual({
      code: 1,
      said: 'tendril: that is not the program that was announced\n',
    })
  })

  it.skipIf(noOpenssl)(titled('trusts no other certificate than the one that it was told', noOpenssl), async () => {
    await using group = new Group()
    using home = await listening(group, { tls: await selfSigned() })
    const { address, token } = readInvitation(home.arrivals.invite())
    const other = address.replace(/#.*/, `#${'0'.repeat(64)}`)
    await using deceived = startDialer([other], { TENDRIL_TOKEN: token })
    expect(await deceived.exited).toMatchObject({ code: 1, said: expect.stringContaining('is another one') })
    await using unknown = startDialer([address.replace(/#.*/, '')], { TENDRIL_TOKEN: token })
    expect(await unknown.exited).toMatchObject({ code: 1, said: expect.stringMatching(/CERTIFICATE_VERIFY_FAILED/i) })
    await using plain = startDialer([address.replace(/^tls/, 'tcp').replace(/#.*/, '')], { TENDRIL_TOKEN: token })
    expect((await plain.exited).code).toBe(1)
  })

  it('takes no token from its command line', async () => {
    await using dialer = startDialer(['tcp://127.0.0.1:1', token])
    expect(await dialer.exited).toMatchObject({ code: 1, said: expect.stringContaining('could read a token') })
  })

  it.each([
    ['nobody there', 'tcp://127.0.0.1:1', /refused/i],
    ['no address', '127.0.0.1', /no address/],
    ['no host', 'tcp://no.such.host.invalid:7', /cannot dial/],
  ])('says why it did not come: %s', async (_, address, words) => {
    await using dialer = startDialer([address], { TENDRIL_TOKEN: token })
    expect(await dialer.exited).toMatchObject({ code: 1, said: expect.stringMatching(words) })
  })
})

async function started(server: ReturnType<typeof createServer>) {
  const sockets: Socket[] = []
  server.on('connection', (socket) => sockets.push(socket))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    address: `tcp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function reach(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  return socket
}

async function lineOf(socket: Socket): Promise<string> {
  const [data] = await once(socket, 'data')
  return String(data).trimEnd()
}
