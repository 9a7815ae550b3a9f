// Who ends processes that nobody watches yet, with real ones.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { attendantScript } from '../../src/transports/attendant.js'
import { openProcess } from '../../src/transports/process.js'
import { isGone, thoseThatStay } from '../processes.js'
import { until } from '../waiting.js'

const sleepers: ChildProcess[] = []

afterEach(() => {
  for (const sleeper of sleepers.splice(0)) sleeper.kill('SIGKILL')
})

function sleeper(): number {
  const child = spawn('sh', ['-c', 'trap "" TERM; sleep 1000 & wait'], { detached: true, stdio: 'ignore' })
  sleepers.push(child)
  return child.pid ?? 0
}

/** The pids of our children that run the script. */
function attendants(): number[] {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return '' // it has ended meanwhile
    }
  }
  const isOurs = (pid: string): boolean =>
    read(`/proc/${pid}/cmdline`).includes(attendantScript) && read(`/proc/${pid}/stat`).includes(` ${process.pid} `)
  return readdirSync('/proc').filter(isOurs).map(Number)
}

describe('an attendant', () => {
  it('ends those that it was told of, with all that they started, when its input ends, and spares the others', async () => {
    const [first = 0, second = 0, third = 0] = [sleeper(), sleeper(), sleeper()]
    const attendant = spawn('sh', ['-c', attendantScript], { stdio: ['pipe', 'ignore', 'ignore'] })
    const exited = once(attendant, 'exit')
    attendant.stdin.end(`+ ${first}\n+ ${second}\n- ${first}\n+ ${third}\n`)
    expect(await thoseThatStay(() => [second, third])).toEqual([])
    await exited
    expect(isGone(first)).toBe(false)
  })

  it('ends at once when there is nobody to end', async () => {
    const attendant = spawn('sh', ['-c', attendantScript], { stdio: ['pipe', 'ignore', 'ignore'] })
    attendant.stdin.end('+ 4000000\n- 4000000\n')
    expect(await once(attendant, 'exit')).toEqual([0, null])
  })

  it('is there until the last process has been greeted, or has ended, one for all', async () => {
    const [one, other] = [0, 0].map(() => openProcess(['sleep', '1000'], { isAttended: true }))
    const ended = new Promise((resolve) =>
      other?.start({ onChunk: () => undefined, onStderr: () => undefined, onDrain: () => undefined, onEnd: resolve }),
    )
    expect(attendants()).toHaveLength(1)
    one?.greeted?.()
    expect(attendants()).toHaveLength(1)
    other?.kill('SIGKILL')
    await ended
    await until(() => attendants().length === 0)
    one?.kill('SIGKILL')
  })
})
