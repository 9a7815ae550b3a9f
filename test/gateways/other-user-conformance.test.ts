// The conformance suites as another user.
import { describe } from 'vitest'
import { bySu, bySudo } from '../conformance/programs.js'
import { Subject } from '../conformance/subject.js'
import { combinedWaySuites, conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter } from '../interpreters.js'
import { noOtherUsers, titled } from '../testbeds/needs.js'

describe.skipIf(noOtherUsers)(titled('another user', noOtherUsers), () => {
  conformanceSuites(new Subject('sudo', anyInterpreter(), bySudo))
  combinedWaySuites(new Subject('su with a password', anyInterpreter(), bySu))
})
