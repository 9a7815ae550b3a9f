/** Of a plan that fails, as little as still fails. */
import type { Plan } from './plan.js'

// What fails at all mostly depends on who comes first: one of so many tries.
const TRIES = 5

/** Leaves out one thing after the other, as long as what is left fails. @param fails - Runs a round of it. */
export async function shrunk(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  for (const smaller of smallerOnes(plan))
    for (let i = 0; i < TRIES; i++) if (await fails(smaller)) return shrunk(smaller, fails)
  return plan
}

function* smallerOnes(plan: Plan): Generator<Plan> {
  for (const index of plan.works.keys()) if (plan.works.length > 1) yield { ...plan, works: without(plan.works, index) }
  for (const index of plan.faults.keys()) yield { ...plan, faults: without(plan.faults, index) }
  if (plan.split > 0) yield { ...plan, split: 0 }
  if (plan.delay > 0) yield { ...plan, delay: 0 }
  if (plan.way !== 'popen' && plan.faults.length === 0) yield { ...plan, way: 'popen' }
}

function without<T>(all: readonly T[], index: number): T[] {
  return all.filter((_, i) => i !== index)
}
