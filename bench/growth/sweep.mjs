// How the cost of an operation grows with its work: it is done n, 4n and 16n times over, and what counts is the exponent between them. The
// cost is processor time, of this process and of those of the workers: how busy the machine is beside that makes little difference to it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Group } from 'tendril'
import { sessionPids } from '../figures.mjs'

/** What rows are held to. 1 is a cost that grows as the work does, 2 one that grows with its square. */
export const GROWTH = 1.3

const SEEN = 3 // an exponent is above that when it was seen so often
const REPEATS = 3
const LEAST_MS = 15 // between n and 4n: less would be noise
const NOTHING_MS = 1 // what clocks differ by
const MOST = 2 ** 14 // 16 times as many still fit where memory is near

// The clock of another process (clock_getcpuclockid), which counts threads that have ended, too.
const CLOCKS = `
import time
def spent(pids):
    total = 0
    for pid in pids:
        try: total += time.clock_gettime((~pid << 3) | 2)
        except OSError: pass
    return total
`

/**
 * The exponents of operations, by their titles. An operation is given the gateway, and what else there is, and n; it gives what is measured, which
 * may give what is done afterwards.
 */
export async function sweep(python, operations) {
  const group = new Group({ onOutput: () => undefined })
  const folder = mkdtempSync(join(tmpdir(), 'tendril-growth-'))
  try {
    const spec = `popen//python=${python}`
    const [gateway, observer] = await Promise.all([group.makeGateway(spec), group.makeGateway(spec)])
    await observer.execute(CLOCKS)
    const ms = meter(group, observer)
    const figures = {}
    for (const [title, operation] of Object.entries(operations)) {
      figures[title] = await leastExponent((n) => ms(() => operation({ gateway, group, spec, folder }, n)))
    }
    return figures
  } finally {
    await group.terminate()
    rmSync(folder, { recursive: true })
  }
}

/** Gives the milliseconds of processor time that something takes that has been prepared. */
function meter(group, observer) {
  return async (prepare) => {
    const run = await prepare()
    const leaders = [...group].filter((gateway) => gateway !== observer).map((gateway) => gateway.call('os.getpid'))
    const pids = sessionPids(await Promise.all(leaders))
    globalThis.gc?.()
    const spent = async () => {
      const here = process.cpuUsage()
      return [(here.user + here.system) / 1e3, (await observer.call('spent', [pids])) * 1e3]
    }
    const [, before] = await spent()
    const { user, system } = process.cpuUsage()
    const cleanUp = await run()
    const [here, there] = await spent()
    if (typeof cleanUp === 'function') await cleanUp()
    return here - (user + system) / 1e3 + there - before
  }
}

async function leastExponent(ms) {
  const first = await startOf(4, ms)
  await ms(16 * first) // what runs is compiled: now it takes less
  const n = await startOf(first, ms)
  let least = Number.POSITIVE_INFINITY
  for (let seen = 0; seen < SEEN && least > GROWTH; seen++) least = Math.min(least, await exponentFrom(n, ms))
  return least
}

/** An n from which on the time can be told from noise. */
async function startOf(first, ms) {
  let n = first
  while (n < MOST) {
    const [once, four] = await leastOf([n, 4 * n], ms)
    if (four - once >= LEAST_MS) break
    n *= 4
  }
  return n
}

/** With the fixed cost taken off: it is in all three times, and in no difference of two. */
async function exponentFrom(n, ms) {
  const [once, four, sixteen] = await leastOf([n, 4 * n, 16 * n], ms)
  if (sixteen - four < 4 * LEAST_MS) return 0 // it takes so little that nothing can be told, or need be
  return Math.log((sixteen - four) / Math.max(four - once, NOTHING_MS)) / Math.log(4)
}

/** The least milliseconds of each: what is compiled meanwhile, and other noise, can only add to them. */
async function leastOf(sizes, ms) {
  const least = sizes.map(() => Number.POSITIVE_INFINITY)
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const [i, size] of sizes.entries()) least[i] = Math.min(least[i], await ms(size))
  }
  return least
}
