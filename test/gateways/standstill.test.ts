// Carriers that stand still: stopped, behind a network that has gone, or with bytes on their way that nobody takes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { BootstrapError, type Gateway, GatewayClosedError, Group } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { titled } from '../testbeds/needs.js'
import { startSocketServer } from '../testbeds/socket-server.js'

const python = `python=${anyInterpreter().command}`

/** @returns Its pid; whoever terminates it need not have it go on. */
async function stop(gateway: Gateway): Promise<number> {
  const { pid } = await gateway.info()
  process.kill(pid, 'SIGSTOP')
  return pid
}

/** What becomes of a channel and of a call that wait. */
function waitOn(gateway: Gateway): Promise<unknown>[] {
  const waiting = [gateway.remoteExec('channel.receive()').receive(), gateway.call('time.sleep', [1000])]
  return waiting.map((each) => each.catch((error: unknown) => error))
}

/** Gateways that a carrier carries, each by another way. */
const carried = (marked: string): string[] => [
  `popen//via=c//id=beside//${marked}`,
  `popen//via=beside//id=nested//${marked}`,
  `command=sh -c 'exec "$@"' sh//via=c//id=commanded//${marked}`,
]

describe.concurrent('a carrier that is stopped', () => {
  it('keeps nobody who ends what it carries, and waits for that', async () => {
    const mark = new Mark()
    await using group = await Group.open([`popen//id=c//${python}`, ...carried(mark.key)])
    const inner = ['beside', 'nested', 'commanded'].map((id) => group.get(id))
    const waiting = inner.flatMap(waitOn)
    await stop(group.get('c'))
    const reports = await Promise.all(inner.map((gateway) => gateway.terminate({ timeout: 100 })))
    for (const [at, { id, closed }] of inner.entries()) {
      expect(reports[at]).toEqual({
        killed: [],
        unconfirmed: [{ gateway: id, reason: expect.stringContaining('cannot be told from here') }],
      })
      expect(await closed).toMatchObject({ reason: 'lost', error: { message: reports[at]?.unconfirmed?.[0]?.reason } })
    }
    for (const failure of waiting) expect(await failure).toBeInstanceOf(GatewayClosedError)
    expect([...group].map(({ id }) => id)).toEqual(['c'])
    expect((await group.terminate({ timeout: 100 })).killed).toEqual([{ gateway: 'c', signal: 'SIGKILL' }])
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('is terminated with what it carries, by their group', async () => {
    const mark = new Mark()
    const group = await Group.open([`popen//id=c//${python}`, `popen//via=c//id=beside//${mark.key}`])
    await stop(group.get('c'))
    expect(await group.terminate({ timeout: 100 })).toEqual({
      killed: [{ gateway: 'c', signal: 'SIGKILL' }],
      unconfirmed: [{ gateway: 'beside', reason: expect.any(String) }],
    })
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('keeps no gateway that is on its way beyond its timeout, nor one whose way is given up', async () => {
    await using group = await Group.open([`popen//id=c//${python}`])
    await stop(group.get('c'))
    await expect(group.makeGateway('popen//via=c//timeout=100ms')).rejects.toThrow(BootstrapError)
    const abort = new AbortController()
    const opening = group.makeGateway('popen//via=c', { signal: abort.signal })
    abort.abort(new Error('no more patience'))
    await expect(opening).rejects.toThrow('no more patience')
    await group.terminate({ timeout: 100 })
  })

  it('ends what was given up meanwhile when it goes on', async () => {
    const mark = new Mark()
    await using group = await Group.open([`popen//id=c//${python}`, `popen//via=c//id=beside//${mark.key}`])
    group.get('beside').remoteExec('import time\nwhile True:\n  try: time.sleep(9)\n  except BaseException: pass')
    const pid = await stop(group.get('c'))
    expect((await group.get('beside').terminate({ timeout: 0 })).unconfirmed).toHaveLength(1)
    process.kill(pid, 'SIGCONT')
    expect(await thoseThatStay(mark.pids)).toEqual([])
    expect(await group.get('c').remoteExec('channel.send(1)').receive()).toBe(1)
  })
})

describe.concurrent('a carrier whose network has gone', () => {
  it('keeps nobody who ends what it carries', async () => {
    await using server = await startSocketServer()
    await using proxy = await startProxy(server.port)
    const mark = new Mark()
    const spec = server.spec.replace(String(server.port), String(proxy.port))
    await using group = await Group.open([`${spec}//id=c`, ...carried(mark.key)])
    const waiting = ['beside', 'nested', 'commanded'].flatMap((id) => waitOn(group.get(id)))
    proxy.stall()
    const { killed, unconfirmed } = await group.terminate({ timeout: 100 })
    expect(killed).toEqual([])
    expect(unconfirmed?.map(({ gateway }) => gateway).sort()).toEqual(['beside', 'c', 'commanded', 'nested'])
    for (const failure of waiting) expect(await failure).toBeInstanceOf(GatewayClosedError)
  })

  it.each([0, 1 << 20])('is not said to have been terminated in peace, with %d bytes on their way', async (bytes) => {
    await using server = await startSocketServer()
    await using proxy = await startProxy(server.port)
    await using group = new Group()
    const gateway = await group.makeGateway(server.spec.replace(String(server.port), String(proxy.port)))
    proxy.stall()
    const sent = gateway.remoteExec('channel.receive()').send(new Uint8Array(bytes))
    sent.catch(() => undefined)
    const { killed, unconfirmed } = await gateway.terminate({ timeout: 100 })
    expect(killed).toEqual([])
    expect(unconfirmed).toEqual([{ gateway: gateway.id, reason: expect.stringContaining('cannot be told from here') }])
    expect(await gateway.closed).toMatchObject({ reason: 'lost' })
  })
})

const standing = {
  'is stopped': 'import os, signal; channel.send(1); os.kill(os.getpid(), signal.SIGSTOP)',
  'holds the GIL': 'import re; channel.send(1); re.match("(a+)+$", "a" * 40 + "b")',
}

// Takes hold of each thread of a process as a debugger does, and never looks at it again.
const debuggerOf = `import ctypes, os, sys
for thread in os.listdir('/proc/%s/task' % sys.argv[1]):
    if ctypes.CDLL(None).ptrace(16, int(thread), 0, 0):
        sys.exit('no ptrace')
os.write(1, b'holds it')
os.read(0, 1)`

describe.concurrent('a worker that a debugger holds', () => {
  const reason = process.platform === 'linux' && process.getuid?.() === 0 ? undefined : 'it takes root, on Linux'
  it.skipIf(reason)(titled('is not waited for without end', reason), async () => {
    await using group = await Group.open([`popen//${python}`])
    const gateway = group.get(0)
    const { pid } = await gateway.info()
    const holder = spawn(anyInterpreter().command, ['-c', debuggerOf, String(pid)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(holder.stdout, 'data')
    const { unconfirmed } = await gateway.terminate({ timeout: 100 })
    expect(unconfirmed).toEqual([{ gateway: gateway.id, reason: expect.stringContaining('a debugger or the system') }])
    holder.stdin.end()
    expect(await thoseThatStay(() => [pid])).toEqual([])
  })
})

describe.concurrent('bytes that are on their way to a worker that', () => {
  it.each(Object.entries(standing))('%s do not keep signals from it', async (_, source) => {
    const mark = new Mark()
    await using server = await startSocketServer()
    const far = `${server.spec}//via=c//id=far//${mark.key}`
    await using group = await Group.open([`popen//id=c//${python}`, `popen//via=c//id=beside//${mark.key}`, far])
    for (const id of ['beside', 'far']) {
      const channel = group.get(id).remoteExec(`${source}\nchannel.receive()`)
      await channel.receive()
      for (let sent = 0; sent < 8; sent++) channel.send(new Uint8Array(1 << 20)).catch(() => undefined)
    }
    await group.get('c').remoteExec('channel.send(1)').receive() // it has got what was sent before
    expect(await group.get('beside').terminate({ timeout: 100 })).toEqual({
      killed: [{ gateway: 'beside', signal: expect.stringMatching(/^SIG(KILL|TERM)$/) }],
    })
    await group.get('far').terminate({ timeout: 100 })
    expect(await thoseThatStay(mark.pids)).toEqual([])
    expect(await group.get('c').remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('never reads do not keep its timeout from it', async () => {
    const mark = new Mark()
    await using group = await Group.open([`popen//id=c//${python}`])
    const silent = `popen//via=c//timeout=100ms//python=sh -c 'exec sleep 1000' sh//${mark.key}`
    const gateway = group.launchGateway(silent)
    gateway
      .remoteExec('channel.receive()')
      .send(new Uint8Array(4 << 20))
      .catch(() => undefined)
    await expect(gateway.ready).rejects.toThrow(BootstrapError)
    expect((await gateway.closed).signal).toBe('SIGKILL')
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })
})

/** Passes on both ways what comes, until it stalls. */
async function startProxy(to: number): Promise<{ readonly port: number; stall(): void } & AsyncDisposable> {
  const sockets: Socket[] = []
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1')
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.push(from)
      from.on('error', () => undefined).pipe(into)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    stall: () => {
      for (const socket of sockets) socket.unpipe().pause()
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
