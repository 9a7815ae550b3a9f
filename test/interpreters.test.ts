// The matrix by name: an interpreter that this machine lacks is a skipped test that says so, and in CI a failure.
import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import {
  findInterpreter,
  interpreters,
  isCi,
  missingInterpreters,
  optionalInterpreters,
  requiredInterpreters,
} from './interpreters.js'

const program = `
import platform, sysconfig
version = ".".join(platform.python_version_tuple()[:2]) + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else "")
print("%s %s" % (platform.python_implementation(), version))`

// The reporter counts skipped tests and does not name them.
for (const name of missingInterpreters()) console.info(`not run on ${name}: it is not installed here`)

describe('the interpreter matrix', () => {
  it.each(interpreters())('has $name where it says', ({ name, command }) => {
    const { stdout } = spawnSync(command, ['-c', program], { encoding: 'utf8' })
    expect(stdout.trim()).toBe(name)
  })

  it.for(requiredInterpreters)('finds %s on this machine', (name, { skip }) => {
    const isFound = findInterpreter(name) !== undefined
    skip(!isFound && !isCi, `${name} is not installed here (pyenv or a python of that name on PATH)`)
    expect(isFound, `${name} must be installed where TENDRIL_CI is 1`).toBe(true)
  })

  it.for(optionalInterpreters)('finds %s where there is one', (name, { skip }) => {
    const found = findInterpreter(name)
    skip(found === undefined, `there is no ${name} here`)
    expect(interpreters()).toContain(found)
  })
})
