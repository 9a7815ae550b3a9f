/** Ways to a Python on a node of a Slurm cluster, for the suites. */
import { Slurm } from '../testbeds/slurm.js'
import type { FindWay } from './subject.js'

/** Each gateway with an allocation of its own. */
export const onNode: FindWay = async (python) => {
  const slurm = await Slurm.start()
  return { spec: `slurm=main//python=${python}`, stop: () => slurm.stop() }
}

/** The same, asked for beside the worker of another gateway. */
export const onNodeVia: FindWay = async (python) => {
  const slurm = await Slurm.start()
  const before = [`popen//id=login//python=${python}`]
  return { spec: `slurm=main//via=login//python=${python}`, before, stop: () => slurm.stop() }
}
