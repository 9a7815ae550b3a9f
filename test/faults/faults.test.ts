/**
 * Faults injected: a link that splits, delays, stalls, corrupts and cuts bytes, or dies, while programs run over it, and every way to end a
 * gateway amid that.
 *
 * By hand: `TENDRIL_FAULTS=2000 npx vitest run test/faults` runs so many rounds, `TENDRIL_FAULTS_FROM=N` from that seed on,
 * `TENDRIL_FAULTS_AT_ONCE` (6) at a time; `TENDRIL_FAULTS=1 TENDRIL_FAULTS_FROM=N` is that one round again. Of a round that fails it prints the plan,
 * and as little of it as still fails; `TENDRIL_FAULTS_PLAN=…` has all rounds be that one.
 */
import { readdirSync, readlinkSync, writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { anyInterpreter, chosenInterpreters } from '../interpreters.js'
import { type SocketServer, startSocketServer } from '../testbeds/socket-server.js'
import { until } from '../waiting.js'
import { runKilled } from './killed.js'
import type { Surroundings } from './links.js'
import { type Plan, planOf } from './plan.js'
import { type Outcome, runRound } from './round.js'
import { shrunk } from './shrink.js'

const rounds = Number(process.env['TENDRIL_FAULTS'] ?? 24)
const first = Number(process.env['TENDRIL_FAULTS_FROM'] ?? 1)
const atOnce = Number(process.env['TENDRIL_FAULTS_AT_ONCE'] ?? 6)
const BATCH = 60 // rounds after which everything must be back
const isByHand = process.env['TENDRIL_FAULTS'] !== undefined
const given = process.env['TENDRIL_FAULTS_PLAN']
const pythons = [anyInterpreter().command, ...chosenInterpreters().map(({ command }) => command)] as [
  string,
  ...string[],
]

let server: SocketServer
const thrown: unknown[] = []
beforeAll(async () => {
  server = await startSocketServer({ args: ['--max-connections', '1000'] })
  process
    .on('uncaughtException', (error) => void thrown.push(error))
    .on('unhandledRejection', (error) => void thrown.push(error))
})
afterAll(() => server.stop())

function descriptors(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /^(socket|pipe):/.test(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false
    }
  }).length
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Of what is held. */
function heap(): number {
  collect()
  return Math.round((process.memoryUsage().heapUsed / 2 ** 20) * 10) / 10
}

function say(text: string): void {
  if (isByHand) writeSync(2, `${text}\n`)
}

function surroundingsOf(): Surroundings {
  return {
    python: anyInterpreter().command,
    server: { spec: server.spec, port: server.port },
    boundMs: isByHand ? 30_000 : 90_000,
  }
}

it('leave nothing that hangs, nothing that is lost and nothing that looks whole and is not', {
  timeout: 24 * 3600_000,
}, async () => {
  const surroundings = surroundingsOf()
  const violations: string[] = []
  const begun = performance.now()
  const tell = (about: string, what: string, plan?: Plan): void => {
    violations.push(`${about}: ${what}`)
    say(`${violations.at(-1)}${plan === undefined ? '' : `\n  ${JSON.stringify(plan)}`}`)
  }
  let done = 0
  let failed = 0
  for (let from = first; from < first + rounds; from += BATCH) {
    const before = descriptors()
    const gateways: [number, Outcome['gateways'][number]][] = []
    const seeds = Array.from({ length: Math.min(BATCH, first + rounds - from) }, (_, i) => from + i)
    const about = `seeds ${from} to ${seeds.at(-1)}`
    const work = async (): Promise<void> => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        const plan = given === undefined ? planOf(seed, pythons) : (JSON.parse(given) as Plan)
        const start = performance.now()
        const outcome = await runRound(plan, surroundings)
        for (const violation of outcome.violations) tell(`seed ${seed}`, violation, plan)
        if (outcome.violations.length > 0 && isByHand && given === undefined) {
          const fails = async (smaller: Plan): Promise<boolean> =>
            (await runRound(smaller, surroundings)).violations.length > 0
          say(`as little as still fails: ${JSON.stringify(await shrunk(plan, fails))}`)
        }
        for (const gateway of outcome.gateways) gateways.push([seed, gateway])
        done += outcome.done
        failed += outcome.errors.length
        const ms = performance.now() - start
        if (ms > 8000) say(`slow: ${Math.round(ms)} ms ${JSON.stringify(plan)}`)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    for (const error of thrown.splice(0))
      tell(about, `thrown where nobody can catch it: ${error instanceof Error ? error.stack : String(error)}`)
    await until(() => descriptors() <= before).catch(() =>
      tell(about, `descriptors: ${before} before, ${descriptors()} after`),
    )
    const held = (): number[] => gateways.filter(([, each]) => each.deref() !== undefined).map(([seed]) => seed)
    await until(() => {
      collect()
      return held().length === 0
    }).catch(() => tell(about, `the gateways of seeds ${held().join(', ')} are held`))
    say(
      `${from - first + BATCH} rounds, ${Math.round((performance.now() - begun) / 1000)} s, ${done} works done, ${failed} failed, ${violations.length} violations, ${heap()} MiB of heap`,
    )
  }
  expect(violations).toEqual([])
})

it('leave no process when the program is killed amid them', { timeout: 24 * 3600_000 }, async () => {
  const surroundings = surroundingsOf()
  const seeds = Array.from({ length: Math.ceil(rounds / 4) }, (_, i) => first + i)
  const left: string[] = []
  const times: number[] = []
  const work = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      const outcome = await runKilled(planOf(seed, pythons), surroundings)
      times.push(Math.round(outcome.ms))
      if (outcome.left.length > 0) left.push(`seed ${seed}: ${outcome.left.join(', ')}`)
      if (outcome.left.length > 0 || outcome.ms > 2500)
        say(`killed, seed ${seed}: ${times.at(-1)} ms, ${outcome.left.length} left`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  say(`${times.length} rounds killed; gone within ${Math.max(...times)} ms, ${left.length} violations`)
  expect(left).toEqual([])
})
