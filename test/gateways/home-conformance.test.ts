// The conformance suite with workers that dial home: over TCP, and with all that may be in between at the worker's own end.
import { dialingHome } from '../conformance/home.js'
import { Subject } from '../conformance/subject.js'
import { conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'

const any = anyInterpreter()

conformanceSuites(new Subject('home by tcp', any, dialingHome('tcp')))
conformanceSuites(new Subject('home by wss', any, dialingHome('wss')))
// The oldest, once each way: 2.7 has its WebSockets in ws-conformance.test.ts, 3.6 its TLS in socket-tls.test.ts.
const [python2, python3] = [findInterpreter('CPython 2.7'), findInterpreter('CPython 3.6')]
if (python2 !== undefined) conformanceSuites(new Subject('home by tls', python2, dialingHome('tls')))
if (python3 !== undefined) conformanceSuites(new Subject('home by ws', python3, dialingHome('ws')))
