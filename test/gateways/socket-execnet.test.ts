// A running socket server of execnet: reached when that is said to be wanted, and told nothing that it would run when it is not.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { expectFault } from '../testbeds/fault.js'
import { execnetPython, noExecnet, titled } from '../testbeds/needs.js'
import { freePort } from '../testbeds/server.js'
import { startSocketServer } from '../testbeds/socket-server.js'

/** execnet's own script. It prints what it does, and without its `:port` it would listen everywhere. */
async function startExecnetServer(): Promise<{ port: number } & AsyncDisposable> {
  const port = await freePort('127.0.0.1')
  const child = spawn(execnetPython, ['-u', '-m', 'execnet.script.socketserver', `127.0.0.1:${port}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), exited.then(() => Promise.reject(new Error('no execnet')))])
  child.stdout.resume()
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  return { port, [Symbol.asyncDispose]: stop }
}

describe.skipIf(noExecnet)(titled('a socket server of execnet', noExecnet), () => {
  it('gives a gateway with the key insecure, and another when that one has ended', async () => {
    await using server = await startExecnetServer()
    await using group = new Group()
    for (let round = 0; round < 2; round++) {
      const gateway = await group.makeGateway(`socket=127.0.0.1:${server.port}//insecure//env:BED=execnet`)
      const channel = gateway.remoteExec(
        'import os; channel.send(os.environ["BED"])\nfor item in channel: channel.send(item)',
      )
      expect(await channel.receive()).toBe('execnet')
      const sent = Buffer.alloc(8 * 1024 * 1024, 'tendril')
      await channel.send(sent)
      expect(sent.equals((await channel.receive()) as Uint8Array)).toBe(true)
      await gateway.terminate()
      expect((await gateway.closed).reason).toBe('terminated')
    }
  })

  it('gives the interpreter that is asked for', async () => {
    await using server = await startExecnetServer()
    await using group = new Group()
    const { command } = anyInterpreter()
    const gateway = await group.makeGateway(`socket=127.0.0.1:${server.port}//insecure//python=${command}`)
    expect(await gateway.remoteExec('import sys; channel.send(sys.executable)').receive()).toBe(command)
  })

  it('is not what we take it for without that key', async () => {
    await using server = await startExecnetServer()
    await using ours = await startSocketServer()
    await expectFault({
      spec: ours.spec.replace(/:\d+/, `:${server.port}`),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'authenticate',
      says: ['Check', 'tendril serve'],
    })
  })
})

it('is sent nothing that it would run without the key insecure', async () => {
  let heard = ''
  const server = createServer((socket) => {
    socket
      .on('error', () => undefined)
      .on('data', (data) => {
        heard += data.toString('latin1')
        socket.end('execnet would say nothing\n')
      })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  const port = typeof bound === 'object' ? bound?.port : 0
  await using ours = await startSocketServer()
  await expectFault({
    spec: ours.spec.replace(/:\d+/, `:${port}`),
    code: 'ERR_HOST_NOT_FOUND',
    phase: 'authenticate',
    says: ['it said "execnet would say nothing"'],
  })
  server.close()
  expect(heard).toMatch(/^TENDRIL 1 [0-9a-f]{64}\n$/)
})

it('is not what our own server can be taken for', async () => {
  await using server = await startSocketServer()
  await expectFault({
    spec: `socket=127.0.0.1:${server.port}//insecure`,
    code: 'ERR_HOST_NOT_FOUND',
    phase: 'authenticate',
    says: ['tendril serve', 'Leave the key insecure away'],
  })
  expect(server.workers()).toEqual([])
})
