// The conformance suite over SSH with the ssh2 engine: sessions of their own, the supervisor's workers, and what a gateway over SSH carries.
import { describe } from 'vitest'
import { carried, direct, dropbear, supervised } from '../conformance/ssh.js'
import { Subject } from '../conformance/subject.js'
import { combinedWaySuites, conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { noDropbear, noSshd, titled } from '../testbeds/needs.js'

const any = anyInterpreter()
// PyPy is behind every other kind; a session of SSH is two pipes to it, as popen's are.
const interpreters = [any, findInterpreter('CPython 2.7')].filter((each) => each !== undefined)

describe.skipIf(noSshd)(titled('the ssh2 engine', noSshd), () => {
  for (const interpreter of interpreters) conformanceSuites(new Subject('ssh', interpreter, direct('ssh2')))
  conformanceSuites(new Subject('ssh beyond MaxSessions', any, supervised('ssh2')))
  combinedWaySuites(new Subject('popen via ssh', any, carried('ssh2')))
})

describe.skipIf(noDropbear)(titled('the ssh2 engine', noDropbear), () => {
  combinedWaySuites(new Subject('ssh by way of dropbear', any, dropbear('ssh2')))
})
