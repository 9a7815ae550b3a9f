/** The Pythons that calls are tested on: the oldest, the oldest 3, the newest, and PyPy. */
import { findInterpreter, type Interpreter, interpreters } from '../interpreters.js'

const newest = interpreters()
  .filter(({ name }) => name.startsWith('CPython'))
  .at(-1)

export const pythons: readonly Interpreter[] = [
  findInterpreter('CPython 2.7'),
  findInterpreter('CPython 3.6'),
  newest,
  findInterpreter('PyPy'),
].filter((each) => each !== undefined)

export const pythons3: readonly Interpreter[] = pythons.filter(({ name }) => name !== 'CPython 2.7')
