// roots= and provide= of specs, and --provide of the command line.
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { Group, ProvideError } from '../../src/index.js'
import { tendril } from '../cli/command.js'
import { anyInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'

const popen = `popen//python=${anyInterpreter().command}`
const pylib = fileURLToPath(new URL('../fixtures/pylib', import.meta.url))
const pylib2 = fileURLToPath(new URL('../fixtures/pylib2', import.meta.url))
const examples = fileURLToPath(new URL('../../examples', import.meta.url))
const group = new Group()
afterEach(async () => void (await group.terminate()))

describe('a spec', () => {
  it('names roots to import from, and packages to send ahead', async () => {
    const gateway = group.launchGateway(`${popen}//roots=${pylib}, ${pylib2}//provide=rings`)
    const source = `
      import rings.alpha
      from _tendril.shelf import shelf
      before = shelf.asked
      name = 'company.two'
      channel.send([before, __import__(name).two.WHO, shelf.asked])
    `
    expect(await gateway.remoteExec(source).receive()).toEqual([0, 'two', 1])
  })

  it('is refused with roots that there are not, and nothing stays of its gateway', async () => {
    const mark = new Mark()
    const spec = `${popen}//roots=/no/such/folder//${mark.key}`
    await expect(group.launchGateway(spec).ready).rejects.toThrow(ProvideError)
    await expect(Group.open([spec])).rejects.toThrow(/cannot provide \/no\/such\/folder: ENOENT/)
    expect(group.size).toBe(0)
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })
})

describe('tendril exec --provide', () => {
  it('takes folders, and names of packages', () => {
    const args = [
      'exec',
      '--tx',
      popen,
      '--provide',
      `${examples}/pylib`,
      '--provide',
      'greetings',
      `${examples}/greets.py`,
    ]
    expect(tendril(args)).toMatchObject({ status: 0, stdout: '[gw0] hello world\n', stderr: '' })
  })

  it('exits with 2 for what there is not', () => {
    const { status, stderr } = tendril(['exec', '--tx', popen, '--provide', 'nopkg', `${examples}/greets.py`])
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/^tendril: no package or module nopkg in .*; name its folder in roots\n$/),
    ])
  })
})
