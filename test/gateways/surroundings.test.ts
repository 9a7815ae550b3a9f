// Interpreters in odd surroundings: working directories, locales, flags, descriptors.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'

const { command } = anyInterpreter()
const python2 = findInterpreter('CPython 2.7')?.command
const nonblocking = fileURLToPath(new URL('../fixtures/nonblocking.py', import.meta.url))
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-surroundings-'))
  mkdirSync(join(folder, 'hostile'))
  for (const name of [
    'zlib',
    'os',
    'select',
    'struct',
    'signal',
    'time',
    'errno',
    'pickle',
    '_pickle',
    'traceback',
    'linecache',
    'threading',
    'io',
  ]) {
    writeFileSync(join(folder, 'hostile', `${name}.py`), 'raise RuntimeError("imported from the working directory")\n')
  }
  mkdirSync(join(folder, 'site'))
  writeFileSync(
    join(folder, 'site', 'sitecustomize.py'),
    'import os, sys\nsys.stdout.write("site noise\\n")\nos.write(1, b"more\\n")\n',
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Prints, fails and answers: what any worker must be able to do. */
async function expectWorks(python: string, ...keys: string[]): Promise<void> {
  const texts: string[] = []
  await using group = new Group({ onOutput: ({ text }) => texts.push(text) })
  const gateway = await group.makeGateway(['popen', `python=${python}`, 'timeout=10s', ...keys].join('//'))
  expect(await gateway.remoteExec('channel.send(u"\\xe9\\U0001f600")').receive()).toBe('é😀')
  await expect(gateway.remoteExec('print("printed"); raise ValueError("17")').waitClose()).rejects.toThrow(
    'ValueError: 17',
  )
  await gateway
    .remoteExec('import sys; sys.stdout.write(u"\\xe9\\n" if sys.version_info[0] > 2 else u"\\xe9\\n".encode("utf-8"))')
    .waitClose()
  expect(texts.filter((text) => text === 'printed' || text === 'é')).toEqual(['printed', 'é'])
}

const within = (script: string, python = command): string => `sh -c '${script}; exec "$0" "$@"' ${python}`

describe.each([['CPython 3', command], ...(python2 === undefined ? [] : [['CPython 2.7', python2]])])(
  '%s starts',
  (_, python = '') => {
    it('in a working directory that has been removed', () =>
      expectWorks(within(`mkdir ${folder}/gone$$; cd ${folder}/gone$$; rmdir ${folder}/gone$$`, python)))

    it('in a working directory full of modules with the names of its own', () =>
      expectWorks(within(`cd ${folder}/hostile`, python)))

    it('in such a working directory, runs a second task beside the first and leaves without a word', async () => {
      const texts: string[] = []
      const group = new Group({ onOutput: ({ text }) => texts.push(text) })
      const gateway = await group.makeGateway(`popen//python=${within(`cd ${folder}/hostile`, python)}`)
      gateway.remoteExec('channel.receive()')
      expect(await gateway.remoteExec('channel.send(1)').receive({ timeout: 5000 })).toBe(1)
      expect([(await group.terminate()).killed, texts]).toEqual([[], []])
    })

    it('with stderr closed', () => expectWorks(within('exec 2>&-', python)))

    it('with non-blocking descriptors', () => expectWorks(`${command} ${nonblocking} ${python}`))

    it('with the C locale', () => expectWorks(python, 'env:LANG=C', 'env:LC_ALL=C', 'env:PYTHONIOENCODING=ascii'))

    it('without site', () => expectWorks(`${python} -S`))

    it('without its environment', () => expectWorks(`${python} -E -s`, `env:PYTHONPATH=${folder}/hostile`))

    it('without a place to write', () =>
      expectWorks(python, 'env:HOME=/nowhere', 'env:TMPDIR=/nowhere', 'env:PYTHONPYCACHEPREFIX=/proc/nowhere'))

    it('with a site that prints', () => expectWorks(python, `env:PYTHONPATH=${folder}/site`))

    it('unbuffered, with warnings as errors', () => expectWorks(`${python} -u -W error`))

    it('with SIGINT, SIGPIPE and SIGCHLD ignored', () => expectWorks(within('trap "" INT PIPE CHLD', python)))

    it('from a shell that gives every command a process group', () =>
      expectWorks(`sh -c 'set -m; "$0" "$@"; true' ${python}`))

    it('with few descriptors', () => expectWorks(within('ulimit -n 32', python)))
  },
)

describe('CPython 3', () => {
  it('starts isolated', () => expectWorks(`${command} -I`))

  it('starts in development mode', () => expectWorks(`${command} -X dev`))

  it('starts with strict locale of bytes', () => expectWorks(`${command} -X utf8=0`, 'env:LC_ALL=POSIX'))

  it('starts optimized, without docstrings', () => expectWorks(`${command} -OO`))
})
