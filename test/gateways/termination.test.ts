// terminate: within its time whatever the worker does, nothing is left, and it says what it killed.
import { describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { isGone, Mark, thoseThatStay, zombies } from '../processes.js'

const ignoring = `
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
channel.send(1)
while True:
    time.sleep(10)
`
const swallowing = `
import time
channel.send(1)
while True:
    try:
        time.sleep(10)
    except BaseException:
        pass
`
const stubbornThread =
  'import threading, time; threading.Thread(target=time.sleep, args=(1000,)).start(); channel.send(1)'
const states: readonly [state: string, source: string, mayLeave: boolean][] = [
  ['sleep', 'import time; channel.send(1); time.sleep(1000)', true],
  ['busy-loop', 'channel.send(1)\nwhile True: pass', true],
  ['ignore SIGINT and SIGTERM', ignoring, false],
  ['swallow every exception', swallowing, false],
  ['are stopped', 'import os, signal; channel.send(1); os.kill(os.getpid(), signal.SIGSTOP)', false],
  ['hold a non-daemon thread', stubbornThread, true],
  ['hold the GIL in C', 'import re; channel.send(1); re.match("(a+)+$", "a" * 40 + "b")', false],
  [
    'started a child that ignores signals',
    'import subprocess; channel.send(1); subprocess.call(["sh", "-c", "trap \\"\\" INT TERM; sleep 1000"])',
    true,
  ],
  ['send without end', 'channel.send(1)\nwhile True: channel.send("x" * 100000)', true],
]
// The time is what terminate promises: 1 s here, and what a busy machine takes to kill ten workers at once.
const soonMs = 15_000
const pythons = [anyInterpreter(), findInterpreter('CPython 2.7'), findInterpreter('PyPy')]
const specs = pythons.flatMap((python) =>
  python === undefined ? [] : [[python.name, `popen//python=${python.command}`] as const],
)

describe.each(specs)('terminating workers on %s', (_, spec) => {
  it.concurrent.each(states)(
    'that %s takes no more than its time, and leaves nothing',
    async (_state, source, mayLeave) => {
      const mark = new Mark()
      const group = await Group.open([`${spec}//${mark.key}`])
      const gateway = group.get(0)
      await gateway.remoteExec(source).receive()
      const began = performance.now()
      const { killed } = await group.terminate({ timeout: 1000 })
      expect(performance.now() - began).toBeLessThan(soonMs)
      if (!mayLeave)
        expect(killed).toEqual([{ gateway: gateway.id, signal: expect.stringMatching(/^SIG(KILL|TERM)$/) }])
      expect(await thoseThatStay(mark.pids)).toEqual([])
      expect(group.size).toBe(0)
    },
  )

  it('through a carrier takes no more than its time, and leaves nothing', async () => {
    const mark = new Mark()
    const group = await Group.open([`${spec}//id=carrier`, `popen//via=carrier//${mark.key}`])
    await group.get(1).remoteExec(ignoring).receive()
    const began = performance.now()
    const { killed } = await group.terminate({ timeout: 1000 })
    expect(performance.now() - began).toBeLessThan(soonMs)
    expect(killed[0]).toEqual({ gateway: 'gw0', signal: 'SIGKILL' }) // on a busy machine its carrier may not leave in time, either
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('leaves no zombies', async () => {
    await using group = await Group.open([`4*${spec}`])
    const pids = await Promise.all([...group].map(async (gateway) => (await gateway.info()).pid))
    await group.terminate()
    expect(pids.every(isGone)).toBe(true)
    expect(zombies()).toEqual([])
  })

  it('waits for a second task that ends within its time', async () => {
    const group = await Group.open([spec])
    const gateway = group.get(0)
    const first = gateway.remoteExec('channel.receive()')
    const second = gateway.remoteExec('import time\nchannel.send(1)\ntime.sleep(0.2)')
    await second.receive()
    expect((await group.terminate({ timeout: Infinity })).killed).toEqual([])
    await first.waitClose().catch(() => undefined)
  })
})
