// What a controller may say that is not what it should be, to real workers: they end or go on, and never spin. `TENDRIL_FUZZ=10000` tries so many.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, it } from 'vitest'
import { bootstrapSize, loaderLine } from '../../src/gateways/bootstrap.js'
import { chosenInterpreters } from '../interpreters.js'
import { Random } from '../random.js'
import { features } from './features.js'
import { framesOf, mutated } from './mutations.js'
import { recordAll } from './recording.js'
import type { Transcript } from './transcript.js'

const STREAMS = Number(process.env['TENDRIL_FUZZ'] ?? 5)
const FIRST_SEED = Number(process.env['TENDRIL_FUZZ_SEED'] ?? 1)
// Of its own time; one at rest takes a tenth of that.
const MOST_CPU_SECONDS = 8
const MOST_MIB = 1000
const program = fileURLToPath(new URL('../fixtures/fuzz_worker.py', import.meta.url))

/** All but those whose paths, changed, could be anybody's. */
const names = Object.keys(features).filter((name) => name !== 'copies')
let recorded = new Map<string, Transcript>()

beforeAll(async () => {
  recorded = await recordAll(names)
})

interface Report {
  readonly name: string
  readonly fault: string | null
  readonly cpu: number
  readonly mib: number
  readonly stderr: string
}

it.each(chosenInterpreters())(
  'a worker that reads what no controller writes ends: $name',
  { timeout: 240_000 + STREAMS * 2000 },
  async ({ command }) => {
    const child = spawn(command, [program, loaderLine()], { stdio: ['pipe', 'pipe', 'inherit'] })
    const found: string[] = []
    let count = 0
    const read = (async () => {
      for await (const line of createInterface({ input: child.stdout })) {
        count++
        const { name, fault, cpu, mib, stderr } = JSON.parse(line) as Report
        if (fault !== null) found.push(`${name}: ${fault}`)
        if (cpu > MOST_CPU_SECONDS) found.push(`${name}: it took ${cpu} seconds`)
        if (mib > MOST_MIB) found.push(`${name}: it took ${mib} MiB`)
        if (/fault of tendril/.test(stderr)) found.push(`${name}: ${stderr}`)
      }
    })()
    for (let seed = FIRST_SEED; seed < FIRST_SEED + STREAMS; seed++) {
      const name = names[seed % names.length] ?? ''
      const whole = Buffer.concat(recorded.get(name)?.written ?? [])
      const begin = whole.subarray(0, bootstrapSize())
      const stream = Buffer.concat([begin, mutated(framesOf(whole.subarray(begin.length)), Random.scrambled(seed))])
      const hasRoom = child.stdin.write(
        Buffer.concat([Buffer.from(`${stream.length} seed ${seed}, ${name}\n`), stream]),
      )
      if (!hasRoom) await new Promise((resolve) => child.stdin.once('drain', resolve))
    }
    child.stdin.end()
    await read
    expect(found).toEqual([])
    expect(count).toBe(STREAMS)
  },
)
