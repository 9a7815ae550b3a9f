// What `ssh box` reaches by a configuration, `ssh=box` reaches: both are asked, of a real server, and say the same.
import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { Group, type Prompt, type Question } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { makeKey } from '../testbeds/keys.js'
import { noSshd, titled } from '../testbeds/needs.js'
import { freePort } from '../testbeds/server.js'
import { startAgent } from '../testbeds/ssh-agent.js'
import { type Sshd, startSshd } from '../testbeds/sshd.js'

const engines = ['ssh2', 'openssh'] as const
const python = `python=${anyInterpreter().command}`
let sshd: Sshd
let jump: Sshd
let configs = 0

beforeAll(async () => {
  if (noSshd !== undefined) return
  sshd = await startSshd({ config: ['AcceptEnv BOX_*'] })
  jump = await startSshd()
})

afterAll(async () => {
  await sshd?.stop()
  await jump?.stop()
})

afterEach(() => {
  vi.unstubAllEnvs()
})

/** A configuration by which these lines come before all others that are about the host. */
function configOf(lines: readonly string[], ...more: readonly string[]): string {
  const path = join(sshd.folder, `config-${configs++}`)
  const text = ['Host bed', ...lines.map((line) => `  ${line}`), ...more, 'Host bed', `Include ${sshd.configFile}`, '']
  writeFileSync(path, text.join('\n'))
  return path
}

/** Lines for a host to jump over. */
function jumpHost({ port, userKey, knownHostsFile }: Sshd, ...lines: readonly string[]): string[] {
  const own = [`Port ${port}`, `IdentityFile ${userKey.file}`, `UserKnownHostsFile ${knownHostsFile}`]
  return ['Host jump', ...lines, 'HostName 127.0.0.1', ...own, 'IdentityAgent none', 'GlobalKnownHostsFile none']
}

function logins({ server }: Sshd): number {
  return server.log.match(/Accepted publickey/g)?.length ?? 0
}

/** What a command prints there, run by ssh itself. */
function bySsh(config: string, command: string): string {
  return execFileSync('ssh', ['-F', config, 'bed', command], { encoding: 'utf8', stdio: 'pipe' })
}

/** What it prints when a worker runs it, in each of some gateways that are opened one after the other. */
async function byGateways(
  spec: string,
  command: string,
  { count = 1, ...options }: { readonly count?: number; readonly prompt?: Prompt } = {},
): Promise<string[]> {
  await using group = new Group(options)
  const said: string[] = []
  for (let index = 0; index < count; index++) {
    const gateway = await group.makeGateway(`${spec}//${python}`)
    const source = 'import subprocess; channel.send(subprocess.check_output(command, shell=True).decode())'
    said.push(String(await gateway.remoteExec(source, { command }).receive()))
  }
  return said
}

describe.skipIf(noSshd).each(engines)(titled('by the %s engine', noSshd), (engine) => {
  const specOf = (config: string): string => `ssh=bed//ssh_config=${config}//engine=${engine}`

  it('SendEnv and SetEnv count, in every session', async () => {
    vi.stubEnv('BOX_SENT', 'a b\n"c"')
    vi.stubEnv('BOX_BOTH', 'sent')
    vi.stubEnv('BOX_TAKEN_BACK', '1')
    vi.stubEnv('NEVER_ACCEPTED', '1')
    const names = 'SendEnv BOX_SENT BOX_B* BOX_TAKEN_BACK NEVER_*'
    const config = configOf([names, 'SendEnv -BOX_T*', 'SetEnv BOX_BOTH=set BOX_SET="x y" BOX_EMPTY='])
    const command = 'env | grep -A1 ^BOX_SENT; echo $BOX_BOTH/$BOX_SET/$BOX_EMPTY/$BOX_TAKEN_BACK/$NEVER_ACCEPTED'
    const said = bySsh(config, command)
    expect(said).toBe('BOX_SENT=a b\n"c"\nset/x y///\n')
    expect(await byGateways(specOf(config), command, { count: 2 })).toEqual([said, said])
  })

  it('ForwardAgent counts, in every session', async () => {
    await using agent = await startAgent(makeKey(join(sshd.folder, `in-agent-${engine}`)))
    vi.stubEnv('SSH_AUTH_SOCK', agent.socket)
    const config = configOf(['IdentityAgent SSH_AUTH_SOCK', 'ForwardAgent yes'])
    const said = bySsh(config, 'ssh-add -l')
    expect(said).toContain('SHA256:')
    expect(await byGateways(specOf(config), 'ssh-add -l', { count: 2 })).toEqual([said, said])
    const plain = configOf(['IdentityAgent SSH_AUTH_SOCK'])
    const spec = `ssh=-A bed//ssh_config=${plain}//engine=${engine}`
    expect(await byGateways(spec, 'ssh-add -l')).toEqual([said])
    expect(await byGateways(specOf(plain), 'echo "$SSH_AUTH_SOCK"')).toEqual(['\n'])
  })

  it.each([
    ['IgnoreUnknown Use*,Future', 'UseKeychain yes', 'Future 1'],
    ['ServerAliveInterval 30d', 'ConnectTimeout 30d'],
    ['ConnectTimeout 0', 'NumberOfPasswordPrompts 0'],
    ['ForkAfterAuthentication yes', 'StdinNull yes', 'ExitOnForwardFailure yes'],
  ])('%s is no obstacle', async (...lines) => {
    const config = configOf(lines)
    expect(bySsh(config, 'echo $USER')).toBe(`${sshd.user}\n`)
    expect(await byGateways(specOf(config), 'echo $USER')).toEqual([`${sshd.user}\n`])
  })

  it('ConnectionAttempts is how often a host is tried', async () => {
    const port = await freePort('127.0.0.1')
    const config = configOf([`Port ${port}`, `HostKeyAlias [127.0.0.1]:${sshd.port}`, 'ConnectionAttempts 10'])
    const said = byGateways(specOf(config), 'echo $USER')
    const once = specOf(config).replace('ssh=', 'ssh=-o ConnectionAttempts=1 ')
    await expect(byGateways(once, 'true')).rejects.toThrow('refused')
    const relay = createServer((socket) => {
      pipeline(socket, connect(sshd.port, '127.0.0.1'), socket, () => undefined)
    })
    relay.listen(port, '127.0.0.1')
    expect(await said).toEqual([`${sshd.user}\n`])
    relay.close() // its connection is kept for who comes next, and ends with the server
  })

  it('tokens in ProxyJump are those of the host behind it', async () => {
    const config = configOf(['ProxyJump %r@jump'], ...jumpHost(jump, 'User stranger'))
    expect(bySsh(config, 'echo $USER')).toBe(`${sshd.user}\n`)
    expect(await byGateways(specOf(config), 'echo $USER')).toEqual([`${sshd.user}\n`])
    const wrong = configOf(['ProxyJump %p@jump'], ...jumpHost(jump, 'User stranger'))
    await expect(byGateways(specOf(wrong), 'true')).rejects.toThrow(`${sshd.port}@127.0.0.1 did not let us in`)
  })

  it('the same name behind another jump host is another host', async () => {
    await using other = await startSshd()
    const said = [jump, other].map((each) => configOf(['ProxyJump jump'], ...jumpHost(each)))
    await using group = new Group()
    const before = logins(jump)
    for (const config of said) await group.makeGateway(`${specOf(config)}//${python}`)
    expect([logins(jump) - before, logins(other)]).toEqual([1, 1])
  })
})

describe.skipIf(noSshd)(titled('by whichever engine can', noSshd), () => {
  it('a jump host is reached by what OpenSSH alone can do', async () => {
    await using certified = await startSshd()
    const authority = makeKey(join(certified.folder, 'authority'))
    writeFileSync(certified.authorizedKeysFile, `cert-authority ${authority.publicKey}\n`)
    const words = ['-q', '-s', authority.file, '-I', 'x', '-n', certified.user, `${certified.userKey.file}.pub`]
    execFileSync('ssh-keygen', words)
    const config = configOf(['ProxyJump jump'], ...jumpHost(certified, `User ${certified.user}`))
    expect(await byGateways(`ssh=bed//ssh_config=${config}`, 'echo $USER')).toEqual([`${sshd.user}\n`])
  })

  it('what only OpenSSH can do is told where there is no ssh', async () => {
    vi.stubEnv('PATH', '/nowhere')
    const spec = `ssh=bed//ssh_config=${configOf(['BindInterface lo'])}`
    await expect(byGateways(spec, 'true')).rejects.toThrow(
      "bed needs OpenSSH's own client, for BindInterface, and there is no ssh on PATH. Install it, or try engine=ssh2",
    )
    await expect(byGateways(`${spec}//engine=openssh`, 'true')).rejects.toThrow('no ssh on PATH')
  })

  it('RevokedHostKeys counts', async () => {
    const file = join(sshd.folder, 'revoked')
    writeFileSync(file, jump.hostKeys.map(({ publicKey }) => `${publicKey}\n`).join(''))
    const spec = `ssh=bed//ssh_config=${configOf([`RevokedHostKeys ${file}`])}`
    expect(await byGateways(spec, 'echo $USER')).toEqual([`${sshd.user}\n`])
    writeFileSync(`${file}-too`, sshd.hostKeys.map(({ publicKey }) => `${publicKey}\n`).join(''))
    const revoked = `ssh=bed//ssh_config=${configOf([`RevokedHostKeys ${file}-too`])}`
    await expect(byGateways(revoked, 'true')).rejects.toMatchObject({ code: 'ERR_HOST_KEY' })
  })

  it.each([
    'RevokedHostKeys /dev/null',
    'KexAlgorithms sntrup761x25519-sha512@openssh.com',
    'MACs umac-64@openssh.com',
  ])('nobody is reached by ssh2 that would pass over %s', async (line) => {
    const [keyword = ''] = line.split(' ')
    const ahead = configOf([line])
    const behind = configOf(['ProxyJump jump'], ...jumpHost(jump, `User ${jump.user}`, line))
    for (const config of [ahead, behind])
      await expect(byGateways(`ssh=bed//ssh_config=${config}//engine=ssh2`, 'true')).rejects.toThrow(
        `bed is not for ssh2, which would pass over ${keyword}`,
      )
  })

  it('algorithms that a list adds, and only then, are offered to a host that has no others', async () => {
    await using old = await startSshd({
      hostKeys: ['rsa'],
      config: [
        'KexAlgorithms diffie-hellman-group1-sha1',
        'Ciphers 3des-cbc',
        'MACs hmac-sha1-96',
        'HostKeyAlgorithms ssh-rsa',
      ],
      clientConfig: [
        'KexAlgorithms +diffie-hellman-group1-sha1',
        'Ciphers +3des-cbc',
        'MACs ^hmac-sha1-96',
        'HostKeyAlgorithms +ssh-rsa',
      ],
    })
    expect(await byGateways(`${old.spec}//engine=ssh2`, 'echo $USER')).toEqual([`${old.user}\n`])
    const strict = old.spec.replace('ssh=', 'ssh=-o Ciphers=aes128-ctr ')
    await expect(byGateways(strict, 'true')).rejects.toThrow(/no matching cipher/)
  })

  it.each(['KexAlgorithms sntrup761x25519-sha512@openssh.com', 'Ciphers aes128-ctr\nMACs umac-64-etm@openssh.com'])(
    'a host that has none of ssh2: %s',
    async (line) => {
      await using modern = await startSshd({ config: [line] })
      expect(await byGateways(modern.spec, 'echo $USER', { count: 2 })).toEqual(Array(2).fill(`${modern.user}\n`))
      await expect(byGateways(`${modern.spec}//engine=ssh2`, 'true')).rejects.toThrow(/no algorithm in common/)
      const config = configOf(['ProxyJump jump'], ...jumpHost(modern, `User ${modern.user}`))
      expect(await byGateways(`ssh=bed//ssh_config=${config}`, 'echo $USER')).toEqual([`${sshd.user}\n`])
    },
  )
})

describe.skipIf(noSshd)(titled('keys', noSshd), () => {
  let strict: Sshd
  const by = (file: string, options = ''): string =>
    `ssh=-i ${file} ${options} bed//ssh_config=${strict.configFile}//engine=ssh2`

  beforeAll(async () => {
    if (noSshd !== undefined) return
    const accepted = 'PubkeyAcceptedAlgorithms rsa-sha2-512,ecdsa-sha2-nistp256,ssh-ed25519'
    strict = await startSshd({ config: [accepted], hostKeys: ['rsa'] })
  })

  afterAll(() => strict?.stop())

  /** Lets nobody else in. */
  const admit = (publicKey: string): void => writeFileSync(strict.authorizedKeysFile, `${publicKey}\n`)

  it.each(['rsa', 'ecdsa', 'ed25519'] as const)('in PKCS#8 let us in, with a passphrase too: %s', async (type) => {
    const { publicKey, privateKey } = keyPair(type)
    admit(publicKey)
    const asked: string[] = []
    const prompt = ({ kind }: Question): string => {
      asked.push(kind)
      return asked.length === 1 ? 'wrong' : 'open sesame'
    }
    for (const [name, encryption] of Object.entries({
      plain: {},
      locked: { cipher: 'aes-256-cbc', passphrase: 'open sesame' },
    })) {
      const file = join(strict.folder, `pkcs8-${type}-${name}`)
      writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem', ...encryption }), { mode: 0o600 })
      expect(await byGateways(by(file), 'echo $USER', { prompt })).toEqual([`${strict.user}\n`])
    }
    expect(asked).toEqual(['passphrase', 'passphrase'])
  })

  it('that are encrypted with what ssh2 cannot read let us in by OpenSSH', async () => {
    const { file, publicKey } = makeKey(join(strict.folder, 'chacha'))
    admit(publicKey)
    const cipher = 'chacha20-poly1305@openssh.com'
    execFileSync('ssh-keygen', ['-q', '-p', '-Z', cipher, '-P', '', '-N', 'open sesame', '-f', file])
    const spec = by(file).replace('//engine=ssh2', '')
    expect(await byGateways(spec, 'echo $USER', { prompt: () => 'open sesame' })).toEqual([`${strict.user}\n`])
  })

  it('of RSA let us in where only rsa-sha2-512 is taken, and sign with what PubkeyAcceptedAlgorithms allows', async () => {
    const key = makeKey(join(strict.folder, 'rsa'), 'rsa')
    admit(key.publicKey)
    await using agent = await startAgent(key)
    const inAgent = `-o IdentityAgent=${agent.socket} -o IdentitiesOnly=no`
    for (const spec of [by(key.file), by('/nowhere', inAgent)])
      expect(await byGateways(spec, 'echo $USER')).toEqual([`${strict.user}\n`])
    const said = byGateways(by(key.file, '-o PubkeyAcceptedAlgorithms=ssh-ed25519'), 'true')
    await expect(said).rejects.toThrow(/rsa SHA256:.*no signature of it is taken by both sides/)
    await expect(byGateways(by(key.file, '-o PubkeyAcceptedAlgorithms=-rsa-sha2-512'), 'true')).rejects.toMatchObject({
      offered: ['publickey'],
    })
  })

  it('of RSA that RequiredRSASize finds too short are not used, and hosts with one refused', async () => {
    const key = makeKey(join(strict.folder, 'short'), 'rsa')
    admit(key.publicKey)
    const error = byGateways(by(key.file, '-o RequiredRSASize=2049'), 'true')
    await expect(error).rejects.toMatchObject({
      code: 'ERR_HOST_KEY',
      message: expect.stringContaining('has 2048 bits'),
    })
    const spec = `ssh=-i ${key.file} -o RequiredRSASize=2049 stranger@bed//ssh_config=${sshd.configFile}`
    await expect(byGateways(spec, 'true')).rejects.toThrow(/tried .*it has 2048 bits, RequiredRSASize wants 2049/)
    expect(await byGateways(by(key.file, '-o RequiredRSASize=2048'), 'echo $USER')).toEqual([`${strict.user}\n`])
  })

  const keyPair = (
    type: 'rsa' | 'ecdsa' | 'ed25519',
  ): { readonly publicKey: string; readonly privateKey: KeyObject } => {
    if (type === 'ed25519') {
      // ssh-keygen writes these in OpenSSH's own format only.
      const { privateKey } = generateKeyPairSync('ed25519')
      const head = Buffer.from('\0\0\0\x0bssh-ed25519\0\0\0\x20')
      const bytes = Buffer.from(privateKey.export({ format: 'jwk' }).x ?? '', 'base64url')
      return { publicKey: `ssh-ed25519 ${Buffer.concat([head, bytes]).toString('base64')}`, privateKey }
    }
    const { file, publicKey } = makeKey(join(strict.folder, `made-${type}`), type)
    execFileSync('ssh-keygen', ['-q', '-p', '-m', 'PKCS8', '-N', '', '-f', file])
    return { publicKey, privateKey: createPrivateKey(readFileSync(file)) }
  }
})
