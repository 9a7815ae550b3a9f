// What copies leave that could not tidy up: the next one to that place does, unless it may be alive, or somebody else's.
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { titled } from '../testbeds/needs.js'
import { Scratch } from './scratch.js'
import { leave, nobody, noRoot, root, sides, small } from './steps.js'

describe.each(sides)('beside what somebody has left, a copy that is made %s', (_, steps) => {
  let scratch: Scratch
  let prefix = ''
  let owner = ''
  beforeAll(async () => {
    using first = new Scratch()
    await steps.open?.(first)
  })
  afterAll(async () => {
    await steps.close?.()
  })
  beforeEach(async () => {
    scratch = new Scratch()
    chmodSync(scratch.path, 0o1777)
    mkdirSync(scratch.at('outside'))
    writeFileSync(scratch.at('outside/secret'), 'secret', { mode: 0o600 })
    await steps.begin(scratch.at('target'))
    await steps.take(root)
    prefix = staging().slice(0, -24)
    owner = readdirSync(staging()).find((name) => name.startsWith('owner-')) ?? ''
    await steps.discard()
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

  const dead = (): string => owner.replace(/\d+$/, '4194305') // beyond what pids go to
  const elsewhere = (): string => 'owner-0123.4-1'

  function makeLeft(name: string, ownerName: string | undefined): string {
    const path = prefix + name
    mkdirSync(`${path}/copy`, { recursive: true, mode: 0o700 })
    if (ownerName !== undefined) writeFileSync(`${path}/${ownerName}`, '')
    return path
  }

  async function copyTo(): Promise<string[]> {
    await steps.begin(scratch.at('target'))
    for (const item of [root, small('x'), leave]) await steps.take(item)
    await steps.settle()
    await steps.discard()
    return scratch.names.filter((name) => name.startsWith('.tendril-')).map((name) => name.slice(18))
  }

  it('removes what is left of the dead, and of those elsewhere after a week, without following links', async () => {
    symlinkSync(scratch.at('outside'), `${makeLeft('dead', dead())}/copy/link`)
    chmodSync(`${prefix}dead/copy`, 0o555)
    utimesSync(makeLeft('old', elsewhere()), 0, Date.now() / 1000 - 8 * 86_400)
    expect(await copyTo()).toEqual([])
    expectNothingOutside()
  })

  it('leaves alone what may be alive, and what is no copy', async () => {
    makeLeft('alive', owner)
    makeLeft('elsewhere', elsewhere())
    makeLeft('nobody knows', undefined)
    makeLeft('odd', 'owner-')
    writeFileSync(`${prefix}12x-foo`, '')
    symlinkSync('outside', `${prefix}link`)
    expect((await copyTo()).sort()).toEqual(['12x-foo', 'alive', 'elsewhere', 'link', 'nobody knows', 'odd'])
    expectNothingOutside()
  })

  it.skipIf(noRoot)(titled("leaves alone what is somebody else's, or open to others", noRoot), async () => {
    chownSync(makeLeft('theirs', dead()), nobody, nobody)
    chmodSync(makeLeft('open', dead()), 0o755)
    expect((await copyTo()).sort()).toEqual(['open', 'theirs'])
  })

  it('does not empty what takes the place of a folder in it', async () => {
    makeLeft('dead', dead())
    await steps.begin(scratch.at('target'))
    await steps.exchange('copy', scratch.at('moved'), scratch.at('outside'))
    await steps.take(small(''))
    await steps.discard()
    expect(readdirSync(`${prefix}dead`)).toContain('copy')
    expectNothingOutside()
  })
})
