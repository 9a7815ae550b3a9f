// The session that is opened ahead: what it becomes, and that nobody is harmed when it cannot.
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { type Gateway, Group } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { workers } from '../testbeds/fault.js'
import { noAccounts, noSshd, titled } from '../testbeds/needs.js'
import { type Sshd, startSshd } from '../testbeds/sshd.js'
import { eventually } from '../waiting.js'

const python = `python=${anyInterpreter().command}`

/** The shells of a server that wait for a line. */
function waiting({ server }: Sshd): number[] {
  return server.workers().filter((pid) => {
    try {
      return /^sh\0-c\0IFS= read/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))
    } catch {
      return false // it has ended
    }
  })
}

async function spareOf(sshd: Sshd): Promise<number> {
  await eventually(() => expect(waiting(sshd)).toHaveLength(1))
  return waiting(sshd)[0] ?? 0
}

describe.skipIf(noSshd).each(['ssh2', 'openssh'])(titled('by the %s engine, a spare session', noSshd), (engine) => {
  const group = new Group()
  afterEach(async () => void (await group.terminate()))
  const open = ({ spec }: Sshd, ...keys: string[]): Promise<Gateway> =>
    group.makeGateway([spec, `engine=${engine}`, python, ...keys].join('//'))

  it('becomes the second gateway, whatever that is to be, and is followed by another', async () => {
    await using sshd = await startSshd()
    await open(sshd)
    const spare = await spareOf(sshd)
    const second = await open(sshd, 'env:GREETING=it\'s "$HOME"\n!')
    expect((await second.info()).pid).toBe(spare)
    const channel = second.remoteExec('import os; print("printed"); channel.send(os.environ["GREETING"])')
    expect(await channel.receive()).toBe('it\'s "$HOME"\n!')
    expect(await spareOf(sshd)).not.toBe(spare)
    await group.terminate()
    expect(await workers(sshd.server)).toEqual([])
  })

  it('is done without when the host has ended it', async () => {
    await using sshd = await startSshd()
    await open(sshd)
    process.kill(await spareOf(sshd), 'SIGKILL')
    const gateways = [await open(sshd), await open(sshd), await open(sshd)]
    for (const gateway of gateways) expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('is done without when the host gives none', async () => {
    await using sshd = await startSshd({ config: ['MaxSessions 2'] })
    const gateways = [await open(sshd), await open(sshd), await open(sshd)]
    for (const gateway of gateways) expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it.skipIf(noAccounts)(titled('keeps what the login printed out of the stream', noAccounts), async () => {
    const prepare = [
      'mount -t tmpfs none /mnt',
      `printf '%s\\n' '#!/bin/sh' 'echo welcome; echo careful >&2; exec /bin/sh "$@"' >/mnt/shell`,
      'chmod +x /mnt/shell',
    ]
    await using sshd = await startSshd({ accounts: [{ name: 'bed', shell: '/mnt/shell' }], prepare })
    await open(sshd)
    const spare = await spareOf(sshd)
    const second = await open(sshd)
    expect((await second.info()).pid).toBe(spare)
    expect(await second.remoteExec('channel.send(1)').receive()).toBe(1)
    await group.terminate()
  })
})
