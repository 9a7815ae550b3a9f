// The conformance suites through commands: one that is replaced by the interpreter, and a shell that waits for it.
import { byCommand, byShell } from '../conformance/programs.js'
import { Subject } from '../conformance/subject.js'
import { combinedWaySuites, conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter } from '../interpreters.js'

conformanceSuites(new Subject('command', anyInterpreter(), byCommand))
combinedWaySuites(new Subject('command through a shell', anyInterpreter(), byShell))
