// A folder that is there already is filled, and becomes as the one that it is filled from: permissions and times, at the top and further in.
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CopyError, type CopyOptions, type Gateway, Group } from '../../src/index.js'
import { chosenInterpreters } from '../interpreters.js'
import { titled } from '../testbeds/needs.js'
import { described, removeTree } from './scratch.js'

const nobody = 65_534
const isRoot = process.getuid?.() === 0
const modeOf = (path: string): string => (lstatSync(path).mode & 0o7777).toString(8)

function makeTree(root: string, text: string): void {
  mkdirSync(join(root, 'in', 'ner'), { recursive: true })
  for (const name of ['file', 'in/file', 'in/ner/file']) writeFileSync(join(root, name), text)
}

describe.each(chosenInterpreters())('with $name', ({ command }) => {
  let group: Group
  let gateway: Gateway
  let root = ''
  const at = (name: string): string => join(root, name)
  beforeAll(async () => {
    group = await Group.open([`popen//python=${command}`])
    gateway = group.get(0)
    await gateway.get(fileURLToPath(import.meta.url), join(tmpdir(), `tendril-filling-${process.pid}`))
    rmSync(join(tmpdir(), `tendril-filling-${process.pid}`))
    // Root may write anywhere: the worker is somebody whom modes keep out. What it imports may be where only root may look: that was done before.
    if (isRoot) await gateway.execute(`import os\nos.setegid(${nobody}); os.seteuid(${nobody})`)
  })
  afterAll(async () => {
    if (isRoot) await gateway.execute('os.seteuid(0)')
    await group.terminate()
  })

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tendril-filling-'))
    for (const [name, text] of [
      ['from', 'new'],
      ['to', 'old'],
    ] as const) {
      makeTree(at(name), text)
      writeFileSync(at(`${name}/in/only ${name}`), '')
    }
    for (const name of ['.', ...(readdirSync(root, { recursive: true }) as string[])]) {
      utimesSync(at(name), 3, 4)
      if (isRoot) chownSync(at(name), nobody, nobody)
    }
    return () => removeTree(root)
  })

  const ways: [string, (options?: CopyOptions) => Promise<unknown>][] = [
    ['put', (options) => gateway.put(at('from'), at('to'), options)],
    ['get', (options) => gateway.get(at('from'), at('to'), options)],
  ]

  it('takes the folder that the worker is in where the one above may not be read', async () => {
    await gateway.call('os.chdir', [at('from')])
    chmodSync(root, 0o311)
    try {
      await gateway.get('.', at('to'))
      expect(readFileSync(at('to/in/file'), 'utf8')).toBe('new')
    } finally {
      await gateway.call('os.chdir', ['/'])
      chmodSync(root, 0o755)
    }
  })

  it('goes to a folder that one may write to and not read', async () => {
    chmodSync(root, 0o333)
    for (const way of ['put', 'get'] as const) await gateway[way](at('from/file'), at(way))
    chmodSync(root, 0o755)
    expect(readdirSync(root).sort()).toEqual(['from', 'get', 'put', 'to'])
  })

  describe.each(ways)('a %s over it', (_, copy) => {
    it('brings permissions and times of folders and files', async () => {
      chmodSync(at('from/in/ner/file'), 0o640)
      for (const [name, mode] of Object.entries({ 'from/in/ner': 0o711, 'from/in': 0o500, from: 0o2750 })) {
        utimesSync(at(name), 1, 2)
        chmodSync(at(name), mode)
      }
      chmodSync(at('to'), 0o1700)
      await copy()
      expect(['to', 'to/in', 'to/in/ner', 'to/in/ner/file'].map((name) => modeOf(at(name)))).toEqual(
        ['1750', '500', '711', '640'], // what is set besides stays as it is
      )
      expect(['to', 'to/in', 'to/in/ner'].map((name) => lstatSync(at(name)).mtimeMs)).toEqual([2000, 2000, 2000])
      expect(readdirSync(at('to/in')).sort()).toEqual(['file', 'ner', 'only from', 'only to'])
      expect(readFileSync(at('to/in/ner/file'), 'utf8')).toBe('new')
    })

    it('is done again where folders cannot be written to', async () => {
      for (const name of ['from/in/ner', 'from/in', 'from']) chmodSync(at(name), 0o555)
      for (const text of ['newer', 'newest']) {
        writeFileSync(at('from/in/ner/file'), text)
        utimesSync(at('from/in/ner/file'), 5, 6)
        await copy()
        expect(readFileSync(at('to/in/ner/file'), 'utf8')).toBe(text)
        expect(described(at('from')).filter((line) => !line.includes('only'))).toEqual(
          described(at('to')).filter((line) => !line.includes('only')),
        )
      }
    })

    it('leaves the folders as they are without preserve', async () => {
      chmodSync(at('to/in'), 0o550)
      chmodSync(at('from/in'), 0o700)
      await copy({ preserve: false })
      expect([modeOf(at('to')), modeOf(at('to/in'))]).toEqual(['755', '550'])
      expect(readFileSync(at('to/in/file'), 'utf8')).toBe('new')
    })

    it('changes nothing when something is in the way', async () => {
      rmSync(at('to/in/ner/file'))
      mkdirSync(at('to/in/ner/file'))
      for (const name of ['to/in/ner', 'to/in', 'to']) chmodSync(at(name), 0o555)
      chmodSync(at('from/in'), 0o700)
      const before = described(at('to'))
      await expect(copy()).rejects.toThrow(CopyError)
      expect(described(at('to'))).toEqual(before)
    })
  })

  it.skipIf(!isRoot)(
    titled('leaves a folder of somebody else as it is', isRoot ? undefined : 'only root makes one'),
    async () => {
      chownSync(at('to'), 0, 0)
      chmodSync(at('to'), 0o777)
      await gateway.put(at('from'), at('to'))
      expect(modeOf(at('to'))).toBe('777')
      expect(readFileSync(at('to/in/ner/file'), 'utf8')).toBe('new')
    },
  )
})
