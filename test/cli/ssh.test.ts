// The command line with real hosts: what a person is asked and told on the way to them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Mark } from '../processes.js'
import { Terminal } from '../terminal.js'
import { makeKey } from '../testbeds/keys.js'
import { noSshd, titled } from '../testbeds/needs.js'
import { type Sshd, startSshd } from '../testbeds/sshd.js'
import { until } from '../waiting.js'
import { bin, tendrilOnTerminal } from './command.js'

describe.skipIf(noSshd)(titled('tendril and hosts', noSshd), () => {
  let bed: Sshd
  let file = ''
  let encrypted = ''
  beforeAll(async () => {
    bed = await startSshd()
    file = join(bed.folder, 'one.py')
    writeFileSync(file, 'channel.send(1)')
    const key = makeKey(join(bed.folder, 'encrypted'), 'ed25519', 'a long secret')
    encrypted = key.file
    writeFileSync(bed.authorizedKeysFile, `${bed.userKey.publicKey}\n${key.publicKey}\n`)
  })
  afterAll(() => bed.stop())

  /** Runs a command to its end without a terminal, as cron does; the servers of this process go on meanwhile. */
  async function tendril(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const said = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text
      })
    }
    const [status] = await once(child, 'close')
    return { status: Number(status), ...said }
  }

  it('the doctor shows the whole way, phase by phase', async () => {
    const { status, stdout } = await tendril('doctor', bed.spec)
    const phases = [...stdout.matchAll(/^ {2}(\S.*?) +[\d.]+ ms/gm)].map(([, phase]) => phase)
    const order = ['resolve', 'connect', 'host key', 'authenticate', 'channel', 'python', 'ready', 'round trip']
    expect([...new Set(phases)]).toEqual(order)
    expect(status).toBe(0)
  })

  it('one line tells of each host that fails, the others run, and the exit code is 3', async () => {
    const nobody = `ssh=-p 1 bed//ssh_config=${bed.configFile}//id=nobody`
    const stranger = `ssh=-o UserKnownHostsFile=/dev/null bed//ssh_config=${bed.configFile}//id=stranger`
    const hosts = join(bed.folder, 'hosts.txt')
    writeFileSync(hosts, [nobody, `${bed.spec}//id=good`, stranger].join('\n'))
    const { status, stdout, stderr } = await tendril('exec', '--tx', `@${hosts}`, file)
    expect([status, stdout]).toEqual([3, '[good] 1\n'])
    const lines = stderr.trimEnd().split('\n')
    expect(lines.filter((line) => line.startsWith('tendril: gateway nobody ('))).toHaveLength(1)
    expect(lines.filter((line) => line.startsWith('tendril: gateway stranger ('))).toHaveLength(1)
    expect(stderr).toContain(bed.hostKeys[0]?.fingerprint)
    expect(lines.at(-1)).toBe('tendril: 1 of 3 gateways ready, 2 failed')
  })

  it('Ctrl-C at the prompt ends what Python waits for over there', async () => {
    const mark = new Mark()
    const argv = [process.execPath, bin, 'repl', `${bed.spec}//${mark.key}`]
    const terminal = new Terminal(argv, { XDG_STATE_HOME: bed.folder, NO_COLOR: '1', TERM: 'xterm' })
    await terminal.shows(/>>> /)
    terminal.type('import os; os.system("echo ru""ns; sleep 3600; true")\r')
    await terminal.shows(/\nruns\r\n/)
    await until(() => mark.sleeps().length > 0)
    terminal.type('\u0003')
    await terminal.shows(/>>> /)
    terminal.type('40 + 2\r')
    await terminal.shows(/\n42\r\n[^\n]*>>> /)
    terminal.type('\u0004')
    expect(await terminal.exitCode()).toBe(0)
  })

  it('a passphrase is asked for on the terminal, once for all gateways', async () => {
    const terminal = tendrilOnTerminal('exec', '--tx', `3*${encryptedSpec()}`, file)
    await terminal.shows(/encrypted.*: $/)
    terminal.type('a long secret\r')
    for (let count = 0; count < 3; count++) await terminal.shows(/\[gw\d\] 1\r\n/)
    expect(await terminal.exitCode()).toBe(0)
    expect(terminal.shown).not.toContain('a long secret')
    expect(terminal.shown.match(/encrypted.*: \r/g)).toHaveLength(1)
  })

  it('a passphrase is not asked for where nobody can answer, and the error names the key', async () => {
    const { status, stderr } = await tendril('exec', '--tx', encryptedSpec(), file)
    expect(status).toBe(3)
    expect(stderr).toMatch(/^tendril: gateway gw0 .*encrypted.*\n$/)
  })

  it('Ctrl-C at a question ends at once, and leaves the terminal as it was', async () => {
    const terminal = tendrilOnTerminal('exec', '--tx', encryptedSpec(), file)
    await terminal.shows(/encrypted.*: $/)
    terminal.type('half\u0003')
    await terminal.shows(/typing is shown/)
    expect(await terminal.exitCode()).toBe(130)
  })

  it('Ctrl-C ends a command that waits for a silent host', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo // a TCP server has no other kind
    const terminal = tendrilOnTerminal('exec', '--tx', `ssh=-p ${port} bed//ssh_config=${bed.configFile}`, file)
    await terminal.shows(/0\/1 ready, 1 connecting \(/)
    terminal.type('\u0003')
    expect(await terminal.exitCode()).toBe(130)
    server.close()
  })

  /** A config by which only the encrypted key is shown. */
  function encryptedSpec(): string {
    const config = join(bed.folder, 'encrypted_config')
    const lines = [
      `HostName ${bed.address}`,
      `Port ${bed.port}`,
      `User ${bed.user}`,
      `IdentityFile ${encrypted}`,
      'IdentitiesOnly yes',
      'IdentityAgent none',
      `UserKnownHostsFile ${bed.knownHostsFile}`,
    ]
    writeFileSync(config, ['Host bed', ...lines].join('\n'))
    return `ssh=bed//ssh_config=${config}`
  }
})
