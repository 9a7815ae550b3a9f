/** What happens in a round, made of its seed: plain data, so that a part of it can be left out to see whether it matters. */
import { Random } from '../random.js'
import { type WorkName, workNames } from './works.js'

/** How the bytes of a gateway go. */
export type Way =
  | 'popen' // no link of ours: the faults are those of the end
  | 'pipe' // the link is what `command=` starts, with the worker behind it
  | 'socket' // it is a connection to a server of tendril's
  | 'carrier pipe' // the same of a carrier, whose inner gateway works
  | 'carrier socket'
  | 'inner pipe' // between a carrier and its inner gateway

/** How a round ends, when its time is up. */
export type End =
  | 'exit'
  | 'terminate'
  | 'terminate 0'
  | 'terminate 300'
  | 'group'
  | 'os._exit'
  | 'kill'
  | 'sys.exit'
  | 'carrier kill'

/** One round. */
export interface Plan {
  readonly seed: number
  readonly way: Way
  readonly python: string
  /** The words of faulty_link.py. */
  readonly split: number
  readonly delay: number
  readonly faults: readonly string[]
  /** Names of works, each with a seed of its own. */
  readonly works: readonly (readonly [name: WorkName, seed: number])[]
  /** Whether they begin before the worker is there. */
  readonly isEager: boolean
  /** From when the worker is there, if that is waited for. */
  readonly endAfterMs: number
  readonly end: End
}

const clean = ['stall', 'stall-both', 'pause', 'end', 'cut', 'reset', 'die', 'kill'] as const
const dirty = ['corrupt', 'drop', 'double', 'noise'] as const
const viaCarrier: readonly Way[] = ['carrier pipe', 'carrier socket', 'inner pipe']

export function planOf(seed: number, pythons: readonly [string, ...string[]]): Plan {
  const random = new Random(seed)
  const way = random.pick<Way>([
    'popen',
    'pipe',
    'pipe',
    'pipe',
    'socket',
    'socket',
    'carrier pipe',
    'carrier socket',
    'inner pipe',
    'inner pipe',
  ])
  const python = random.chance(0.7) ? pythons[0] : random.pick(pythons)
  const split = random.chance(0.5) ? 0 : random.size(20_000)
  const delay = random.chance(0.6) ? 0 : random.size(3000, 10)
  const faults: string[] = []
  if (random.chance(0.7)) {
    const kind: string = random.chance(0.7) ? random.pick(clean) : random.pick(dirty)
    const to = random.pick(['in', 'out'] as const)
    // Into the start, which is about 20,000 bytes in and 100 out; or amid the work.
    const at = random.chance(0.3) ? random.size(to === 'in' ? 60_000 : 1000) : random.size(6_000_000, 1000)
    faults.push(`${kind}:${to}:${at}`)
  }
  const works = Array.from(
    { length: random.below(6, 1) },
    () => [random.pick(workNames), random.below(2 ** 31)] as const,
  )
  const ends: [End, ...End[]] = [
    'exit',
    'terminate',
    'terminate 0',
    'terminate 300',
    'group',
    'os._exit',
    'kill',
    'sys.exit',
  ]
  // What stands still and is no program of ours, as the link does then, learns nothing of the end of a carrier that is killed.
  if (viaCarrier.includes(way) && !faults.some((fault) => fault.startsWith('stall'))) ends.push('carrier kill')
  return {
    seed,
    way,
    python,
    split,
    delay,
    faults: way === 'popen' ? [] : faults,
    works,
    isEager: random.chance(0.5),
    endAfterMs: random.size(2500, 10),
    end: random.pick(ends),
  }
}

/** Whether bytes that come are those that were sent. A wire without checksums cannot tell, and no more can we. */
export function isFaithful(plan: Plan): boolean {
  return !plan.faults.some((fault) => dirty.some((kind) => fault.startsWith(kind)))
}
