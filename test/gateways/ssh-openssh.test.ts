// The conformance suite over SSH with the system's own `ssh`: sessions of their own, and the supervisor's workers.
import { describe } from 'vitest'
import { direct, supervised } from '../conformance/ssh.js'
import { Subject } from '../conformance/subject.js'
import { combinedWaySuites, conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter } from '../interpreters.js'
import { noSshd, titled } from '../testbeds/needs.js'

const any = anyInterpreter()

describe.skipIf(noSshd)(titled('the openssh engine', noSshd), () => {
  // What a host is asked to run is the same by both engines: Python 2.7 runs it by the other one.
  conformanceSuites(new Subject('ssh', any, direct('openssh')))
  combinedWaySuites(new Subject('ssh beyond MaxSessions', any, supervised('openssh')))
})
