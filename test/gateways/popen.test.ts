// The conformance suite on a local process, with every interpreter of this machine.
import { interpreters } from '../interpreters.js'
import { conformanceSuites } from '../conformance/suites.js'
import { Subject } from '../conformance/subject.js'

for (const interpreter of interpreters()) conformanceSuites(new Subject('popen', interpreter))
