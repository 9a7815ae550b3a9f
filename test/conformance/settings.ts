// What the keys of a spec set in the worker.
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { expect, it } from 'vitest'
import { BootstrapError, XSpecError } from '../../src/index.js'
import type { Subject } from './subject.js'

export function settingSuite(subject: Subject): void {
  const evaluate = async (expression: string, ...keys: string[]): Promise<unknown> => {
    await using gateway = await subject.open(...keys)
    return await gateway.remoteExec(`import os, sys; channel.send(${expression})`).receive()
  }

  it('creates a nested chdir and works there', async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tendril-chdir-')))
    try {
      // What getcwd() says depends on the locale there, which logins often have none of.
      await evaluate('open("here", "w").close()', `chdir=${folder}/a/b é`)
      expect(existsSync(`${folder}/a/b é/here`)).toBe(true)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('takes a chdir from where it is started', async () => {
    expect(await evaluate('os.getcwd()', `chdir=${relative(subject.startFolder, realpathSync(tmpdir()))}`)).toBe(
      realpathSync(tmpdir()),
    )
  })

  it('rejects a chdir that cannot be, and does not keep the gateway', async () => {
    const opening = subject.open('chdir=/dev/null/sub', 'id=broken')
    await expect(opening).rejects.toThrow(BootstrapError)
    await expect(opening).rejects.toThrow(/\/dev\/null\/sub/)
    await using again = await subject.open('id=broken')
    expect(again.id).toBe('broken')
  })

  it('adds nice', async () => {
    const before = Number(await evaluate('os.nice(0)'))
    expect(await evaluate('os.nice(0)', 'nice=3')).toBe(before + 3)
  })

  it('sets variables before the interpreter starts', async () => {
    expect(await evaluate('os.environ["GREETING"]', 'env:GREETING=a=b c')).toBe('a=b c')
    const hash = 'hash("tendril")'
    const hashes = [await evaluate(hash, 'env:PYTHONHASHSEED=1'), await evaluate(hash, 'env:PYTHONHASHSEED=1')]
    expect(hashes[0]).toEqual(hashes[1])
    expect(await evaluate('sys.flags.optimize', 'env:PYTHONOPTIMIZE=1')).toBe(1)
  })

  it('writes no bytecode where that is asked for', async () => {
    expect(await evaluate('sys.dont_write_bytecode', 'env:PYTHONDONTWRITEBYTECODE=')).toBe(false)
    expect(await evaluate('sys.dont_write_bytecode', 'dont_write_bytecode')).toBe(true)
  })

  it('goes by the id of its spec, and refuses one that is taken before anything is started', async () => {
    await using gateway = await subject.open('id=worker 7')
    expect(gateway.id).toBe('worker 7')
    const refused = subject.open('id=worker 7', 'chdir=/dev/null/never')
    await expect(refused).rejects.toThrow(XSpecError)
    await expect(refused).rejects.toThrow('"worker 7"')
  })
}
