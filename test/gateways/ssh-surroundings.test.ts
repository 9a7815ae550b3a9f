// Hosts with odd logins: shells that print, that are no /bin/sh, that end at once; without a Python, without room, without a home.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Gateway, Group } from '../../src/index.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import type { Account } from '../testbeds/accounts.js'
import { startDropbear } from '../testbeds/dropbear.js'
import { expectFault, workers } from '../testbeds/fault.js'
import { findProgram, noAccounts, noDropbear, noInterpreter, noSshd, titled } from '../testbeds/needs.js'
import { type Sshd, startSshd } from '../testbeds/sshd.js'

const engines = ['ssh2', 'openssh'] as const
const { command } = anyInterpreter()
const python = `python=${command}`
const python2 = findInterpreter('CPython 2.7')?.command
const bed = { name: 'bed' }
// The inode is the folder's own: not even an empty file fits.
const fullDisk = 'size=4k,nr_inodes=1'

// Where distributions and people put interpreters. The server sees none of them: each is mounted over.
const hidePythons = [
  'mkdir -p "$BED/empty"',
  'for each in /usr/local/bin /opt; do if [ -d "$each" ]; then mount --bind "$BED/empty" "$each"; fi; done',
  'for each in /usr/bin/python* /usr/bin/pypy*; do if [ -e "$each" ]; then mount --bind /dev/null "$each"; fi; done',
]

/** A server whose account has a script for its login shell. */
function serveWithShell(script: string, account: Partial<Account> = {}): Promise<Sshd> {
  const prepare = [
    'mount -t tmpfs -o mode=755 none /mnt',
    `cat >/mnt/shell <<'END'\n#!/bin/sh\n${script}\nEND`,
    'chmod +x /mnt/shell',
  ]
  return startSshd({ accounts: [{ ...bed, shell: '/mnt/shell', ...account }], prepare })
}

/** A server whose account has a disk of its own for its home. */
function serveWithHome(mountOptions: string): Promise<Sshd> {
  return startSshd({ accounts: [bed], prepare: [`mount -t tmpfs -o ${mountOptions} none "$BED/home/bed"`] })
}

describe.skipIf(noSshd).each(engines)(titled('by the %s engine, a worker starts', noSshd), (engine) => {
  const expectWorks = async ({ spec }: Pick<Sshd, 'spec'>, ...keys: string[]): Promise<unknown> => {
    await using group = new Group({ onOutput: () => undefined })
    const gateway = await group.makeGateway([spec, `engine=${engine}`, ...keys].join('//'))
    const answer = await gateway
      .remoteExec('import sys; print("printed"); channel.send([sys.version_info[0], u"\\xe9"])')
      .receive()
    expect(answer).toEqual([expect.any(Number), 'é'])
    return answer
  }

  it('without a word about which interpreter', async () => {
    await using sshd = await startSshd()
    await expectWorks(sshd)
  })

  it('behind a banner, a motd and a profile that prints', async () => {
    await using sshd = await startSshd({
      config: ['Banner /etc/services', 'PrintMotd yes'],
      env: { ENV: '/nowhere', BASH_ENV: '/nowhere' },
    })
    await expectWorks(sshd, python)
  })

  const noPython2 = noInterpreter('CPython 2.7')
  it.skipIf(noPython2)(titled('in a Python 2.7', noPython2), async () => {
    await using sshd = await startSshd()
    expect(await expectWorks(sshd, `python=${python2}`)).toEqual([2, 'é'])
  })

  describe.skipIf(noAccounts)(titled('for accounts', noAccounts), () => {
    const shells = ['dash', 'bash', 'tcsh', 'fish'].map((name) => [name, findProgram(name)] as const)
    it.for(shells)('whose login shell is %s', async ([name, shell], { skip }) => {
      skip(shell === undefined, `${name} is not installed`)
      await using sshd = await startSshd({ accounts: [{ ...bed, shell }] })
      await expectWorks(sshd)
      await expectWorks(sshd, python, 'env:GREETING=it\'s "$HOME" !', 'chdir=a b')
    })

    it('whose login shell is restricted', async () => {
      await using sshd = await startSshd({ accounts: [{ ...bed, shell: '/bin/rbash' }] })
      await expectWorks(sshd)
    })

    it('whose login shell prints, before and after', async () => {
      await using sshd = await serveWithShell('echo "Welcome, $USER!"; echo careful >&2; "/bin/sh" "$@"; echo bye')
      await expectWorks(sshd, python)
    })

    it.each(['.cshrc', '.bashrc', '.profile'])('whose %s prints', async (file) => {
      const shell = file === '.cshrc' ? findProgram('tcsh') : '/bin/bash'
      if (shell === undefined) return
      await using sshd = await startSshd({ accounts: [{ ...bed, shell }] })
      writeFileSync(join(sshd.folder, 'home', 'bed', file), 'echo "a word from my profile"\n')
      await expectWorks(sshd, python)
    })

    it('without room on their disk', async () => {
      await using sshd = await serveWithHome(fullDisk)
      await expectWorks(sshd, python)
    })

    it('with a home that is read-only', async () => {
      await using sshd = await serveWithHome('ro')
      await expectWorks(sshd, python)
    })

    it('with a home that is not there', async () => {
      await using sshd = await startSshd({ accounts: [{ ...bed, home: '/nowhere/at/all' }] })
      await expectWorks(sshd, python)
    })
  })
})

describe.skipIf(noAccounts).each(engines)(titled('by the %s engine, a worker does not start', noAccounts), (engine) => {
  const expectFaultOf = (sshd: Sshd, says: readonly (string | RegExp)[], ...keys: string[]): Promise<unknown> =>
    expectFault({
      spec: [sshd.spec, `engine=${engine}`, ...keys].join('//'),
      code: 'ERR_BOOTSTRAP',
      phase: 'python',
      says,
      server: sshd.server,
    })

  it('where there is no Python, and what was looked for is named', async () => {
    await using sshd = await startSshd({ accounts: [bed], prepare: hidePythons })
    await expectFaultOf(sshd, ['python3', 'python='])
  })

  it('where the interpreter asked for is not there', async () => {
    await using sshd = await startSshd({ accounts: [bed] })
    await expectFaultOf(sshd, ['/nowhere/python3', 'python='], 'python=/nowhere/python3')
  })

  it('where the login shell ends at once', async () => {
    await using sshd = await serveWithShell('exit 1')
    await expectFaultOf(sshd, ['exit code 1'], python)
  })

  it('where the account may not log in', async () => {
    await using sshd = await serveWithShell('echo "This account is currently not available."; exit 1')
    await expectFaultOf(sshd, ['exit code 1', 'currently not available'], python)
  })

  it('where the login shell runs something else and waits', async () => {
    await using sshd = await serveWithShell('echo menu; exec cat >/dev/null')
    await expectFaultOf(sshd, ['menu', 'timeout='], python, 'timeout=6s')
  })

  // ssh itself cannot send signals; and sshd passes none on to root.
  const notOurs = engine === 'ssh2' ? undefined : 'ssh itself does that'
  it.skipIf(notOurs)(
    titled('where the login shell runs something that never looks at its input', notOurs),
    async () => {
      await using sshd = await serveWithShell('echo menu; exec sleep 1000', { uid: 4711 })
      await expectFaultOf(sshd, ['menu', 'timeout='], python, 'timeout=6s')
    },
  )

  it('where its folder cannot be made', async () => {
    await using full = await serveWithHome(fullDisk)
    await expectFaultOf(full, ['No space left', 'chdir='], python, 'chdir=sub')
    await using readOnly = await serveWithHome('ro')
    await expectFaultOf(readOnly, ['Read-only file system', 'chdir='], python, 'chdir=sub')
  })

  it('and a task that finds no room says so, and the gateway goes on', async () => {
    await using sshd = await serveWithHome('size=64k')
    await using group = new Group()
    const gateway = await group.makeGateway(`${sshd.spec}//engine=${engine}//${python}`)
    const writing = gateway.remoteExec('f = open("file", "wb", 0)\nwhile True: f.write(b"x" * 4096)')
    await expect(writing.waitClose()).rejects.toThrow('No space left on device')
    expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })
})

describe.skipIf(noSshd).each(engines)(titled('by the %s engine', noSshd), (engine) => {
  it.each([1, 2, 10])('opens twelve gateways at once where MaxSessions is %d', async (limit) => {
    await using sshd = await startSshd({ config: [`MaxSessions ${limit}`] })
    const group = await Group.open([`12*${sshd.spec}//engine=${engine}//${python}`])
    expect(await group.remoteExec('channel.send(1)').receiveEach()).toEqual(Array(12).fill(1))
    await group.terminate()
    expect(await workers(sshd.server)).toEqual([])
  })

  it('says beyond MaxSessions, too, that an interpreter does not start, and starts others there', async () => {
    await using sshd = await startSshd({ config: ['MaxSessions 1'] })
    await using group = new Group()
    const open = (key: string): Promise<Gateway> => group.makeGateway(`${sshd.spec}//engine=${engine}//${key}`)
    await open(python)
    const failing = Promise.allSettled([open('python=/nowhere/python3'), open('python=/nowhere/python3')])
    const gateway = await open(python)
    const message = expect.stringMatching(/^gateway gw\d \(.*\/nowhere\/python3: not found.*python=/)
    for (const failure of await failing)
      expect(failure).toMatchObject({ reason: { code: 'ERR_BOOTSTRAP', phase: 'python', exitCode: 127, message } })
    expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('carries items while the host changes keys', async () => {
    await using sshd = await startSshd({ config: ['RekeyLimit 1M'] })
    await using group = new Group()
    const gateway = await group.makeGateway(`${sshd.spec}//engine=${engine}//${python}`)
    const channel = gateway.remoteExec<Uint8Array, Uint8Array>('for item in channel: channel.send(item)')
    const item = Uint8Array.from({ length: 5 * 1024 * 1024 }, (_, index) => index % 251)
    for (let count = 0; count < 3; count++) void channel.send(item)
    for (let count = 0; count < 3; count++) expect(Buffer.compare(await channel.receive(), item)).toBe(0)
  })

  it('opens fifty gateways on one connection', async () => {
    await using sshd = await startSshd({ config: ['MaxSessions 10'] })
    await using group = await Group.open([`50*${sshd.spec}//engine=${engine}//${python}`])
    expect(await group.remoteExec('channel.send(1)').receiveEach()).toEqual(Array(50).fill(1))
    expect(connectionsTo(sshd.port)).toBe(1)
  })
})

describe.skipIf(noDropbear).each(engines)(titled('by the %s engine, from dropbear', noDropbear), (engine) => {
  it('opens gateways beyond its sessions, and leaves nothing', async () => {
    await using server = await startDropbear()
    const group = await Group.open([`12*${server.spec}//engine=${engine}//${python}`])
    expect(await group.remoteExec('channel.send(1)').receiveEach()).toEqual(Array(12).fill(1))
    await group.terminate()
    expect(await workers(server.server)).toEqual([])
  })

  it('says that there is no such interpreter', async () => {
    await using server = await startDropbear()
    const spec = `${server.spec}//engine=${engine}//python=/nowhere/python3`
    const says = ['/nowhere/python3', 'python=']
    await expectFault({ spec, code: 'ERR_BOOTSTRAP', phase: 'python', says, server: server.server })
  })
})

/** How many TCP connections there are to a local port. */
function connectionsTo(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n')
  return lines.filter((line) => new RegExp(`^ *\\d+: \\S+ \\w+:${hex} 01 `).test(line)).length
}
