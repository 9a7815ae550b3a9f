// Wheels, read where they lie, and those that are refused.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { provide } from '../../src/features/elastic/provide.js'
import { type Gateway, Group, ProvideError } from '../../src/index.js'
import { remoteErrorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'

const python = anyInterpreter().command
const group = new Group()
const folder = mkdtempSync(join(tmpdir(), 'tendril-wheels-'))
let gateway: Gateway

beforeEach(async () => {
  gateway = await group.makeGateway(`popen//python=${python}`)
})
afterEach(() => gateway.terminate())
afterAll(async () => {
  await group.terminate()
  rmSync(folder, { recursive: true })
})

const run = (source: string): Promise<unknown> => gateway.remoteExec(source).receive()

function refusalOf(wheel: string): ProvideError {
  try {
    provide(gateway, { wheels: [wheel] })
  } catch (error) {
    if (error instanceof ProvideError) return error
    throw error
  }
  throw new Error('was not refused')
}

describe('wheels', () => {
  const build = (name: string, files: Readonly<Record<string, string>>, method = 'ZIP_DEFLATED'): string => {
    const path = join(folder, name)
    const script = `import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.${method}) as wheel:
    for name, text in json.loads(sys.argv[2]).items(): wheel.writestr(name, text)`
    execFileSync(python, ['-c', script, path, JSON.stringify(files)])
    return path
  }

  it.each(['ZIP_DEFLATED', 'ZIP_STORED'])('are read where they lie: %s', async (method) => {
    const wheel = build(
      `wh-1.0-${method}-py3-none-any.whl`,
      {
        'wh/__init__.py': 'from .sub import mod\ndef fails(): raise KeyError(1)',
        'wh/sub/mod.py': 'X = 1',
        'wh/data.txt': 'data',
        'wh-1.0.data/purelib/lib.py': 'Y = 2',
        'wh-1.0.dist-info/METADATA': 'Name: wh',
      },
      method,
    )
    gateway.provide({ wheels: [wheel] })
    expect(
      await run("import wh, lib, pkgutil\nchannel.send([wh.mod.X, lib.Y, pkgutil.get_data('wh', 'data.txt')])"),
    ).toEqual([1, 2, new Uint8Array(Buffer.from('data'))])
    expect((await remoteErrorOf(run('import wh\nwh.fails()'))).traceback).toContain(`${wheel}/wh/__init__.py`)
  })

  it('are read again when they have been built again', async () => {
    const wheel = build('again.whl', { 'again.py': 'X = 1' })
    gateway.provide({ wheels: [wheel] })
    expect(await run('import again\nchannel.send(again.X)')).toBe(1)
    build('again.whl', { 'more.py': 'Y = 3', 'again.py': 'X = 2' })
    gateway.provide({})
    expect(await run('import again, more\nchannel.send([again.X, more.Y])')).toEqual([2, 3])
  })

  it('are refused with compiled members, by name', () => {
    const wheel = build('fast-1.0-cp311-linux.whl', {
      'fast/__init__.py': '',
      'fast/_core.cpython-311-x86_64-linux-gnu.so': '',
    })
    expect(refusalOf(wheel).message).toMatch(
      /holds compiled code.*: fast\/_core\.cpython-311-x86_64-linux-gnu\.so\. Install it on the other side/,
    )
  })

  it('are refused with members that lead out', () => {
    expect(refusalOf(build('out.whl', { '../evil.py': '' })).message).toMatch(/lead out of it: ..\/evil.py/)
  })

  it('are refused when they are damaged or missing', async () => {
    const wheel = build('damaged.whl', { 'damaged.py': `X = ${'1'.repeat(1000)}` })
    const bytes = readFileSync(wheel)
    for (let length = 0; length < bytes.length - 1; length += 7) {
      const cut = join(folder, 'cut.whl')
      writeFileSync(cut, bytes.subarray(0, length))
      expect(refusalOf(cut).message).toMatch(/^cannot read .*cut.whl: /)
    }
    const at = bytes.indexOf('damaged.py') + 12
    writeFileSync(wheel, bytes.fill(0x55, at, at + 4))
    gateway.provide({ wheels: [wheel] })
    expect((await remoteErrorOf(run('import damaged'))).message).toMatch(/damaged\.py is damaged/)
    expect(refusalOf(join(folder, 'none.whl')).message).toMatch(/cannot provide .*none.whl: ENOENT/)
  })
})
