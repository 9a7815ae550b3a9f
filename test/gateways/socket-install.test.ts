// Socket gateways whose server another gateway starts: it is theirs alone, and ends with them.
import { describe, expect, it } from 'vitest'
import { BootstrapError, Group, XSpecError } from '../../src/index.js'
import { Subject } from '../conformance/subject.js'
import { conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter } from '../interpreters.js'
import { isGone, notGoneWithin } from '../processes.js'
import { childrenOf } from '../testbeds/server.js'

const python = `python=${anyInterpreter().command}`

conformanceSuites(
  new Subject('socket by installvia', anyInterpreter(), (command) => ({
    spec: `socket//installvia=installer//python=${command}`,
    before: [`popen//id=installer//python=${command}`],
    tellsNoEnd: true,
    losesLastWords: true,
  })),
)

describe('installvia', () => {
  it('starts a server that asks for a token of its own, and ends with its gateway', async () => {
    await using group = await Group.open([`socket//installvia=installer//id=far`, `popen//id=installer//${python}`])
    const [installer, far] = [group.get('installer'), group.get('far')]
    const [server = 0] = childrenOf((await installer.info()).pid)
    expect(childrenOf(server)).toContain((await far.info()).pid)
    expect(far.remoteAddress).toMatch(/^127\.0\.0\.1:\d+, beside installer$/)
    await far.terminate()
    expect(await notGoneWithin(2000, () => [server])).toEqual([])
    expect(await installer.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('listens where it is told to, with TLS when that is wanted, also behind a carrier', async () => {
    await using group = await Group.open([`popen//id=a//${python}`, `popen//via=a//id=b//${python}`])
    const far = await group.makeGateway('socket=127.0.0.1:0//tls//installvia=b//via=b')
    expect(await far.remoteExec('channel.send(6 * 7)').receive()).toBe(42)
  })

  it('leaves nothing when the installer is killed', async () => {
    await using group = await Group.open([`popen//id=installer//${python}`, 'socket//installvia=installer//id=far'])
    const far = group.get('far')
    const installer = (await group.get('installer').info()).pid
    const left = [...childrenOf(installer), (await far.info()).pid]
    process.kill(installer, 'SIGKILL')
    expect(await notGoneWithin(4000, () => left)).toEqual([])
    expect((await far.closed).reason).toBe('lost')
  })

  it('tells why a server could not be started', async () => {
    await using group = await Group.open([`popen//id=installer//${python}`])
    const opening = group.makeGateway('socket=192.0.2.1:0//installvia=installer')
    await expect(opening).rejects.toThrow(BootstrapError)
    await expect(opening).rejects.toThrow(/installer could not start a server: .*192\.0\.2\.1/)
  })

  it('refuses what makes no sense', async () => {
    await using group = await Group.open([`popen//id=installer//${python}`])
    await expect(group.makeGateway('socket//installvia=nobody')).rejects.toThrow(XSpecError)
    await expect(group.makeGateway('socket//installvia=installer//insecure')).rejects.toThrow(XSpecError)
    await expect(group.makeGateway('socket')).rejects.toThrow(/HOST:PORT/)
  })

  it('gives up a server whose gateway is given up while it starts', async () => {
    await using group = await Group.open([`popen//id=installer//${python}`])
    const { pid } = await group.get('installer').info()
    const far = group.launchGateway('socket//installvia=installer')
    await far.terminate({ timeout: 0 })
    await group.get('installer').remoteExec('channel.send(1)').receive()
    expect(await notGoneWithin(3000, () => childrenOf(pid).filter((child) => !isGone(child)))).toEqual([])
  })
})
