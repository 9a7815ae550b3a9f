// The conformance suite over the socket server: what every gateway does, over a connection that is the worker's own.
import { overSocket } from '../conformance/socket.js'
import { Subject } from '../conformance/subject.js'
import { conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'

const interpreters = [
  anyInterpreter(),
  findInterpreter('CPython 2.7'),
  findInterpreter('CPython 3.6'),
  findInterpreter('PyPy'),
]

for (const interpreter of interpreters.filter((each) => each !== undefined))
  conformanceSuites(new Subject('socket', interpreter, overSocket))
