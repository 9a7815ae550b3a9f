// The conformance suite on nodes that Slurm grants: what every gateway does, with srun in between.
import { describe } from 'vitest'
import { onNode, onNodeVia } from '../conformance/slurm.js'
import { Subject } from '../conformance/subject.js'
import { combinedWaySuites, conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter } from '../interpreters.js'
import { noSlurm, titled } from '../testbeds/needs.js'

const any = anyInterpreter()

describe.skipIf(noSlurm)(titled('Slurm', noSlurm), () => {
  conformanceSuites(new Subject('slurm', any, onNode))
  combinedWaySuites(new Subject('slurm via popen', any, onNodeVia))
})
