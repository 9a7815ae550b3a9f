// What a worker may say that is not what it should be: streams of real ones, changed. `TENDRIL_FUZZ=100000 npx vitest run test/fuzz` tries so many.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Gateway, Group, TendrilError } from '../../src/index.js'
import { Random } from '../random.js'
import { features, type Try } from './features.js'
import { framesOf, mutated } from './mutations.js'
import { recordAll } from './recording.js'
import { Replay, replay, type Said, type Transcript } from './transcript.js'

// Without that, as many as come in some seconds, and not more than these.
const BY_HAND = process.env['TENDRIL_FUZZ']
const STREAMS = Number(BY_HAND ?? 500)
const MOST_SECONDS = BY_HAND === undefined ? 7 : Number.POSITIVE_INFINITY
const FIRST_SEED = Number(process.env['TENDRIL_FUZZ_SEED'] ?? 1)
const ONLY = process.env['TENDRIL_FUZZ_FEATURE']
// Most of them wait now and then, for files or for time to pass.
const AT_ONCE = BY_HAND === undefined ? 1 : 4
const MARKER_BYTES = 32
// Of this process's time, for what is one chunk; what is asked for may take longer.
const MOST_MS = BY_HAND === undefined ? 1000 : 150
const SETTLED_MS = 20_000

let recorded = new Map<string, Transcript>()
const stray: unknown[] = []
const onStray = (error: unknown): void => void stray.push(error)

beforeAll(async () => {
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) process.on(event, onStray)
  recorded = await recordAll(Object.keys(features).filter((name) => ONLY === undefined || name === ONLY))
})

afterAll(() => {
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) process.off(event, onStray)
})

/** What came of a stream. */
interface Outcome {
  readonly errors: unknown[]
  readonly longest: number
  readonly isSettled: boolean
  readonly end: unknown
}

async function hear(name: string, said: readonly Said[]): Promise<Outcome> {
  const errors: unknown[] = []
  const transport = new Replay(said, recorded.get(name)?.markers ?? [])
  const restore = replay(transport)
  const group = new Group({ onOutput: () => undefined })
  let gateway: Gateway
  try {
    gateway = group.launchGateway('popen')
  } finally {
    restore()
  }
  const attempt: Try = async (does) => {
    try {
      return await (typeof does === 'function' ? does() : does)
    } catch (error) {
      errors.push(error)
      return undefined
    }
  }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), SETTLED_MS)
  })
  const done = Promise.resolve()
    .then(() => features[name]?.(gateway, attempt, group))
    .catch((error: unknown) => void errors.push(error))
    .then(() => gateway.closed)
    .then(() => true)
  const isSettled = await Promise.race([done, late])
  clearTimeout(timer)
  const end = isSettled ? (await gateway.closed).error : undefined
  await group.terminate({ timeout: 0 })
  return { errors, longest: transport.longest, isSettled, end }
}

/** What tells how a gateway ended that could not be set up has the worker's own words. */
const isOurs = (error: unknown): boolean =>
  error === undefined ||
  error instanceof TendrilError ||
  (error instanceof Error &&
    (['AbortError', 'TimeoutError'].includes(error.name) ||
      error.message.startsWith('the worker could not be set up: ')))

it('hears what was recorded as it was', async () => {
  for (const [name, { said }] of recorded) {
    const { errors, isSettled } = await hear(name, said)
    expect([name, isSettled, errors.filter((error) => !isOurs(error))]).toEqual([name, true, []])
  }
})

it('takes whatever a worker says for an error of its own, or goes on', {
  timeout: 240_000 + STREAMS * 1000,
}, async () => {
  const names = [...recorded.keys()]
  const found: string[] = []
  const times = new Map<string, number>()
  const begin = performance.now()
  let next = FIRST_SEED
  const isOver = (): boolean => found.length > 20 || performance.now() - begin > MOST_SECONDS * 1000
  const hearOneByOne = async (): Promise<void> => {
    while (next < FIRST_SEED + STREAMS && !isOver()) {
      const seed = next++
      const name = names[seed % names.length] ?? ''
      const from = performance.now()
      const outcome = await hear(name, changed(recorded.get(name)?.said ?? [], Random.scrambled(seed)))
      times.set(name, (times.get(name) ?? 0) + performance.now() - from)
      const faults = [
        ...(outcome.isSettled ? [] : ['it never settles']),
        ...(outcome.longest > MOST_MS ? [`a chunk took ${Math.round(outcome.longest)} ms`] : []),
        ...[...outcome.errors, outcome.end]
          .filter((error) => !isOurs(error))
          .map((error) => `it fails with ${shown(error)}`),
        ...stray
          .splice(0)
          .map(
            (error) => `thrown where nobody can catch it, by this or one of ${AT_ONCE - 1} beside it: ${shown(error)}`,
          ),
      ]
      for (const fault of faults) found.push(`seed ${seed}, ${name}: ${fault}`)
      if (seed % 1000 === 0)
        console.log(
          `${seed}: ${Math.round((seed - FIRST_SEED + 1) / ((performance.now() - begin) / 1000))} a second`,
          Math.round(process.memoryUsage().rss / 2 ** 20),
          'MiB',
        )
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, hearOneByOne))
  if (BY_HAND !== undefined) console.log(times)
  expect(found).toEqual([])
})

function shown(error: unknown): string {
  return error instanceof Error ? String(error.stack).slice(0, 1500) : String(error)
}

/** The worker's part, changed behind the marker. What comes in one piece is cut where it was. */
function changed(said: readonly Said[], random: Random): Said[] {
  const whole = Buffer.concat(said.map(({ bytes }) => bytes))
  const stream = mutated(framesOf(whole.subarray(MARKER_BYTES)), random)
  const all = Buffer.concat([whole.subarray(0, MARKER_BYTES), stream])
  const parts: Said[] = []
  let at = 0
  for (const { after, bytes } of said) {
    parts.push({ after, bytes: all.subarray(at, at + bytes.length) })
    at += bytes.length
  }
  const after = said.at(-1)?.after ?? 0
  for (; at < all.length; at += 65_536) parts.push({ after, bytes: all.subarray(at, at + 65_536) })
  return parts.filter(({ bytes }) => bytes.length > 0)
}
