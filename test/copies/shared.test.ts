// Places that several copies go to at once, that cannot take all of a copy, and that no path can name.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { TreeWriter } from '../../src/features/copies/tree-writer.js'
import { CopyError, type Gateway, Group } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter, findInterpreter } from '../interpreters.js'
import { hasNamespaces, titled } from '../testbeds/needs.js'
import { until } from '../waiting.js'
import { Scratch } from './scratch.js'
import { folder, leave, nobody, none, noRoot, root, sides, small } from './steps.js'

const noNamespaces = hasNamespaces ? undefined : 'namespaces need root'
let scratch: Scratch
beforeEach(() => {
  scratch = new Scratch()
})
afterEach(() => scratch[Symbol.dispose]())

function makeTree(name: string, text: string, count: number): void {
  for (let n = 0; n < count; n++) {
    mkdirSync(scratch.at(name, `d${n % 7}`), { recursive: true })
    writeFileSync(scratch.at(name, `d${n % 7}`, `${n}`), text)
  }
}

describe.skipIf(noNamespaces)(titled('copies from two PID namespaces to one place', noNamespaces), () => {
  let group: Group
  beforeAll(async () => {
    using scripts = new Scratch()
    const { command } = anyInterpreter()
    // Otherwise both would have the same pid, which is that of somebody alive in each.
    writeFileSync(scripts.at('later'), `${'/bin/true; '.repeat(20)}${command} "$@"; exit`)
    const apart = 'popen//python=unshare --pid --fork --kill-child --mount-proc'
    group = await Group.open([`${apart} sh ${scripts.at('later')}`, `${apart} ${command}`])
  })
  afterAll(() => group.terminate())

  it('take nothing of one another that is half-made; the later one stays', async () => {
    async function* later() {
      yield Buffer.from('later')
      await until(() => scratch.names.some((name) => name.startsWith('.tendril-')))
      await group.get(1).put(Buffer.from('sooner'), scratch.at('target'))
      expect(readFileSync(scratch.at('target'), 'utf8')).toBe('sooner')
    }
    await group.get(0).put(later(), scratch.at('target'))
    expect([readFileSync(scratch.at('target'), 'utf8'), scratch.names]).toEqual(['later', ['target']])
  })

  it('both bring all of a tree', async () => {
    makeTree('tree', 'text', 100)
    await Promise.all([0, 1].map(async (n) => group.get(n).put(scratch.at('tree'), scratch.at('target'))))
    expect(readdirSync(scratch.at('target'), { recursive: true })).toHaveLength(107)
    expect(scratch.names).toEqual(['target', 'tree'])
  })
})

describe.each(sides)('what is written %s', (_, steps) => {
  beforeAll(async () => {
    using first = new Scratch()
    await steps.open?.(first)
  })
  afterAll(async () => steps.close?.())
  afterEach(async () => steps.end())

  it('fills a folder that appears as it is about to come to its place', async () => {
    await steps.begin(scratch.at('target'))
    for (const item of [root, folder('sub'), small('x'), leave, small('y'), leave]) await steps.take(item)
    await steps.beforeMove(1, scratch.at('target/sub'))
    await steps.settle()
    await steps.discard()
    expect([readdirSync(scratch.at('target'), { recursive: true }).sort(), scratch.names]).toEqual([
      ['sub', 'sub/x', 'y'],
      ['target'],
    ])
  })

  it.each([
    ['555', 0o555],
    ['0', 0],
  ] as const)('fills a folder that another copy, which filled it too, gives its mode %s back', async (_, mode) => {
    mkdirSync(scratch.at('target/sub'), { recursive: true })
    for (const path of [scratch.path, scratch.at('target'), scratch.at('target/sub')]) {
      if (noRoot === undefined) chownSync(path, nobody, nobody)
    }
    await steps.keepOut(scratch.at('target/sub'), mode)
    await steps.begin(scratch.at('target'))
    const closed = ['folder', Buffer.from('inner'), 0o555, 0]
    for (const item of [root, folder('sub'), small('x'), small('y'), closed, leave, leave, leave])
      await steps.take(item)
    await steps.settle()
    await steps.discard()
    await steps.end()
    expect(readdirSync(scratch.at('target/sub')).sort()).toEqual(['inner', 'x', 'y'])
    expect(['', '/inner'].map((name) => lstatSync(scratch.at(`target/sub${name}`)).mode & 0o777)).toEqual([
      0o755, 0o555,
    ])
    expect(scratch.names).toEqual(['target'])
  })

  it('says what is new already when the rest cannot come to its place', async () => {
    mkdirSync(scratch.at('target'))
    await steps.begin(scratch.at('target'))
    for (const item of [root, small('x'), small('y'), leave]) await steps.take(item)
    await steps.beforeMove(2, '')
    await expect(steps.settle()).rejects.toThrow()
    expect(await steps.renewed()).toEqual(readdirSync(scratch.at('target')).map((name) => scratch.at('target', name)))
    expect(readdirSync(scratch.at('target'))).toHaveLength(1)
    await steps.discard()
  })
})

const oldest = findInterpreter('CPython 2.7')
const noOldest = noNamespaces ?? (oldest === undefined ? 'there is no Python 2.7' : undefined)
it.skipIf(noOldest)(titled('refuses a folder that others may write to where there is no /proc', noOldest), async () => {
  writeFileSync(scratch.at('bare'), `umount -l /proc; exec ${oldest?.command} "$@"`)
  await using group = await Group.open([`popen//python=unshare --mount sh ${scratch.at('bare')}`])
  mkdirSync(scratch.at('open'))
  chmodSync(scratch.at('open'), 0o1777)
  makeTree('tree', 'text', 10)
  const error = await errorOf(group.get(0).put(scratch.at('tree'), scratch.at('open/copy')))
  expect(error).toMatchObject({ path: scratch.at('open'), reason: 'EPERM', gatewayId: 'gw0' })
  expect(await group.get(0).put(scratch.at('tree'), scratch.at('copy'))).toMatchObject({ files: 10 })
  expect(readdirSync(scratch.at('open'))).toEqual([])
})

it.each([Infinity, Number.NaN, 'x'])('a file with the time %s is refused', async (time) => {
  const writer = new TreeWriter(scratch.at('target'), true)
  await expect(writer.take(['small', none, 0o644, time, none])).rejects.toMatchObject({ code: 'EPROTO' })
  await writer.discard()
})

describe('a place that cannot take all of a copy', () => {
  let group: Group
  let gateway: Gateway
  beforeAll(async () => {
    group = await Group.open([`popen//python=${anyInterpreter().command}`])
    gateway = group.get(0)
  })
  afterAll(() => group.terminate())

  const ways = ['put', 'get'] as const
  const mounts = [
    ['folder', 'd1', 'EXDEV'],
    ['file', 'd1/1', 'EBUSY'],
  ] as const

  describe.each(ways)('with %s', (way) => {
    it.skipIf(noNamespaces).each(mounts)(
      titled('changes nothing when a %s is a mount point', noNamespaces),
      async (_, name, reason) => {
        makeTree('new', 'new', 20)
        makeTree('old', 'old', 20)
        execFileSync('mount', ['--bind', scratch.at('old', name), scratch.at('old', name)])
        try {
          const error = await errorOf(gateway[way](scratch.at('new'), scratch.at('old')))
          expect(error).toMatchObject({ path: scratch.at('old', name), reason, renewed: [] })
          const texts = readdirSync(scratch.at('old'), { recursive: true, encoding: 'utf8' })
            .filter((each) => lstatSync(scratch.at('old', each)).isFile())
            .map((each) => readFileSync(scratch.at('old', each), 'utf8'))
          expect(new Set(texts)).toEqual(new Set(['old']))
        } finally {
          execFileSync('umount', [scratch.at('old', name)])
        }
      },
    )

    it('changes nothing when a file is immutable', async ({ skip }) => {
      makeTree('new', 'new', 20)
      makeTree('old', 'old', 20)
      if (spawnSync('chattr', ['+i', scratch.at('old/d1/1')]).status !== 0) skip('this disk has no such files')
      try {
        const error = await errorOf(gateway[way](scratch.at('new'), scratch.at('old')))
        expect(error).toMatchObject({ path: scratch.at('old/d1/1'), reason: 'EPERM', renewed: [] })
        expect(readFileSync(scratch.at('old/d2/2'), 'utf8')).toBe('old')
      } finally {
        execFileSync('chattr', ['-i', scratch.at('old/d1/1')])
      }
    })

    it.each(['\0', '\ud800'])('is refused by a path with %j in it', async (odd) => {
      for (const [from, to, where] of [
        [`a${odd}b`, 'c', 'first'],
        ['a', `b${odd}c`, 'second'],
      ] as const) {
        const isHere = (way === 'put') === (where === 'first')
        const error = await errorOf(gateway[way](from, to))
        expect(error).toBeInstanceOf(CopyError)
        expect(error).toMatchObject({ reason: 'EINVAL', gatewayId: isHere ? undefined : 'gw0' })
      }
      await expect(gateway.readFile(`a${odd}b`).next()).rejects.toBeInstanceOf(CopyError)
    })
  })

  it.each([Number.NaN, Infinity, 1.5, -1, 0o10000, '755' as unknown as number])(
    'takes no file of the mode %s',
    async (mode) => {
      await expect(gateway.put(none, scratch.at('x'), { mode })).rejects.toThrow(RangeError)
    },
  )

  it('brings trees that are deeper than paths can be long', async () => {
    const deepen = `
import os, sys
for name in [sys.argv[1]] + ['folder%08d' % n for n in range(300)]:
    os.mkdir(name)
    os.chdir(name)`
    execFileSync('python3', ['-c', deepen, scratch.at('deep')])
    for (const [way, from, to] of [
      ['put', 'deep', 'there'],
      ['get', 'there', 'back'],
    ] as const)
      expect(await gateway[way](scratch.at(from), scratch.at(to))).toMatchObject({ folders: 301 })
    expect(scratch.names).toEqual(['back', 'deep', 'there'])
    execFileSync('rm', ['-rf', ...scratch.names.map((name) => scratch.at(name))])
  })
})
