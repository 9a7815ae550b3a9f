// The one line that a login shell gets: whatever shell that is, it finds the interpreter, and hands values on as they are.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { XSpecError } from '../../src/errors.js'
import { loaderLine } from '../../src/gateways/bootstrap.js'
import { remotePython } from '../../src/gateways/remote-python.js'
import { anyInterpreter, findInterpreter, isCi } from '../interpreters.js'
import { findProgram, noInterpreter, titled } from '../testbeds/needs.js'

const { command: python } = anyInterpreter()
const python2 = findInterpreter('CPython 2.7')
const shells = ['sh', 'dash', 'bash', 'rbash', 'tcsh', 'fish', 'zsh']
const noShells = process.platform === 'win32' ? 'login shells are for POSIX' : undefined
// Names that are found behind PATH, whatever that is in a test.
const elsewhere = ['/usr/local/bin', ...foldersIn('/opt')].flatMap(namesIn).some((name) => /^(python|pypy)/.test(name))

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-remote-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function namesIn(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return [] // it is not there, or not for us
  }
}

function foldersIn(path: string): string[] {
  return namesIn(path).map((name) => join(path, name, 'bin'))
}

interface Said {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** What sshd does with a command: the login shell runs it. */
function logIn(shell: string, command: string, env: Readonly<Record<string, string>> = {}): Said {
  const { status, stdout, stderr } = spawnSync(shell, ['-c', command], {
    env: { PATH: process.env['PATH'], HOME: folder, LC_ALL: 'C.UTF-8', ...env },
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

/** A folder in which `sh` is, and programs that say their own name and what they are run with. */
function folderWith(name: string, ...programs: string[]): string {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  if (!namesIn(path).includes('sh')) symlinkSync('/bin/sh', join(path, 'sh'))
  for (const each of programs) {
    writeFileSync(join(path, each), `#!/bin/sh\necho "\${0##*/} $1 $2"\n`)
    chmodSync(join(path, each), 0o755)
  }
  return path
}

describe.skipIf(noShells !== undefined)('the command for a login shell', () => {
  describe.each(shells)('%s', (name) => {
    const shell = findProgram(name)
    const missing = shell === undefined && !isCi
    const title = (text: string): string => (missing ? `${text} [skipped: ${name} is not installed]` : text)
    const run = (...args: Parameters<typeof remotePython>): Said => logIn(shell ?? name, remotePython(...args).command)
    const show = 'import json,os,sys;sys.stdout.write(json.dumps(dict(os.environ)))'

    it.skipIf(missing)(title('runs an interpreter that is named, and one that is not'), () => {
      const line = 'import sys;sys.stdout.write(chr(111)+chr(107))'
      expect(run({ python, env: {} }, line)).toEqual({ status: 0, stdout: 'ok', stderr: '' })
      expect(run({ python: undefined, env: {} }, line)).toEqual({ status: 0, stdout: 'ok', stderr: '' })
    })

    it.skipIf(missing)(title('hands on the loader, which leads a process group of its own'), () => {
      const stage = 'import os,sys\nsys.stdout.write(str(os.getpgrp()==os.getpid()))\n'.padEnd(384, '\n')
      const { command } = remotePython({ python, env: {} }, loaderLine())
      const { stdout } = spawnSync(shell ?? name, ['-c', command], { input: stage, encoding: 'utf8' })
      expect(stdout).toBe('True')
    })

    // Names that a command line may carry.
    const values = {
      CONDA_PLAIN: 'a-b.c/d',
      CONDA_EMPTY: '',
      CONDA_BLANKS: '  two  words ',
      CONDA_QUOTES: `it's "quoted" \`so\``,
      CONDA_SIGNS: `$HOME \${HOME} $(id) !! ! % %s ~ * ? [a] {a,b} # ; & | < > ( ) ^ =`,
      CONDA_BACKSLASHES: '\\ \\n \\\\ \\0101 \\',
      CONDA_LINES: '\nfirst\n\nlast',
      CONDA_ENDING: 'line\n\n',
      CONDA_TAB: 'a\tb\r\u001b',
      CONDA_LETTERS: 'é 😀 ÿ',
      CONDA_DASH: '-n',
    }

    it.skipIf(missing)(title('hands on values as they are'), () => {
      const { stdout, stderr } = run({ python, env: values }, show)
      expect(stderr).toBe('')
      expect(JSON.parse(stdout)).toMatchObject(values)
    })

    it.skipIf(missing)(title('hands on the words of python='), () => {
      const path = join(folder, `it's "the" $HOME é`)
      mkdirSync(path, { recursive: true })
      if (!namesIn(path).includes('python')) symlinkSync(python, join(path, 'python'))
      const words = `"${join(path, 'python').replace(/["\\]/g, '\\$&')}" -X 'a = $b'`
      const line = 'import sys;sys.stdout.write(ascii(sys._xoptions))'
      expect(run({ python: words, env: {} }, line)).toEqual({ status: 0, stdout: "{'a ': ' $b'}", stderr: '' })
    })

    it.skipIf(missing)(title('exits with code 127 and one line where what is named is not there'), () => {
      const { status, stdout, stderr } = run({ python: '/nowhere/python3', env: {} }, 'pass')
      expect([status, stdout]).toEqual([127, ''])
      expect(stderr).toMatch(/^[^\n]*\/nowhere\/python3[^\n]*\n$/)
    })
  })
})

describe.skipIf(noShells !== undefined || elsewhere)(
  `the search${elsewhere ? ' [skipped: there is a Python in /usr/local or /opt]' : ''}`,
  () => {
    const { command, tried } = remotePython({ python: undefined, env: {} }, 'pass')
    const find = (env: Readonly<Record<string, string>>): Said => logIn('/bin/sh', command, env)
    const firstOf = (path: string): string | undefined => find({ PATH: path }).stdout.split(' ')[0]

    it('takes the best name that there is', () => {
      for (const name of [...tried].reverse()) expect(firstOf(folderWith('names', name))).toBe(name)
      expect(tried).toEqual([
        'python3',
        'python',
        ...tried.filter((name) => /^python3\./.test(name)),
        'pypy3',
        'python2.7',
      ])
    })

    it('looks where people put interpreters, behind PATH', () => {
      const empty = folderWith('empty')
      for (const place of [
        '.local/bin',
        '.pyenv/shims',
        'miniconda3/bin',
        'venv/bin',
        '.local/share/uv/python/x/bin',
      ]) {
        const home = join(folder, `home of ${place.replaceAll('/', ' ')}`)
        mkdirSync(join(home, place), { recursive: true })
        symlinkSync(join(folderWith('target', 'python3'), 'python3'), join(home, place, 'python3'))
        expect(find({ HOME: home, PATH: empty })).toMatchObject({ stdout: expect.stringMatching(/^python3 -c /) })
        expect(find({ HOME: home, PATH: folderWith('better', 'python') }).stdout).toMatch(/^python3 /)
      }
    })

    it('exits with code 127 and one line that names all that was looked for, where there is none', () => {
      const { status, stdout, stderr } = find({ PATH: folderWith('empty') })
      expect([status, stdout]).toEqual([127, ''])
      expect(stderr).toBe(`no Python found: looked for ${tried.join(', ')} on PATH and in the usual places\n`)
    })
  },
)

describe('the command', () => {
  it('is one line, and holds nothing that a shell could take for its own before sh has it', () => {
    const { command, tried } = remotePython({ python: 'python3 -E', env: { A: `'"!\n\\\`$` } }, loaderLine('linux'))
    expect(command).toMatch(/^sh -c '[^'!\n]*'$/)
    expect(tried).toEqual(['python3', '-E'])
  })

  it.each(['A-B', '1A', 'A B', '', 'A.B', 'Ä'])('refuses a variable named %j, which no shell has', (name) => {
    expect(() => remotePython({ python: undefined, env: { [name]: 'x' } }, 'pass')).toThrow(XSpecError)
    expect(() => remotePython({ python: undefined, env: { [name]: 'x' } }, 'pass')).toThrow(JSON.stringify(name))
  })

  const noPython2 = noInterpreter('CPython 2.7')
  it.skipIf(noPython2)(titled('starts a Python 2.7', noPython2), () => {
    const { command } = remotePython(
      { python: python2?.command, env: { A: 'b' } },
      'import sys;sys.stdout.write(str(sys.version_info[0]))',
    )
    expect(logIn('/bin/sh', command)).toMatchObject({ status: 0, stdout: '2' })
  })
})
