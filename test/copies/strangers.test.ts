// Other users of a machine, who may write to the folders around a copy, and exchange what is in them between any two of its steps.
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { titled } from '../testbeds/needs.js'
import { Scratch } from './scratch.js'
import { exchange, folder, leave, nobody, none, noRoot, root, sides, small } from './steps.js'

describe.each(sides)('what is written and read %s', (_, steps) => {
  let scratch: Scratch
  beforeAll(async () => {
    using first = new Scratch()
    await steps.open?.(first)
  })
  afterAll(async () => {
    await steps.close?.()
  })
  beforeEach(() => {
    scratch = new Scratch()
    chmodSync(scratch.path, 0o1777)
    mkdirSync(scratch.at('outside'))
    writeFileSync(scratch.at('outside/secret'), 'secret', { mode: 0o600 })
  })
  afterEach(async () => {
    await steps.end()
    scratch[Symbol.dispose]()
  })

  const staging = (): string => scratch.at(scratch.names.find((name) => name.startsWith('.tendril-')) ?? 'none')

  /** That nothing outside has changed. */
  function expectNothingOutside(): void {
    expect([readdirSync(scratch.at('outside')), (lstatSync(scratch.at('outside')).mode & 0o777).toString(8)]).toEqual([
      ['secret'],
      '755',
    ])
    expect(statSync(scratch.at('outside/secret')).mode & 0o777).toBe(0o600)
    expect(readFileSync(scratch.at('outside/secret'), 'utf8')).toBe('secret')
  }

  it('is half-made where nobody else may look, under a name that cannot be foreseen', async () => {
    await steps.begin(scratch.at('target'))
    await steps.take(root)
    expect(staging()).toMatch(/\.tendril-[0-9a-f]{8}-[0-9a-f]{24}$/)
    expect(statSync(staging()).mode & 0o777).toBe(0o700)
    await steps.discard()
    expect(scratch.names).toEqual(['outside'])
  })

  it.each(['moved away', 'exchanged for a link'])('arrives whole when the half-made folder is %s', async (how) => {
    await steps.begin(scratch.at('target'))
    for (const item of [root, folder('sub')]) await steps.take(item)
    const place = staging()
    renameSync(place, scratch.at('moved'))
    if (how !== 'moved away') symlinkSync('outside', place)
    for (const item of [small('secret'), leave, leave]) await steps.take(item)
    await steps.settle()
    await steps.discard()
    expectNothingOutside()
    expect(readFileSync(scratch.at('target/sub/secret'), 'utf8')).toBe('copied')
  })

  it('gives modes and times to what it made, not to what has taken its name', async () => {
    await steps.begin(scratch.at('target'))
    await steps.take(['file', none, 0o666, 0, 6])
    exchange(`${staging()}/copy`, scratch.at('moved'), scratch.at('outside/secret'))
    for (const item of [Buffer.from('copied'), null]) await steps.take(item)
    await steps.discard()
    expectNothingOutside()
    expect(statSync(scratch.at('moved')).mode & 0o777).toBe(0o666)
  })

  it('never goes on in a link that has taken the place of a folder', async () => {
    await steps.begin(scratch.at('target'))
    for (const item of [root, folder('sub')]) await steps.take(item)
    exchange(`${staging()}/copy/sub`, scratch.at('moved'), scratch.at('outside'))
    for (const item of [small('secret'), leave, leave]) await steps.take(item)
    await steps.discard()
    expectNothingOutside()
    expect(readdirSync(scratch.at('moved'))).toEqual(['secret'])
  })

  it.each([
    ['a link', 'outside'],
    ['a folder with something in it', 'outside/'],
  ])('is refused when %s takes the place of the folder that it has just made', async (__, instead) => {
    await steps.begin(scratch.at('target'))
    await steps.exchange('.tendril-', scratch.at('moved'), scratch.at(instead))
    await expect(steps.take(root)).rejects.toThrow()
    await steps.discard()
    if (instead.endsWith('/')) renameSync(staging(), scratch.at('outside'))
    expectNothingOutside()
    expect(scratch.names).not.toContain('target')
  })

  it('does not fill a link that has taken the place of a folder', async () => {
    mkdirSync(scratch.at('target/sub'), { recursive: true })
    await steps.begin(scratch.at('target'))
    for (const item of [root, folder('sub'), small('secret'), leave, leave]) await steps.take(item)
    await steps.exchange('sub', scratch.at('moved'), scratch.at('outside'))
    await expect(steps.settle()).rejects.toThrow()
    await steps.discard()
    expectNothingOutside()
  })

  it('holds nothing of what a link leads to that has taken the place of a folder', async () => {
    mkdirSync(scratch.at('tree/sub'), { recursive: true })
    const told = await steps.read(scratch.at('tree'), scratch.at('moved'), scratch.at('outside'))
    expect(told.map((line) => line.split(',')[0]).sort()).toEqual([
      'done',
      'folder',
      'folder',
      'leave',
      'leave',
      'skipped',
    ])
  })

  it.skipIf(noRoot)(titled("does not follow another user's link where anybody may put one", noRoot), async () => {
    for (const [name, leadsTo] of [
      ['link', 'outside/secret'],
      ['way', 'outside'],
    ] as const) {
      symlinkSync(leadsTo, scratch.at(name))
      lchownSync(scratch.at(name), nobody, nobody)
    }
    for (const target of ['link', 'way/secret', 'way/../outside/secret', 'way/new']) {
      const path = `${scratch.path}/${target}`
      await steps.begin(path)
      await expect(steps.take(small('')), target).rejects.toThrow("another user's")
      await steps.discard()
      await expect(steps.read(path, '', ''), target).rejects.toThrow("another user's")
    }
    expectNothingOutside()
    chmodSync(scratch.path, 0o755) // here only its owner could
    await steps.begin(scratch.at('link'))
    await steps.take(small(''))
    await steps.settle()
    await steps.discard()
    expect(readFileSync(scratch.at('outside/secret'), 'utf8')).toBe('copied')
  })
  it.skipIf(noRoot)(
    titled('does not follow a link that is exchanged whenever one has asked about it', noRoot),
    async () => {
      writeFileSync(scratch.at('fine'), 'fine')
      chownSync(scratch.path, nobody, nobody) // who may exchange what is ours, too
      for (const how of ['written', 'read']) {
        symlinkSync('fine', scratch.at('link'))
        symlinkSync('outside/secret', scratch.at('evil'))
        lchownSync(scratch.at('evil'), nobody, nobody)
        await steps.alternate('link', 'evil')
        await steps.begin(scratch.at('link'))
        const work = how === 'read' ? steps.read(scratch.at('link'), '', '') : steps.take(small(''))
        await expect(work, how).rejects.toThrow("another user's")
        await steps.discard()
        await steps.end()
        for (const name of ['link', 'evil']) rmSync(scratch.at(name))
      }
      expectNothingOutside()
    },
  )
})
