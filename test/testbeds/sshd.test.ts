// The beds themselves: what the tests of SSH gateways build on.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isGone } from '../processes.js'
import { password } from './accounts.js'
import { startDropbear } from './dropbear.js'
import { Host } from './hosts.js'
import { noAccounts, noDropbear, noHosts, noSshd, titled } from './needs.js'
import { startSsh2Server } from './ssh2-server.js'
import { sshTo, startSshd } from './sshd.js'

describe.skipIf(noSshd)(titled('a bed with an OpenSSH server', noSshd), () => {
  it('lets its user in, with the environment asked for', async () => {
    await using sshd = await startSshd({ env: { GREETING: 'good morning', OTHER: 'x' }, hostKeys: ['rsa', 'ecdsa'] })
    expect(sshTo(sshd, 'echo $GREETING $OTHER')).toBe('good morning x\n')
    await sshd.server.logged(/Accepted publickey/)
  })

  it('leaves no process and no file behind', async () => {
    const sshd = await startSshd()
    const pid = Number(sshTo(sshd, 'setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!'))
    expect(isGone(pid)).toBe(false)
    await sshd.stop()
    expect([isGone(pid), isGone(sshd.server.pid), existsSync(sshd.folder)]).toEqual([true, true, false])
  })

  it('takes nobody of another bed with it, when it had crashed before', async () => {
    const crashed = await startSshd()
    await crashed.server.crash()
    await using other = await startSshd()
    await crashed.stop()
    expect(sshTo(other, 'echo here')).toBe('here\n')
  })
})

describe.skipIf(noAccounts)(titled('a bed with accounts of its own', noAccounts), () => {
  it('has them, with their shells and homes, and the machine has not', async () => {
    await using sshd = await startSshd({
      accounts: [{ name: 'bed', shell: '/bin/bash' }],
      prepare: ['mount -t tmpfs -o size=8k none "$BED/home/bed"', 'mount -o remount,ro "$BED/home/bed"'],
    })
    expect(sshTo(sshd, 'echo $USER $SHELL $HOME')).toBe(`bed /bin/bash ${sshd.folder}/home/bed\n`)
    expect(() => sshTo(sshd, 'touch ~/x 2>&1')).toThrow()
  })

  it('takes the password of one that has it', async () => {
    await using sshd = await startSshd({
      accounts: [{ name: 'bed', hasPassword: true }],
      config: ['PasswordAuthentication yes'],
    })
    const askpass = join(sshd.folder, 'askpass')
    writeFileSync(askpass, `#!/bin/sh\necho '${password}'\n`, { mode: 0o755 })
    const env = { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' }
    const args = ['-F', sshd.configFile, '-o', 'PreferredAuthentications=password', 'bed', 'echo', 'in']
    expect(execFileSync('ssh', args, { env, encoding: 'utf8' })).toBe('in\n')
  })
})

describe.skipIf(noDropbear)(titled('a bed with a dropbear server', noDropbear), () => {
  it('lets its user in, and leaves nothing behind', async () => {
    const dropbear = await startDropbear({ account: { name: 'bed', shell: '/bin/bash' } })
    const pid = Number(sshTo(dropbear, 'setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!'))
    expect(isGone(pid)).toBe(false)
    await dropbear.stop()
    expect([isGone(pid), isGone(dropbear.server.pid), existsSync(dropbear.folder)]).toEqual([true, true, false])
  })
})

describe.skipIf(noHosts)(titled('a host of a bed', noHosts), () => {
  it('is reached, cut off, refuses and is reached again', async () => {
    await using host = Host.start()
    await using sshd = await startSshd({ ...host, port: 22, clientConfig: ['ConnectTimeout 1'] })
    expect(sshTo(sshd, 'echo here')).toBe('here\n')
    for (const direction of ['in', 'out'] as const) {
      host.cutOff(direction)
      expect(() => sshTo(sshd, 'true')).toThrow('timed out')
      host.restore()
    }
    host.rejectAll()
    expect(() => sshTo(sshd, 'true')).toThrow('refused')
    host.restore()
    expect(sshTo(sshd, 'echo back')).toBe('back\n')
  })

  it('is as far away as asked for', async () => {
    await using host = await Host.startFarAway(50)
    await using sshd = await startSshd({ ...host, port: 22 })
    const began = performance.now()
    const socket = connect({ host: sshd.address, port: 22 })
    await once(socket, 'connect')
    const connected = performance.now()
    socket.destroy()
    expect(connected - began).toBeGreaterThan(99)
  })
})

describe.skipIf(noSshd)(titled('the server of ssh2', noSshd), () => {
  it('lets the client of OpenSSH in', async () => {
    await using server = await startSsh2Server()
    const args = ['-F', server.configFile, 'bed', 'echo in; exit 7']
    const child = spawn('ssh', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [[text], [exitCode]] = await Promise.all([once(child.stdout, 'data'), once(child, 'exit')])
    expect([String(text), exitCode]).toEqual(['in\n', 7])
    expect(server.methods).toEqual(['none', 'publickey', 'publickey'])
  })
})
