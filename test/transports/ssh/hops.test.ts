// What leads to a host: a TCP connection, a ProxyCommand, hosts to jump through. The servers are ssh2's own.
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Phase } from '../../../src/errors.js'
import type { SshConnection } from '../../../src/gateways/kinds/ssh/connection.js'
import type { ResolvedHost } from '../../../src/gateways/kinds/ssh/host.js'
import { opensshEngine } from '../../../src/gateways/kinds/ssh/openssh-engine.js'
import { ssh2Engine } from '../../../src/gateways/kinds/ssh/ssh2-engine.js'
import { ConnectFault } from '../../../src/transports/connecting.js'
import { errorOf } from '../../failing.js'
import { thoseThatStay } from '../../processes.js'
import { titled } from '../../testbeds/needs.js'
import { childrenOf } from '../../testbeds/server.js'
import { type Ssh2Server, startSsh2Server } from '../../testbeds/ssh2-server.js'
import { eventually } from '../../waiting.js'
import { byFiles, bySsh, makeScratch, missingTool } from './scratch.js'
import { Traveller } from './traveller.js'

const scratch = makeScratch()
const noSsh = missingTool('ssh')
const relay = scratch.write(
  'relay.mjs',
  `import { connect } from 'node:net'
const [host, port] = process.argv.slice(2)
const socket = connect(Number(port), host)
process.stdin.pipe(socket).pipe(process.stdout)
`,
)
const relayCommand = `ProxyCommand ${process.execPath} ${relay} %h %p`
let configs = 0

/** The servers as hosts of one configuration, in which all are known by their names there; `lines` belong to a name. */
function configOf(servers: Readonly<Record<string, Ssh2Server>>, lines: Readonly<Record<string, string>>): string {
  const known = scratch.write(
    `known-${configs}`,
    Object.entries(servers)
      .map(([name, { hostKeys }]) => `${name}-key ${hostKeys[0]?.publicKey}\n`)
      .join(''),
  )
  const blocks = Object.entries(servers).map(([name, server]) =>
    [
      `Host ${name}`,
      ...(lines[name] === undefined ? [] : [lines[name]]),
      `HostName ${server.address}`,
      `Port ${server.port}`,
      `User ${server.user}`,
      `IdentityFile ${server.userKey.file}`,
      `HostKeyAlias ${name}-key`,
    ].join('\n  '),
  )
  const common = ['Host *', 'IdentitiesOnly yes', 'IdentityAgent none', `UserKnownHostsFile ${known}`].join('\n  ')
  return scratch.write(`config-${configs++}`, `${[...blocks, common].join('\n')}\n`)
}

function connectTo(host: ResolvedHost, traveller = new Traveller()): Promise<SshConnection> {
  return ssh2Engine.connect(host, traveller)
}

async function expectOutput(connection: SshConnection, text: string): Promise<void> {
  const transport = await connection.openSession(`echo '${text}'`, new Traveller())
  let said = ''
  await new Promise((resolve) => {
    transport.start({
      onChunk: (chunk) => {
        said += Buffer.from(chunk).toString()
      },
      onStderr: () => undefined,
      onDrain: () => undefined,
      onEnd: resolve,
    })
  })
  expect(said).toBe(`${text}\n`)
}

async function expectFault(opening: Promise<unknown>, phase: Phase, ...says: (string | RegExp)[]): Promise<void> {
  const fault = await errorOf(opening)
  if (!(fault instanceof ConnectFault)) throw new Error('it is no fault of the way', { cause: fault })
  expect(fault.phase, fault.message).toBe(phase)
  for (const text of says) expect(fault.message).toMatch(text)
}

async function expectNoneOpen(...servers: Ssh2Server[]): Promise<void> {
  await eventually(() => expect(servers.map((server) => server.open())).toEqual(servers.map(() => 0)))
}

describe('a host without a proxy', () => {
  it('is looked for before it is connected to', async () => {
    await using server = await startSsh2Server()
    const host = { ...(await byFiles('bed', server.configFile)), hostname: 'localhost', hostKeyAlias: undefined }
    writeFileSync(server.knownHostsFile, `[localhost]:${server.port} ${server.hostKeys[0]?.publicKey}\n`)
    const traveller = new Traveller()
    const connection = await connectTo(host, traveller)
    expect(traveller.told.slice(0, 2)).toEqual(
      ['connect', 'host key'].map((each) => `${each}: localhost port ${server.port}`),
    )
    await connection.close()
    const lost = new Traveller()
    await expectFault(connectTo({ ...host, hostname: 'no-such-host.invalid' }, lost), 'resolve', 'no-such-host.invalid')
    expect(lost.told).toEqual([])
  })
})

describe('a ProxyCommand', () => {
  it('carries the connection, and ends with it', async () => {
    await using server = await startSsh2Server()
    const host = await byFiles('web', configOf({ web: server }, { web: relayCommand }))
    const before = childrenOf(process.pid)
    const connection = await connectTo(host)
    const ours = (): number[] => childrenOf(process.pid).filter((pid) => !before.includes(pid))
    expect(ours()).toHaveLength(1)
    await expectOutput(connection, 'through a command')
    await connection.close()
    expect(await thoseThatStay(ours)).toEqual([])
    await expectNoneOpen(server)
  })

  it('is ended with all that it started when the way is given up', async () => {
    await using server = await startSsh2Server({ authenticate: () => undefined })
    const command = `ProxyCommand sh -c '${process.execPath} ${relay} %h %p; true'`
    const host = await byFiles('web', configOf({ web: server }, { web: command }))
    const before = childrenOf(process.pid)
    const traveller = new Traveller()
    const opening = connectTo(host, traveller)
    const refused = expect(opening).rejects.toThrow('enough')
    await traveller.reaches('authenticate')
    traveller.giveUp()
    await refused
    expect(await thoseThatStay(() => childrenOf(process.pid).filter((pid) => !before.includes(pid)))).toEqual([])
    await expectNoneOpen(server)
  })

  describe.each([
    { engine: ssh2Engine, missing: undefined },
    { engine: opensshEngine, missing: noSsh },
  ])('and the engine $engine.name', ({ engine, missing }) => {
    it.skipIf(missing).each([
      ['cannot be run', '/nowhere/relay %h', /ProxyCommand of web said ".*relay.*Run "\/nowhere\/relay /],
      ['gives up', "sh -c 'echo gateway is down >&2; exit 1'", /said "gateway is down"\. Run "sh -c /],
      ['goes away', 'false', /ended before it answered\. Run "false" by hand/],
    ])(titled('that %s is quoted', missing), async (_, command, words) => {
      await using server = await startSsh2Server()
      const host = await byFiles('web', configOf({ web: server }, { web: `ProxyCommand ${command}` }))
      const traveller = new Traveller()
      await expectFault(engine.connect(host, traveller), 'connect', 'the way to 127.', words)
      expect(traveller.told).toEqual([expect.stringMatching(/^connect: ProxyCommand /)])
    })
  })

  it('that breaks off is quoted by who used it', async () => {
    await using server = await startSsh2Server()
    const pidFile = scratch.at('pid')
    const command = `ProxyCommand sh -c 'echo $$ >${pidFile}; ${process.execPath} ${relay} %h %p; echo bye >&2'`
    const connection = await connectTo(await byFiles('web', configOf({ web: server }, { web: command })))
    server.cut()
    expect((await connection.closed)?.message).toMatch(/closed the connection.*the ProxyCommand of web said "bye"/)
    expect(await thoseThatStay(() => [Number(readFileSync(pidFile, 'utf8'))])).toEqual([])
  })
})

describe.skipIf(noSsh !== undefined)(`ProxyJump${noSsh === undefined ? '' : ` (${noSsh})`}`, () => {
  it('leads through one host after the other, each of them with its own key and its own phases', async () => {
    await using first = await startSsh2Server()
    await using second = await startSsh2Server()
    await using target = await startSsh2Server()
    const config = configOf({ first, second, target }, { target: 'ProxyJump first,second' })
    const traveller = new Traveller()
    const connection = await connectTo(await bySsh('target', config), traveller)
    expect(first.forwards).toEqual([`127.0.0.1:${second.port}`])
    expect(second.forwards).toEqual([`127.0.0.1:${target.port}`])
    const keys = [first, second, target].map(({ hostKeys }) => `host key: ssh-ed25519 ${hostKeys[0]?.fingerprint}`)
    expect(traveller.told.filter((each) => each.startsWith('host key: ssh'))).toEqual(keys)
    await expectOutput(connection, 'from behind two hosts')
    await connection.close()
    await expectNoneOpen(target, second, first)
  })

  it('follows the ProxyJump of a host that is jumped through', async () => {
    await using first = await startSsh2Server()
    await using second = await startSsh2Server()
    await using target = await startSsh2Server()
    const lines = { second: 'ProxyJump first', target: 'ProxyJump second' }
    const connection = await connectTo(await bySsh('target', configOf({ first, second, target }, lines)))
    expect([first.forwards.length, second.forwards.length]).toEqual([1, 1])
    await connection.close()
    await expectNoneOpen(target, second, first)
  })

  it('knows each host by its own name only', async () => {
    await using jump = await startSsh2Server()
    await using target = await startSsh2Server()
    const config = configOf({ jump, target }, { target: 'ProxyJump jump' })
    const host = await bySsh('target', config)
    const [known = ''] = host.userKnownHostsFiles
    const [jumpKey, targetKey] = [jump, target].map(({ hostKeys }) => hostKeys[0]?.publicKey)
    writeFileSync(known, `jump-key ${targetKey}\ntarget-key ${targetKey}\n`)
    await expectFault(connectTo(host), 'host key', /key of jump has changed/)
    writeFileSync(known, `jump-key ${jumpKey}\ntarget-key ${jumpKey}\n`)
    await expectFault(connectTo(host), 'host key', /key of target has changed/)
    expect([jump.connections(), target.connections()]).toEqual([2, 1])
    await expectNoneOpen(jump, target)
  })

  it('names the host that does not let us in, and what it is reached for', async () => {
    await using jump = await startSsh2Server({ authenticate: (context) => context.reject(['publickey']) })
    await using target = await startSsh2Server()
    const config = configOf({ jump, target }, { jump: 'User stranger', target: 'ProxyJump jump' })
    await expectFault(connectTo(await bySsh('target', config)), 'authenticate', 'stranger@', /-i FILE jump/)
    await expectNoneOpen(jump)
  })

  it('names the host that cannot reach the next', async () => {
    await using jump = await startSsh2Server()
    const target = await startSsh2Server()
    const config = configOf({ jump, target }, { target: 'ProxyJump jump' })
    await target.stop()
    const says = [`port ${jump.port} cannot reach 127.0.0.1 port ${target.port}`, 'AllowTcpForwarding']
    await expectFault(connectTo(await bySsh('target', config)), 'connect', ...says)
    await expectNoneOpen(jump)
  })

  it('is given up at once while a host reaches for the next', async () => {
    await using jump = await startSsh2Server({ forwarding: 'silent' })
    await using target = await startSsh2Server()
    const traveller = new Traveller()
    const host = await bySsh('target', configOf({ jump, target }, { target: 'ProxyJump jump' }))
    const refused = expect(connectTo(host, traveller)).rejects.toThrow('enough')
    await eventually(() => expect(jump.forwards).toHaveLength(1))
    traveller.giveUp()
    await refused
    await expectNoneOpen(jump)
  })

  it.each(['jump', 'target'] as const)('ends when the connection to the %s does', async (which) => {
    await using jump = await startSsh2Server()
    await using target = await startSsh2Server()
    const config = configOf({ jump, target }, { target: 'ProxyJump jump' })
    const connection = await connectTo(await bySsh('target', config))
    const end = { jump, target }[which]
    end.cut()
    expect((await connection.closed)?.message).toContain(`port ${end.port} closed the connection`)
    await expectNoneOpen(jump, target)
  })

  it('that leads in a circle is refused', async () => {
    await using one = await startSsh2Server()
    await using other = await startSsh2Server()
    const config = configOf({ one, other }, { one: 'ProxyJump other', other: 'ProxyJump one' })
    await expectFault(bySsh('one', config), 'resolve', /ProxyJump of (one|other) leads in a circle/)
    expect([one.connections(), other.connections()]).toEqual([0, 0])
  })
})
