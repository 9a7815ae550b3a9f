// The conformance suite over WebSockets: what every gateway does, with the worker at the other end of the WebSocket itself.
import { Subject } from '../conformance/subject.js'
import { conformanceSuites } from '../conformance/suites.js'
import { overWebSocket } from '../conformance/ws.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'

const interpreters = [
  anyInterpreter(),
  findInterpreter('CPython 2.7'),
  findInterpreter('CPython 3.6'),
  findInterpreter('PyPy'),
]

for (const interpreter of interpreters.filter((each) => each !== undefined))
  conformanceSuites(new Subject('ws', interpreter, overWebSocket))
