/** The Pythons that calls are tested on. */
import { chosenInterpreters, type Interpreter } from '../interpreters.js'

export const pythons: readonly Interpreter[] = chosenInterpreters()

export const pythons3: readonly Interpreter[] = pythons.filter(({ name }) => name !== 'CPython 2.7')
