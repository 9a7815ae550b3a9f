// The conformance suite with workers that dial home: over TCP, and with all that may be in between at the worker's own end.
import { dialingHome } from '../conformance/home.js'
import { Subject } from '../conformance/subject.js'
import { conformanceSuites } from '../conformance/suites.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'

const any = anyInterpreter()

conformanceSuites(new Subject('home by tcp', any, dialingHome('tcp')))
conformanceSuites(new Subject('home by wss', any, dialingHome('wss')))
for (const old of [findInterpreter('CPython 2.7'), findInterpreter('CPython 3.6')]) {
  if (old === undefined) continue
  conformanceSuites(new Subject('home by tls', old, dialingHome('tls')))
  conformanceSuites(new Subject('home by ws', old, dialingHome('ws')))
}
