// The values of variables may be secrets: no text but `String(spec)` has them.
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type GatewayEnd, Group, makeGateway, XSpec, XSpecError, type XSpecObject } from '../../src/index.js'
import { tendril } from '../cli/command.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { password } from '../testbeds/accounts.js'
import { noOtherUsers, titled } from '../testbeds/needs.js'
import { startOtherUsers } from '../testbeds/other-users.js'

const python = anyInterpreter().command
const env = 'env:TOKEN=s3cret//env:OTHER*=s3cret %2F%2F $x'

/** All that is told of a gateway that does not come to life. */
async function toldOf(spec: string): Promise<string> {
  const told: unknown[] = []
  const tell = (value: unknown): void => void told.push(value)
  await using group = new Group({ onOutput: tell, onPhase: tell, prompt: () => password })
  const gateway = group.launchGateway(spec)
  tell(String(gateway))
  const task = gateway.remoteExec('1').waitClose()
  await gateway.ready.catch(tell)
  await task.catch(tell)
  const end: GatewayEnd = await gateway.closed
  tell(end)
  expect(told.length).toBeGreaterThan(3)
  return inspect(told, { depth: null, showHidden: true }) + JSON.stringify(told)
}

describe('a variable is told without its value', () => {
  it.each([
    `popen//python=/no/such/python//${env}`,
    `popen//chdir=/dev/null/x//${env}`,
    `command=/no/such/program {python}//${env}`,
    `command=sh -c "echo TOKEN=s3c'ret' >&2; {python}"//python=/no/such/python//${env}`,
    `chroot=/no/such/folder//${env}`,
    `chroot=/no/such/folder//python=python3//${env}`,
    `socket=127.0.0.1:1//insecure//${env}`,
    `ssh=-F none -p 1 127.0.0.1//${env}`,
  ])('where %s fails', async (spec) => {
    const told = await toldOf(spec)
    expect(told).toContain('env:TOKEN=…')
    expect(told).not.toContain('s3cret')
  })

  it.each<XSpecObject>([
    { command: ['sh', '-c', 'echo "$0 $@" >&2; exit 3', '{python}'] },
    { command: ['sh', '-c', 'echo "$0 $@"; exit 3', '{python}'] },
    { command: ['sh', '-c', 'set -x; : "$@"; exit 3', 'sh', '{python}'], python: '/bin/false' },
    { command: ['sh', '-c', `echo "$0 $@ $(printf %04090d 1)" >&2; exit 3`, '{python}'], python: '/bin/false' },
    { popen: true, python: [python, '-c', 'import os; print(dict(os.environ))'] },
    { popen: true, python: [python, '-c', 'import os, json; print(json.dumps(dict(os.environ)))'] },
  ])('where a program says in its own way what it was given: %j', async (given) => {
    const env = { TOKEN: 's3cret', QUOTED: `s3cret '"s3cret"'`, NAME: 'ü//s3cret', LONG: 's3cret'.repeat(200) }
    const told = await toldOf(String(XSpec.from({ ...given, env })))
    expect(told).toContain('TOKEN=…')
    expect(told).not.toContain('s3cret')
  })

  it('where it is more than the system takes', async () => {
    const told = await toldOf(`popen//env:TOKEN=${'s3cret'.repeat(30_000)}`)
    expect(told.includes('s3cret')).toBe(false)
    expect(told).toContain('env:TOKEN=…')
  })

  it.skipIf(noOtherUsers)(titled('where sudo repeats its command line', noOtherUsers), async () => {
    await using _ = startOtherUsers({ rules: ['anne ALL=(root) /bin/true'] })
    for (const interpreter of ['', '//python=python3']) {
      const told = await toldOf(`sudo=nobody${interpreter}//${env}//env:LINES*=a%0As3cret`)
      expect(told).toContain('TOKEN=…')
      expect(told).not.toContain('s3cret')
    }
  })

  it('where a gateway works: in what is printed of it, and by tendril doctor', async () => {
    await using gateway = await makeGateway(`popen//python=${python}//${env}`)
    expect(inspect({ gateway }, { depth: null })).toContain('env:TOKEN=…//env:OTHER=…')
    expect(inspect({ gateway }, { depth: null }) + JSON.stringify(gateway.spec) + gateway).not.toContain('s3cret')
    const spec = `popen//python=${python}//${env}`
    for (const options of [[], ['--json']]) {
      const { stdout, stderr } = tendril(['doctor', spec, `popen//python=/no/such/python//${env}`, ...options])
      expect(stdout).toContain('env:TOKEN=…')
      expect(stdout + stderr).not.toContain('s3cret')
    }
  })

  it.each([
    `popen//${env}//pyhton=x`,
    `popen//pyhton=x//${env}`,
    `popen//${env}//nice=much`,
    `popen//${env}//popen`,
    `popen//${env}//_x`,
    `popen//env:TOKEN=a//s3cret`,
    `popen//env:TOKEN=a//s3cret=b//s3cret`,
    `popen//env:TOKEN=a//_s3cret`,
    `popen//env:TOKEN=a//s3cret*`,
    `popen//evn:TOKEN=s3cret`,
    `popen//ENV:TOKEN=s3cret//x`,
    `popen//env.TOKEN=s3cret`,
    `popen//env:TOKEN*=s3cret%`,
    `popen//env:TOKEN*=s3cret%00`,
    `popen//env:TOKEN=s3cret\0`,
    `popen//env:TOKEN=s3cret\ud800`,
    `0*popen//${env}`,
    `2*popen//${env}`,
    `nice=5//${env}`,
    `popen//ssh=x//${env}`,
    `popen//via=nobody//${env}`,
    `popen//threads=0//${env}`,
    `socket=127.0.0.1:1//ca=x//insecure//${env}`,
    `popen//python="x//${env}`,
    `chroot=/tmp//env:A B=s3cret`,
  ])('where %j is refused', async (spec) => {
    const refused: unknown = await errorOf(new Group().makeGateway(spec))
    expect(refused).toBeInstanceOf(XSpecError)
    expect(inspect(refused, { depth: null, showHidden: true })).not.toContain('s3cret')
  })
})

it('String(spec) has the values', () => {
  const text = `popen//${env}`
  expect(`${XSpec.parse(text)}`).toBe(text)
  expect(inspect([XSpec.parse(text)])).toBe('[ XSpec(popen//env:TOKEN=…//env:OTHER=…) ]')
  expect(JSON.stringify({ spec: XSpec.parse(text) })).toBe('{"spec":"popen//env:TOKEN=…//env:OTHER=…"}')
})
