// The conformance suite over WebSockets: what every gateway does, with the worker at the other end of the WebSocket itself.
import { describe } from 'vitest'
import { Subject } from '../conformance/subject.js'
import { conformanceSuites } from '../conformance/suites.js'
import { overWebSocket, throughNginx } from '../conformance/ws.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { noNginx, titled } from '../testbeds/needs.js'

// 3.6 comes by both ways from home.
const interpreters = [anyInterpreter(), findInterpreter('CPython 2.7'), findInterpreter('PyPy')]

for (const interpreter of interpreters.filter((each) => each !== undefined))
  conformanceSuites(new Subject('ws', interpreter, overWebSocket))

describe.skipIf(noNginx)(titled('encrypted, through a proxy,', noNginx), () => {
  conformanceSuites(new Subject('wss', anyInterpreter(), throughNginx))
})
