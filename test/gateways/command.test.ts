// Where in a command the interpreter goes, and what is said of commands that lead nowhere.
import { describe, expect, it } from 'vitest'
import { Group, XSpecError } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { expectFault } from '../testbeds/fault.js'

const python = `python=${anyInterpreter().command}`
const noShells = process.platform === 'win32'

async function evaluate(spec: string, expression: string): Promise<unknown> {
  await using group = new Group()
  const gateway = await group.makeGateway(spec)
  return await gateway.remoteExec(`import os, sys; channel.send(${expression})`).receive()
}

describe.skipIf(noShells)('command=', () => {
  it('has words for {python}, with and without one that is named', async () => {
    expect(await evaluate(`command=env A=1 {python}//${python}`, 'os.environ["A"]')).toBe('1')
    expect(await evaluate('command=env A=1 {python}', 'os.environ["A"]')).toBe('1')
  })

  it('has them at the end when there is no {python}', async () => {
    expect(await evaluate(`command=env "A=a b"//${python}`, 'os.environ["A"]')).toBe('a b')
  })

  it('has a line for a shell where {python} is inside of a word', async () => {
    expect(await evaluate(`command=sh -c "A=1 exec {python}"//${python}`, 'os.environ["A"]')).toBe('1')
    expect(await evaluate('command=sh -c "A=1; export A; exec {python}"', 'os.environ["A"]')).toBe('1')
  })

  it('sets variables to the letter, whether or not a shell is there', async () => {
    const value = `it's "$HOME" \\ !é`
    for (const command of ['env {python}', 'sh -c "exec {python}"'])
      for (const keys of [[python], []])
        expect(await evaluate([`command=${command}`, ...keys, `env:A=${value}`].join('//'), 'os.environ["A"]')).toBe(
          value,
        )
  })

  it('needs no shell when the interpreter is named', async () => {
    expect(await evaluate(`command=env -i {python}//${python}`, 'os.environ.get("PATH")')).toBe(null)
  })

  it('goes through a carrier', async () => {
    await using group = await Group.open([
      `popen//id=carrier//${python}`,
      `command=env A=1//via=carrier//id=b//${python}`,
    ])
    expect(await group.get('b').remoteExec('import os; channel.send(os.environ["A"])').receive()).toBe('1')
    expect(group.get('b').remoteAddress).toBe('carrier')
  })

  it('refuses {python} twice, and anything else in braces', async () => {
    await using group = new Group()
    for (const [command, says] of [
      ['sh {python} {python}', '{python} twice'],
      ['sh {pyton}', '{pyton}; all that is replaced is {python}'],
      ['sh "open', 'not closed'],
    ]) {
      await expect(group.makeGateway(`command=${command}`)).rejects.toThrow(XSpecError)
      await expect(group.makeGateway(`command=${command}`)).rejects.toThrow(says)
    }
  })

  it('says that its program is not there, and what to do', async () => {
    const says = ['no program "nosuch" on this machine', 'command=']
    await expectFault({ spec: 'command=nosuch {python}', code: 'ERR_BOOTSTRAP', phase: 'python', says })
  })

  it('says what it said when it leads nowhere, and how it ended', async () => {
    const fault = { code: 'ERR_BOOTSTRAP', phase: 'python' } as const
    await expectFault({
      spec: 'command=sh -c "echo nobody home >&2; exit 3"',
      ...fault,
      says: ['nobody home', 'exit code 3'],
    })
    await expectFault({ spec: 'command=cat', ...fault, says: ['cat'] })
    await expectFault({ spec: 'command=sh -c "sleep 1000 #{python}"//timeout=500', ...fault, says: ['timeout='] })
  })
})
