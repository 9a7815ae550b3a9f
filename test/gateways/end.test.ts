// Gateways that never come to life, and links that break a rule: typed errors that say what was tried and what came back.
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { BootstrapError, Group, ProtocolError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { Mark, thoseThatStay } from '../processes.js'

const { command } = anyInterpreter()
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

/** The error of a spec that cannot be opened; nothing may be left of the attempt. */
async function failureOf(python: string, ...keys: string[]): Promise<BootstrapError> {
  const mark = new Mark()
  const group = new Group()
  const error: unknown = await errorOf(group.makeGateway(['popen', `python=${python}`, mark.key, ...keys].join('//')))
  expect(group.size).toBe(0)
  expect(await thoseThatStay(mark.pids)).toEqual([])
  if (error instanceof BootstrapError) return error
  throw new Error(`expected a BootstrapError, not ${error}`)
}

describe('a start that fails', () => {
  it('names an interpreter that does not exist, by path and by name', async () => {
    expect((await failureOf('/nowhere/python3')).message).toMatch(
      /^gateway gw0 \(popen\/\/python=\/nowhere\/python3.*"\/nowhere\/python3" does not exist.*python= key/,
    )
    const error = await failureOf('pyhton3.99')
    expect(error.message).toContain('"pyhton3.99" does not exist')
    expect(error.tried).toEqual(['pyhton3.99'])
  })

  it('names a file that may not be executed', async () => {
    expect((await failureOf(fixture('fake_worker.py'))).message).toContain('may not be executed')
  })

  it.each([0, 1, 127, 255])('tells exit code %d of a command that exits at once', async (exitCode) => {
    const error = await failureOf(`sh -c 'echo "no python here" >&2; exit ${exitCode}'`)
    expect(error).toMatchObject({ exitCode, signal: undefined, stderrTail: 'no python here\n' })
    expect(error.message).toContain(`exit code ${exitCode}`)
    expect(error.message).toContain('no python here')
  })

  it.each([0, 1, 127, 255])(
    'tells exit code %d of a command that exits after the loader has been read',
    async (exitCode) => {
      expect(await failureOf(`sh -c 'head -c 384 >/dev/null; exit ${exitCode}'`)).toMatchObject({ exitCode })
    },
  )

  it('tells the signal that ended the command', async () => {
    expect(await failureOf(`sh -c 'kill -9 $$'`)).toMatchObject({ signal: 'SIGKILL', exitCode: undefined })
  })

  it.each([
    ['/bin/true', 0],
    ['/bin/cat', 1],
    ['/bin/false', 1],
  ])('says that %s is not a worker', async (program, exitCode) => {
    expect(await failureOf(program)).toMatchObject({ exitCode })
  })

  it('gives up on a command that is silent for ever, when its time is up', async () => {
    const error = await failureOf(`sh -c 'sleep 1000'`, 'timeout=300ms')
    expect(error.message).toContain('0.3 s')
  })

  it('gives up on a silent command that ignores signals', async () => {
    await failureOf(`sh -c 'trap "" TERM INT; sleep 1000'`, 'timeout=300ms')
  })

  it('tells how to choose an interpreter when a shell did not find it', async () => {
    expect((await failureOf(`sh -c 'python9.99 -V'`)).message).toMatch(/not found.*python=\/path\/to\/python3\.$/)
  })

  it('quotes the noise of a program that prints and ends', async () => {
    const error = await failureOf(`sh -c 'echo Permission denied, ask Bob; exit 4'`)
    expect(error).toMatchObject({ noise: 'Permission denied, ask Bob\n', exitCode: 4 })
    expect(error.message).toContain('ask Bob')
  })

  it('ends a program that prints without end, and quotes it', async () => {
    expect((await failureOf(`sh -c 'yes ENDLESS'`)).message).toContain('ENDLESS')
  })

  it('is not taken in by a program that echoes what it reads', async () => {
    await failureOf(`sh -c cat`, 'timeout=2s')
  })

  it('says when Python cannot import what it needs', async () => {
    const error = await failureOf(`env PYTHONHOME=/nowhere ${command}`)
    expect(error.stderrTail).toMatch(/encodings|site|os/)
  })

  it.each([
    'wrong version',
    'hello that is no dict',
    'hello that is no pickle',
    'frame before hello',
    'truncated hello',
  ])('rejects a worker whose first word is a %s', async (rule) => {
    await failureOf(`${command} ${fixture('fake_worker.py')} '${rule}'`, 'timeout=5s')
  })

  it('rejects what waits on a gateway that was not ready, with the same error', async () => {
    const group = new Group()
    const gateway = group.launchGateway(`popen//python=sh -c 'exit 9'`)
    const channel = gateway.remoteExec('channel.send(1)')
    for (const waiting of [channel.receive(), channel.waitClose(), gateway.remoteStatus(), gateway.ready]) {
      await expect(waiting).rejects.toMatchObject({ code: 'ERR_BOOTSTRAP', exitCode: 9 })
    }
  })
})

describe('a start with noise', () => {
  it('skips a banner of a thousand lines', async () => {
    await using group = new Group()
    const gateway = await group.makeGateway(`popen//python=sh ${fixture('noisy.sh')} ${command}`)
    expect(await gateway.remoteExec('channel.send(1)').receive()).toBe(1)
  })

  it('shows what came over stderr before the start as output', async () => {
    const texts: string[] = []
    await using group = new Group({ onOutput: ({ stream, text }) => texts.push(`${stream} ${text}`) })
    await group.makeGateway(`popen//python=sh -c 'echo careful >&2; exec "$0" "$@"' ${command}`)
    expect(texts).toEqual(['stderr careful'])
  })
})

describe('a link that breaks a rule', () => {
  const rules = [
    'unknown kind',
    'kind of the controller',
    'unknown flag',
    'oversize frame',
    'forged channel',
    'opened odd channel',
  ]
  const more = ['too much credit', 'data after end', 'truncated frame', 'text in the stream', 'hello twice']

  it.each([...rules, ...more])('ends the gateway and settles whoever waits: %s', async (rule) => {
    const mark = new Mark()
    const gateway = new Group().launchGateway(
      `popen//python=${command} ${fixture('fake_worker.py')} '${rule}'//${mark.key}`,
    )
    const channel = gateway.remoteExec('channel.send(1)')
    await expect(gateway.remoteStatus()).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_(GATEWAY_CLOSED|BOOTSTRAP)$/),
    })
    await expect(channel.receive()).rejects.toThrow()
    const { reason, error } = await gateway.closed
    if (rule !== 'truncated frame') expect([reason, error instanceof ProtocolError]).toEqual(['lost', true])
    expect(await thoseThatStay(mark.pids)).toEqual([])
  })

  it('quotes bytes that stray into the stream of a real worker', async () => {
    const gateway = await new Group({ onOutput: () => undefined }).makeGateway(`popen//python=${command}`)
    const channel = gateway.remoteExec(
      'import os, _tendril; os.write(_tendril.worker.fd_out, b"stray bytes of a library"); channel.receive()',
    )
    await expect(channel.receive()).rejects.toThrow(/stray bytes of a library/)
    expect((await gateway.closed).error).toBeInstanceOf(ProtocolError)
  })
})
