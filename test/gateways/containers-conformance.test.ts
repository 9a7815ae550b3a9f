// The conformance suites in a container, and in one that a carrier leads to.
import { describe } from 'vitest'
import { inContainer, inContainerVia } from '../conformance/programs.js'
import { Subject } from '../conformance/subject.js'
import { combinedWaySuites, conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter } from '../interpreters.js'
import { noContainers, titled } from '../testbeds/needs.js'

describe.skipIf(noContainers)(titled('containers', noContainers), () => {
  conformanceSuites(new Subject('podman', anyInterpreter(), inContainer))
  combinedWaySuites(new Subject('podman via a carrier', anyInterpreter(), inContainerVia))
})
