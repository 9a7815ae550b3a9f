/** The order of the files: those that mostly wait, for hosts, clusters and timeouts, between those that compute, so that both are busy. */
import { readFileSync } from 'node:fs'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** A file that sets up a bed waits for it most of the time. */
function waits({ moduleId }: TestSpecification): boolean {
  return /from '(\.\.\/)+(testbeds|conformance)\/(?!needs|subject|suites)/.test(readFileSync(moduleId, 'utf8'))
}

export class Interleaved extends BaseSequencer {
  /** The longest first, as far as they are known, and the two sorts in turn. */
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const [waiting, computing] = [sorted.filter(waits), sorted.filter((file) => !waits(file))]
    return sorted.flatMap((_, turn) => [waiting[turn], computing[turn]].filter((file) => file !== undefined))
  }
}
