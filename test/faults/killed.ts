/** A round whose controller is a program of its own, which is killed amid it: then all that it has started must go. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Mark, thoseThatStay } from '../processes.js'
import { Random } from '../random.js'
import { Links, type Surroundings } from './links.js'
import type { Plan } from './plan.js'

const program = fileURLToPath(new URL('../fixtures/doomed-controller.mjs', import.meta.url))
const works = [
  'downstream',
  'upstream',
  'calls',
  'callbacks',
  'copies',
  'forwards',
  'children',
  'lock',
  'deaf',
] as const
const floods: readonly (typeof works)[number][] = ['upstream', 'copies']

/** Runs one; gives the processes that stay, and after how many milliseconds the others were gone. */
export async function runKilled(plan: Plan, surroundings: Surroundings): Promise<{ left: number[]; ms: number }> {
  const random = new Random(plan.seed)
  const picked = Array.from({ length: 3 }, () => random.pick(works))
  // Over TCP the end of a connection stands behind the bytes that a worker has not read, which is stuck: its guard is not told of it.
  const isStuck = plan.way.endsWith('socket') && picked.includes('lock')
  const names = picked.filter((name) => !isStuck || !floods.includes(name))
  const folder = mkdtempSync(join(tmpdir(), 'tendril-faults-'))
  const mark = new Mark()
  // A link that stands still is no program of ours, and learns nothing.
  const links = new Links(
    { ...plan, faults: plan.faults.filter((fault) => !fault.startsWith('stall')) },
    surroundings,
    mark,
  )
  const specs = await links.specs()
  const controller = spawn(process.execPath, [program, folder, names.join(), ...specs], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = once(controller, 'exit')
  const [begun] = (await Promise.race([once(controller.stdout, 'data'), once(controller, 'close')])) as unknown[]
  if (!(begun instanceof Uint8Array)) throw new Error('the program did not begin: is dist built?')
  await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, plan.endAfterMs))])
  controller.kill('SIGKILL')
  await exited
  const killed = performance.now()
  const left = await thoseThatStay(() => mark.pids().filter((pid) => !links.pids.includes(pid)))
  const ms = performance.now() - killed
  links.kill()
  rmSync(folder, { recursive: true, force: true })
  return { left, ms }
}
