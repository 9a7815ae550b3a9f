// What only the engine that runs the system's own `ssh` does, against a real server: masters, the user's configuration, questions.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { OpensshControl } from '../../../src/gateways/kinds/ssh/openssh-control.js'
import { Group, type Question } from '../../../src/index.js'
import { anyInterpreter } from '../../interpreters.js'
import { isGone, thoseThatStay } from '../../processes.js'
import { makeKey } from '../../testbeds/keys.js'
import { noSshd, titled } from '../../testbeds/needs.js'
import { type Sshd, startSshd } from '../../testbeds/sshd.js'

const controller = fileURLToPath(new URL('../../fixtures/controller.mjs', import.meta.url))
const python = `python=${anyInterpreter().command}`

async function expectWorks(spec: string, options: ConstructorParameters<typeof Group>[0] = {}): Promise<void> {
  await using group = new Group(options)
  const gateway = await group.makeGateway(`${spec}//${python}`)
  expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
}

/** The masters that this machine runs for a configuration file. */
function mastersOf({ configFile }: Sshd): number[] {
  const { stdout } = spawnSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
  return stdout
    .split('\n')
    .filter((line) => /\bssh\b/.test(line) && line.includes(configFile) && line.includes('ControlMaster=yes'))
    .map((line) => Number.parseInt(line, 10))
    .filter((pid) => !isGone(pid))
}

function logins({ server }: Sshd): number {
  return server.log.match(/Accepted publickey/g)?.length ?? 0
}

describe.skipIf(noSshd)(titled('the openssh engine', noSshd), () => {
  it('overrides what the configuration asks for and a gateway cannot do with', async () => {
    await using sshd = await startSshd({
      clientConfig: [
        'RemoteCommand echo never',
        'RequestTTY force',
        'SessionType none',
        'StdinNull yes',
        'ForkAfterAuthentication yes',
        'PermitLocalCommand yes',
        'LocalCommand touch "%d/never" never',
        'LocalForward 127.0.0.1:1 127.0.0.1:1',
        'ExitOnForwardFailure yes',
        'LogLevel QUIET',
        'ControlMaster no',
        'ControlPersist no',
      ],
    })
    await expectWorks(`${sshd.spec}//engine=openssh`)
    expect(existsSync('never')).toBe(false)
  })

  it('logs in once for many gateways, and its master ends with the last of them and their time', async () => {
    await using sshd = await startSshd()
    const group = await Group.open([`5*${sshd.spec}//engine=openssh//${python}`])
    expect(await group.remoteExec('channel.send(1)').receiveEach()).toEqual([1, 1, 1, 1, 1])
    expect(logins(sshd)).toBe(1)
    expect(mastersOf(sshd)).toHaveLength(1)
    await group.terminate()
    await expectWorks(`${sshd.spec}//engine=openssh`)
    expect(logins(sshd)).toBe(1)
  })

  it('goes through the master of the user that is there, by itself, and leaves it as it was', async () => {
    await using sshd = await startSshd({ clientConfig: ['ControlPath ~/.tendril-test-%p'] })
    const { controlpath = '' } = Object.fromEntries(
      execFileSync('ssh', ['-F', sshd.configFile, '-G', 'bed'], { encoding: 'utf8' })
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
    )
    execFileSync('ssh', ['-F', sshd.configFile, '-M', '-N', '-f', '-o', 'ControlPersist=yes', 'bed'], {
      stdio: 'ignore',
    })
    try {
      rmSync(sshd.userKey.file) // nobody could log in with it
      await expectWorks(sshd.spec)
      expect(logins(sshd)).toBe(1)
      const control = await OpensshControl.join(controlpath)
      control.leave()
    } finally {
      execFileSync('ssh', ['-F', sshd.configFile, '-O', 'exit', 'bed'], { stdio: 'ignore' })
    }
  })

  it('is taken for a certificate by itself', async () => {
    await using sshd = await startSshd({ config: ['TrustedUserCAKeys /dev/null'] })
    const authority = makeKey(join(sshd.folder, 'authority'))
    writeFileSync(sshd.authorizedKeysFile, `cert-authority ${authority.publicKey}\n`)
    execFileSync('ssh-keygen', ['-q', '-s', authority.file, '-I', 'x', '-n', sshd.user, `${sshd.userKey.file}.pub`])
    await expectWorks(sshd.spec)
    expect(sshd.server.log).toMatch(/Accepted (publickey|certificate).*CERT/)
    expect(mastersOf(sshd)).toHaveLength(1)
  })

  it('asks for the passphrase of a key, and names its file', async () => {
    await using sshd = await startSshd()
    const key = makeKey(join(sshd.folder, 'locked'), 'ed25519', 'open sesame')
    writeFileSync(sshd.authorizedKeysFile, `${key.publicKey}\n`)
    const config = join(sshd.folder, 'locked_config')
    writeFileSync(config, `Host bed\n  IdentityFile ${key.file}\nInclude ${sshd.configFile}\n`)
    const asked: Question[] = []
    const prompt = (question: Question): string => {
      asked.push(question)
      return asked.length === 1 ? 'wrong' : 'open sesame'
    }
    await expectWorks(`ssh=bed//ssh_config=${config}//engine=openssh`, { prompt })
    const question = { kind: 'passphrase', from: key.file, text: expect.stringContaining('locked'), echo: false }
    expect(asked).toEqual([question, question])
  })

  it('jumps over a host, and checks the key of each under its own name', async () => {
    await using jump = await startSshd()
    await using sshd = await startSshd({ clientConfig: ['ProxyJump jump'], moreHosts: hostJump(jump) })
    const known = readFileSync(jump.knownHostsFile, 'utf8')
    writeFileSync(jump.knownHostsFile, '')
    await expect(expectWorks(`${sshd.spec}//engine=openssh`)).rejects.toMatchObject({
      code: 'ERR_HOST_KEY',
      message: expect.stringMatching(/nobody has vouched for the \S+ key of jump, /),
      fingerprint: jump.hostKeys[0]?.fingerprint,
    })
    writeFileSync(jump.knownHostsFile, known)
    await expectWorks(`${sshd.spec}//engine=openssh`)
    expect(jump.server.log).toContain('Accepted publickey')
    await using far = await startSshd({ clientConfig: ['ProxyJump jump'], moreHosts: hostJump(jump) })
    await far.server.stop()
    await expect(expectWorks(`${far.spec}//engine=openssh`)).rejects.toMatchObject({
      code: 'ERR_HOST_NOT_FOUND',
      message: expect.stringMatching(/jump cannot reach bed for us: .*refused.*Check ProxyJump/i),
    })
  })

  it('leaves no master and no worker when the controller is killed', async () => {
    await using sshd = await startSshd()
    const source = 'channel.send(1)\nimport time\nwhile True: time.sleep(10)'
    const child = spawn(process.execPath, [controller, `${sshd.spec}//engine=openssh//${python}`, source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await firstLine(child)
    const masters = mastersOf(sshd)
    expect(masters).toHaveLength(1)
    child.kill('SIGKILL')
    expect(await thoseThatStay(() => masters)).toEqual([])
    expect(await thoseThatStay(sshd.server.workers)).toEqual([])
  })

  it('does not keep a process that is done', async () => {
    await using sshd = await startSshd()
    const source = `
      import { makeGateway } from ${JSON.stringify(new URL('../../../dist/index.js', import.meta.url).href)}
      const gateway = await makeGateway(process.argv[1])
      console.log(await gateway.remoteExec('channel.send(1)').receive())
      await gateway.terminate()`
    const args = ['--input-type=module', '-e', source, `${sshd.spec}//engine=openssh//${python}`]
    expect(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 50_000 })).toBe('1\n')
  })
})

/** Lines of ssh_config for `Host jump`. */
function hostJump({ port, userKey, knownHostsFile }: Sshd): string[] {
  const lines = ['HostName 127.0.0.1', `Port ${port}`, `IdentityFile ${userKey.file}`, 'IdentityAgent none']
  return ['Host jump', ...lines, `UserKnownHostsFile ${knownHostsFile}`]
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('it has no stdout')
  const [line] = await once(createInterface(child.stdout), 'line')
  return String(line)
}
