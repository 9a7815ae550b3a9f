// Socket gateways whose server another gateway starts: it is theirs alone, and ends with them.
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BootstrapError, Group, XSpecError } from '../../src/index.js'
import { Subject } from '../conformance/subject.js'
import { conformanceSuites } from '../conformance/suites.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { isGone, thoseThatStay } from '../processes.js'
import { noOpenssl, titled } from '../testbeds/needs.js'
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
    expect(await thoseThatStay(() => [server])).toEqual([])
    expect(await installer.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  const title = 'listens where it is told to, with TLS when that is wanted, also behind a carrier'
  it.skipIf(noOpenssl)(titled(title, noOpenssl), async () => {
    await using group = await Group.open([`popen//id=a//${python}`, `popen//via=a//id=b//${python}`])
    const far = await group.makeGateway('socket=127.0.0.1:0//tls//installvia=b//via=b')
    expect(await far.remoteExec('channel.send(6 * 7)').receive()).toBe(42)
  })

  it('goes to the host of the spec, whatever the installer answers', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tendril-install-'))
    const reached: string[] = []
    const listening = async (host: string, port: number): Promise<Server> => {
      const server = createServer((socket) => {
        reached.push(host)
        socket.destroy()
      }).listen(port, host)
      await once(server, 'listening')
      return server
    }
    const named = await listening('127.0.0.9', 0)
    const { port } = named.address() as AddressInfo
    const right = await listening('127.0.0.1', port)
    const program = join(folder, 'server')
    writeFileSync(program, `#!/bin/sh\necho socket=127.0.0.9:${port}\ncat >/dev/null\n`, { mode: 0o755 })
    await using group = await Group.open([`popen//id=installer//${python}`])
    await group.get('installer').remoteExec('import sys; sys.executable = path', { path: program }).waitClose()
    await expect(group.makeGateway('socket//installvia=installer')).rejects.toThrow(
      /127\.0\.0\.1:\d+, beside installer/,
    )
    expect(reached).toEqual(['127.0.0.1'])
    for (const server of [named, right]) server.close()
    rmSync(folder, { recursive: true })
  })

  it.each([
    ['prints a mebibyte', '', /of a form that PROTOCOL\.md does not have/],
    ['says a mebibyte and fails', ' >&2; exit 3', /could not start a server: x+ \(exit code 3\)/],
  ])('is not held up by a server that %s', async (_, then, words) => {
    const folder = mkdtempSync(join(tmpdir(), 'tendril-install-'))
    const program = join(folder, 'server')
    writeFileSync(program, `#!/bin/sh\nhead -c 1048576 /dev/zero | tr '\\0' x${then}\necho\ncat >/dev/null\n`, {
      mode: 0o755,
    })
    await using group = await Group.open([`popen//id=installer//${python}`])
    await group.get('installer').remoteExec('import sys; sys.executable = path', { path: program }).waitClose()
    const error = await errorOf(group.makeGateway('socket//installvia=installer'))
    expect(error).toBeInstanceOf(BootstrapError)
    expect(error).toMatchObject({ message: expect.stringMatching(words) })
    expect(String(error).length).toBeLessThan(5000)
    rmSync(folder, { recursive: true })
  })

  it('leaves nothing when the installer is killed', async () => {
    await using group = await Group.open([`popen//id=installer//${python}`, 'socket//installvia=installer//id=far'])
    const far = group.get('far')
    const installer = (await group.get('installer').info()).pid
    const left = [...childrenOf(installer), (await far.info()).pid]
    process.kill(installer, 'SIGKILL')
    expect(await thoseThatStay(() => left)).toEqual([])
    expect((await far.closed).reason).toBe('lost')
  })

  it('starts a server that imports nothing from the working directory', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tendril-'))
    for (const name of ['__future__', 'argparse', 'socket', 'json'])
      writeFileSync(join(folder, `${name}.py`), 'raise ImportError("from the working directory")\n')
    await using group = await Group.open([
      `popen//id=installer//${python}//chdir=${folder}`,
      'socket//installvia=installer//id=far',
    ])
    expect(await group.get('far').remoteExec('channel.send(1)').receive()).toBe(1)
    rmSync(folder, { recursive: true })
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
    expect(await thoseThatStay(() => childrenOf(pid).filter((child) => !isGone(child)))).toEqual([])
  })
})
