// The conformance suite over the socket server: what every gateway does, over a connection that is the worker's own, and over an encrypted one.
import { describe } from 'vitest'
import { overSocket, overTls } from '../conformance/socket.js'
import { Subject } from '../conformance/subject.js'
import { conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { noOpenssl, titled } from '../testbeds/needs.js'

// 3.6 comes by both ways from home.
const interpreters = [anyInterpreter(), findInterpreter('CPython 2.7'), findInterpreter('PyPy')]

for (const interpreter of interpreters.filter((each) => each !== undefined))
  conformanceSuites(new Subject('socket', interpreter, overSocket))

describe.skipIf(noOpenssl)(titled('encrypted', noOpenssl), () => {
  conformanceSuites(new Subject('socket with TLS', anyInterpreter(), overTls))
})
