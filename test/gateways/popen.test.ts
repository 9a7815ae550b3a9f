// The conformance suite on a local process, with every interpreter of this machine.

import { popen, Subject } from '../conformance/subject.js'
import { conformanceSuites } from '../conformance/suites.js'
import { interpreters } from '../interpreters.js'

for (const interpreter of interpreters()) conformanceSuites(new Subject('popen', interpreter, popen))
