// Which command a spec starts: words, quotes, prefixes, what is on PATH, and shims that are paid once.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BootstrapError, Group } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'

const { command } = anyInterpreter()
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril python-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function evaluate(expression: string, ...keys: string[]): Promise<unknown> {
  await using group = new Group()
  const gateway = await group.makeGateway(['popen', ...keys].join('//'))
  return await gateway.remoteExec(`import os, sys; channel.send(${expression})`).receive()
}

describe('python=', () => {
  it('takes arguments of the interpreter', async () => {
    expect(await evaluate('[sys.flags.optimize, sys.flags.dont_write_bytecode]', `python=${command} -O -B`)).toEqual([
      1, 1,
    ])
  })

  it('takes a command that starts another', async () => {
    expect(await evaluate('os.environ["X"]', `python=env X="1 2" ${command}`)).toBe('1 2')
    expect(await evaluate('os.nice(0)', `python=nice -n 5 ${command}`)).toBe(
      Math.min(((await evaluate('os.nice(0)', `python=${command}`)) as number) + 5, 19),
    )
  })

  it('takes a path with spaces in quotes', async () => {
    symlinkSync(command, join(folder, 'my python'))
    expect(await evaluate('1', `python='${folder}/my python'`)).toBe(1)
    expect(await evaluate('1', `python=${folder.replaceAll(' ', '\\ ')}/my\\ python`)).toBe(1)
  })

  it('finds a Python on PATH when there is no such key, python3 first', async () => {
    symlinkSync('/bin/false', join(folder, 'python'))
    symlinkSync(command, join(folder, 'python3'))
    expect(await evaluate('1', `env:PATH=${folder}`)).toBe(1)
  })

  it('says what was looked for when there is no Python', async () => {
    const opening = new Group().makeGateway('popen//env:PATH=/nowhere')
    await expect(opening).rejects.toThrow(BootstrapError)
    await expect(opening).rejects.toThrow(/looked for python3 and python on PATH/)
  })

  it('runs a shim once, and then what it led to', async () => {
    const shims = mkdtempSync(join(folder, 'x-'))
    const runs = join(shims, 'runs')
    const shim = join(shims, 'shims', 'python3')
    writeFileSync(runs, '')
    mkdirSync(join(shims, 'shims'))
    writeFileSync(shim, `#!/bin/sh\necho run >> "${runs}"\nexec ${command} "$@"\n`)
    chmodSync(shim, 0o755)
    for (let i = 0; i < 3; i++) expect(await evaluate('1', `python='${shim}'`)).toBe(1)
    expect(readFileSync(runs, 'utf8')).toBe('run\n')
    expect(await evaluate('os.environ["A"]', `python='${shim}'`, 'env:A=b')).toBe('b')
    expect(readFileSync(runs, 'utf8')).toBe('run\nrun\n')
  })
})
