// Controllers that are killed with SIGKILL: whatever the worker is doing, it is gone soon, with all that it started.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'
import { until } from '../waiting.js'

const controller = fileURLToPath(new URL('../fixtures/controller.mjs', import.meta.url))
const carrying = fileURLToPath(new URL('../fixtures/carrying-controller.mjs', import.meta.url))

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
  ['is stopped, with its whole group', 'import os, signal; channel.send(1); os.killpg(os.getpgrp(), signal.SIGSTOP)'],
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

describe.each(kinds)('a controller killed, with carriers, while on %s', (_, command) => {
  const python = `python=${command}`
  const inGil = 'import re; channel.send(1); re.match("(a+)+$", "a" * 40 + "b")'
  const chain = [`popen//${python}//id=a`, 'popen//via=a//id=b', `command=sh -c '"$@"; exit $?' sh//${python}//via=b`]
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tendril-hang-'))
    writeFileSync(join(folder, 'sitecustomize.py'), 'import time\ntime.sleep(1000)\n')
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it.concurrent('each of them holds the GIL leaves nothing', async () => {
    const mark = new Mark()
    expect(await leftOf(mark, [carrying, JSON.stringify(chain.map((spec) => `${spec}//${mark.key}`)), inGil])).toEqual(
      [],
    )
  })

  it.concurrent.each([
    ['popen', ''],
    [`command=sh -c 'echo Welcome; exec "$@"' sh`, ''],
    ['popen', '//via=b'],
    [`command=sh -c '"$@"; exit $?' sh`, '//via=b'],
    ...(process.getuid?.() === 0 ? [['chroot=/', '']] : []), // only root may
  ])('an interpreter hangs in its start leaves nothing: %s%s', async (way, via) => {
    const mark = new Mark()
    const hanging = `${way}${via}//${python}//env:PYTHONPATH=${folder}//${mark.key}`
    const open = via === '' ? [] : chain.slice(0, 2)
    expect(await leftOf(mark, [carrying, JSON.stringify(open), 'channel.send(1)', hanging])).toEqual([])
  })
})

function leftAfterKill(spec: string, source: string): Promise<number[]> {
  const mark = new Mark()
  return leftOf(mark, [controller, `${spec}//${mark.key}`, source])
}

/** Has a controller, a program and its arguments, killed as soon as it says something and a process has the mark. */
async function leftOf(mark: Mark, argv: readonly string[]): Promise<number[]> {
  const program = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(program.stdout, 'data')
  await until(() => mark.pids().length > 0)
  program.kill('SIGKILL')
  await once(program, 'exit')
  return await thoseThatStay(mark.pids)
}
