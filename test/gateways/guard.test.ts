// Controllers that are killed with SIGKILL: whatever the worker is doing, it is gone within two seconds, with all that it started.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { Mark, notGoneWithin } from '../processes.js'

const controller = fileURLToPath(new URL('../fixtures/controller.mjs', import.meta.url))

const ignoring = `
import signal, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
    signal.signal(number, signal.SIG_IGN)
channel.send(1)
while True:
    try:
        time.sleep(10)
    except BaseException:
        pass
`
const grandchildren = `
import subprocess, time
children = [subprocess.Popen(['sh', '-c', 'trap "" INT TERM HUP; sleep 1000 & sleep 1000']) for _ in range(2)]
channel.send(1)
time.sleep(1000)
`
const stubbornThreads = `
import threading, time
for _ in range(3):
    threading.Thread(target=time.sleep, args=(1000,)).start()
channel.send(1)
`
const states: readonly [state: string, source: string][] = [
  ['is idle', 'channel.send(1)'],
  ['waits for an item', 'channel.send(1); channel.receive()'],
  ['is in time.sleep', 'import time; channel.send(1); time.sleep(1000)'],
  ['ignores signals and exceptions', ignoring],
  ['holds the GIL in C', 'import re; channel.send(1); re.match("(a+)+$", "a" * 40 + "b")'],
  ['has grandchildren that ignore signals', grandchildren],
  ['left non-daemon threads behind', stubbornThreads],
  ['is stopped', 'import os, signal; channel.send(1); os.kill(os.getpid(), signal.SIGSTOP)'],
  ['writes without end', 'channel.send(1)\nwhile True: channel.send("x" * 100000)'],
  ['prints without end', 'channel.send(1)\nwhile True: print("x" * 100)'],
]

const pythons = [
  anyInterpreter(),
  findInterpreter('CPython 2.7'),
  findInterpreter('CPython 3.13'),
  findInterpreter('PyPy'),
]
const kinds = pythons.flatMap((python) => (python === undefined ? [] : [[python.name, python.command] as const]))

describe.each(kinds)('a controller killed while its worker on %s', (_, command) => {
  it.concurrent.each(states)('%s leaves nothing', async (_state, source) => {
    expect(await leftAfterKill(`popen//python=${command}`, source)).toEqual([])
  })
})

async function leftAfterKill(spec: string, source: string): Promise<number[]> {
  const mark = new Mark()
  const program = spawn(process.execPath, [controller, `${spec}//${mark.key}`, source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(program.stdout, 'data')
  expect(mark.pids().length).toBeGreaterThan(0)
  program.kill('SIGKILL')
  await once(program, 'exit')
  return await notGoneWithin(2000, mark.pids)
}
