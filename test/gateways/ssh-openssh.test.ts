// The conformance suite over SSH with the system's own `ssh`: sessions of their own, the supervisor's workers, and what a gateway over SSH carries.
import { describe } from 'vitest'
import { carried, direct, supervised } from '../conformance/ssh.js'
import { Subject } from '../conformance/subject.js'
import { conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { noSshd, titled } from '../testbeds/needs.js'

const any = anyInterpreter()
const interpreters = [any, findInterpreter('CPython 2.7')].filter((each) => each !== undefined)

describe.skipIf(noSshd)(titled('the openssh engine', noSshd), () => {
  for (const interpreter of interpreters) conformanceSuites(new Subject('ssh', interpreter, direct('openssh')))
  conformanceSuites(new Subject('ssh beyond MaxSessions', any, supervised('openssh')))
  conformanceSuites(new Subject('popen via ssh', any, carried('openssh')))
})
