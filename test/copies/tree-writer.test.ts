// Whatever a worker sends, nothing is written outside of the place that was named here.
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TreeWriter } from '../../src/features/copies/tree-writer.js'
import { Scratch } from './scratch.js'

const none = Buffer.alloc(0)
const root = ['folder', none, 0o755, 0]
const small = (name: string) => ['small', Buffer.from(name), 0o644, 0, Buffer.from('planted')]
const link = (name: string, target: string) => ['link', Buffer.from(name), Buffer.from(target)]
const folder = (name: string) => ['folder', Buffer.from(name), 0o755, 0]

let scratch: Scratch
beforeEach(() => {
  scratch = new Scratch()
  mkdirSync(scratch.at('outside'))
})
afterEach(() => scratch[Symbol.dispose]())

/** Writes what a worker may send, as `get` does. */
async function write(items: readonly unknown[]): Promise<void> {
  const writer = new TreeWriter(scratch.at('target'), true)
  try {
    for (const item of items) await writer.take(item)
    await writer.settle()
  } finally {
    await writer.discard()
  }
}

describe('a hostile worker', () => {
  it.each([
    ['a name that leads up', [root, small('../outside/x')]],
    ['the folder above', [root, folder('..'), small('x')]],
    ['the folder itself', [root, folder('.'), small('x')]],
    ['an absolute name', [root, small('/tmp/tendril-planted')]],
    ['a name with an end in it', [root, small('x\0y')]],
    ['no name', [root, small('')]],
    ['a folder where it put a link', [root, link('l', 'outside'), folder('l'), small('x')]],
    ['a file where it put a link', [root, link('l', '../outside/x'), small('l')]],
    ['a file twice', [root, small('x'), small('x')]],
    ['a second root', [small(''), small('')]],
    ['the end of a folder too many', [root, ['leave'], ['leave']]],
    ['a file in a file', [['file', none, 0o644, 0, 5], small('x')]],
    ['bytes of nothing', [Buffer.from('x')]],
    ['a hole that leads back', [['file', none, 0o644, 0, 5], -5]],
    ['a hole beyond all files', [['file', none, 0o644, 0, 5], Number.MAX_SAFE_INTEGER, Buffer.from('x'), null]],
    ['an end amid a file', [['file', none, 0o644, 0, 5]]],
    ['an end amid a folder', [root]],
    ['an end at once', []],
    ['no permissions', [['small', none, 'rwx', 0, none]]],
    ['a name that is text', [root, ['folder', 'x', 0o755, 0]]],
    ['something else', [root, ['bogus', none]]],
    ['nothing known', [{ folder: none }]],
  ])('writes nothing with %s', async (_, items) => {
    await expect(write(items)).rejects.toThrow()
    expect([scratch.names, readdirSync(scratch.at('outside'))]).toEqual([['outside'], []])
  })

  it.each([
    ['in place of an item', ['x\u009b2J'.repeat(2 ** 19)]],
    ['in place of a name', [root, ['folder', 'x\u009b2J'.repeat(2 ** 19), 0o755, 0]]],
    ['as a name', [root, folder(`${'x\u009b2J'.repeat(2 ** 19)}/`)]],
  ])('is quoted in part, and moves no terminal’s cursor: a long text %s', async (_, items) => {
    await expect(write(items)).rejects.toThrow(/^the worker sent \P{Cc}{0,300}, which cannot be$/u)
  })

  it('does not write through links that were there before', async () => {
    mkdirSync(scratch.at('target'))
    symlinkSync('../outside', scratch.at('target/sub'))
    await expect(write([root, folder('sub'), small('x'), ['leave'], ['leave']])).rejects.toMatchObject({
      code: 'ENOTDIR',
    })
    expect(readdirSync(scratch.at('outside'))).toEqual([])
    writeFileSync(scratch.at('outside/kept'), 'kept')
    symlinkSync('../outside/kept', scratch.at('target/x'))
    await write([root, small('x'), ['leave']])
    expect(readFileSync(scratch.at('outside/kept'), 'utf8')).toBe('kept')
  })

  it('changes nothing when one thing of many is in the way', async () => {
    mkdirSync(scratch.at('target/x'), { recursive: true })
    await expect(write([root, small('a'), small('x'), small('z'), ['leave']])).rejects.toMatchObject({ code: 'EISDIR' })
    expect(readdirSync(scratch.at('target'))).toEqual(['x'])
  })

  it('makes no program that runs as its owner', async () => {
    await write([['small', none, 0o6755, 0, Buffer.from('x')]])
    const { mode } = statSync(scratch.at('target'))
    expect(mode & 0o7777).toBe(0o755)
  })
})
