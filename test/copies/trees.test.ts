// Trees come back as they went: names, bytes, permissions, times, links and holes, with every Python.
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { Readable } from 'node:stream'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CopyProgress, type Gateway, Group } from '../../src/index.js'
import { anyInterpreter, chosenInterpreters } from '../interpreters.js'
import { described, Scratch } from './scratch.js'

const GIB = 1024 ** 3

/** A tree with one of everything. */
function makeTree(root: string): void {
  mkdirSync(`${root}/empty`, { recursive: true })
  mkdirSync(`${root}/deep/er/${'x'.repeat(200)}`, { recursive: true })
  writeFileSync(Buffer.concat([Buffer.from(`${root}/deep/`), Buffer.from([0x66, 0xff, 0xfe])]), 'not UTF-8')
  writeFileSync(`${root}/deep/größe 数`, '')
  for (const size of [1, 65_535, 65_536, 65_537, 1_048_576, 3_000_000]) {
    writeFileSync(`${root}/deep/er/${size}`, Buffer.alloc(size, `${size} `))
  }
  writeFileSync(`${root}/run`, '#!/bin/sh\n', { mode: 0o751 })
  symlinkSync('../../../etc', `${root}/out`)
  symlinkSync('nowhere', `${root}/deep/dangling`)
  chmodSync(`${root}/deep/er`, 0o550)
  execFileSync('find', [root, '-exec', 'touch', '-h', '-d', '2001-02-03 04:05:06.123456789', '{}', '+'])
}

describe.each(chosenInterpreters())('with $name', ({ command }) => {
  let group: Group
  let gateway: Gateway
  const scratch = new Scratch()
  beforeAll(async () => {
    group = await Group.open([`popen//python=${command}`])
    gateway = group.get(0)
  })
  afterAll(async () => {
    await group.terminate()
    scratch[Symbol.dispose]()
  })

  it('brings a folder there and back as it was', async () => {
    makeTree(scratch.at('tree'))
    const report = await gateway.put(scratch.at('tree'), scratch.at('there'))
    expect(described(scratch.at('there'))).toEqual(described(scratch.at('tree')))
    expect(await gateway.get(scratch.at('there'), scratch.at('back'))).toEqual(report)
    expect(described(scratch.at('back'))).toEqual(described(scratch.at('tree')))
    expect(report).toEqual({ files: 9, folders: 5, links: 2, bytes: 4_245_204, skipped: [] })
  })

  it('leaves out what is being made in the tree, as a copy into the tree itself is', async () => {
    const staging = `.tendril-0123abcd-${'0123456789ab'.repeat(2)}`
    for (const name of [staging, `${staging}0`, `x${staging}`])
      mkdirSync(scratch.at(`own/x/${name}/copy`), { recursive: true })
    await gateway.put(scratch.at('own'), scratch.at('own/x/put'))
    expect(readdirSync(scratch.at('own/x/put/x')).sort()).toEqual([`${staging}0`, `x${staging}`])
    await gateway.get(scratch.at('own/x'), scratch.at('own/x/got'))
    expect(readdirSync(scratch.at('own/x/got')).sort()).toEqual([`${staging}0`, 'put', `x${staging}`])
  })

  it('gives a copy the permissions of a new file without preserve', async () => {
    writeFileSync(scratch.at('old'), 'text', { mode: 0o640 })
    utimesSync(scratch.at('old'), 0, 1)
    await gateway.put(scratch.at('old'), scratch.at('new'), { preserve: false })
    await gateway.get(scratch.at('old'), scratch.at('new here'), { preserve: false })
    for (const name of ['new', 'new here']) {
      expect(lstatSync(scratch.at(name)).mode & 0o777).toBe(0o640 & ~process.umask())
      expect(lstatSync(scratch.at(name)).mtimeMs).toBeGreaterThan(Date.now() - 60_000)
    }
  })

  it('keeps times from before 1970 and far from now', async () => {
    for (const time of [-5, 99_999_999_999]) {
      execFileSync('touch', ['-d', `@${time}`, scratch.at('timed')])
      const { mtimeMs } = statSync(scratch.at('timed')) // as far as the disk keeps it
      await gateway.put(scratch.at('timed'), scratch.at('timed there'))
      await gateway.get(scratch.at('timed'), scratch.at('timed here'))
      expect(['there', 'here'].map((name) => statSync(scratch.at(`timed ${name}`)).mtimeMs)).toEqual([mtimeMs, mtimeMs])
    }
  })

  it('leaves out what a filter refuses, both ways', async () => {
    const seen: string[] = []
    const filter = ({ path, kind }: { path: string; kind: string }) => {
      seen.push(`${kind} ${path}`)
      return path !== 'deep/er' && kind !== 'link'
    }
    for (const copy of [
      () => gateway.put(scratch.at('tree'), scratch.at('some'), { filter }),
      () => gateway.get(scratch.at('tree'), scratch.at('some here'), { filter }),
    ]) {
      expect(await copy()).toMatchObject({ files: 3, folders: 3, links: 0 })
      expect(seen.splice(0).sort()).toEqual(
        ['file deep/f\ufffd\ufffd', 'file deep/größe 数', 'file run', 'folder deep', 'folder deep/er', 'folder empty']
          .concat('link deep/dangling', 'link out')
          .sort(),
      )
    }
  })
})

describe('a copy', () => {
  let group: Group
  let gateway: Gateway
  const scratch = new Scratch()
  beforeAll(async () => {
    group = await Group.open([`popen//python=${anyInterpreter().command}`])
    gateway = group.get(0)
  })
  afterAll(async () => {
    await group.terminate()
    scratch[Symbol.dispose]()
  })

  it('puts bytes and streams, which become a file', async () => {
    await gateway.put(Buffer.from('secret'), scratch.at('bytes'), { mode: 0o600 })
    expect([readFileSync(scratch.at('bytes'), 'utf8'), statSync(scratch.at('bytes')).mode & 0o777]).toEqual([
      'secret',
      0o600,
    ])
    const report = await gateway.put(
      Readable.from([Buffer.from('a stream '), Buffer.from('of two')]),
      scratch.at('stream'),
    )
    expect([readFileSync(scratch.at('stream'), 'utf8'), report.bytes]).toEqual(['a stream of two', 15])
    await gateway.put(runInNewContext('new Uint8Array(0)'), scratch.at('nothing')) // of another realm
    expect(readFileSync(scratch.at('nothing'), 'utf8')).toBe('')
  })

  it('reads a file as it comes, one that the system makes up too', async () => {
    writeFileSync(scratch.at('long'), Buffer.alloc(2_500_000, 'abc'))
    let bytes = 0
    for await (const chunk of gateway.readFile(scratch.at('long'))) bytes += chunk.length
    expect(bytes).toBe(2_500_000)
    const chunks: Uint8Array[] = []
    for await (const chunk of gateway.readFile('/proc/self/status')) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toContain('VmRSS')
    for await (const chunk of gateway.readFile('/proc/self/status')) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    await expect(gateway.readFile(scratch.path).next()).rejects.toMatchObject({ code: 'ERR_COPY', reason: 'EISDIR' })
    await expect(gateway.readFile(scratch.at('none')).next()).rejects.toMatchObject({
      reason: 'ENOENT',
      gatewayId: 'gw0',
    })
  })

  // In memory, where holes are read as fast as they can be.
  it('keeps holes, and offsets beyond 4 GiB', async () => {
    using memory = new Scratch('/dev/shm')
    const file = openSync(memory.at('huge'), 'w')
    writeSync(file, 'begin')
    writeSync(file, 'middle', Math.floor(4.1 * GIB))
    truncateSync(memory.at('huge'), Math.floor(4.2 * GIB))
    await gateway.put(memory.at('huge'), memory.at('there'))
    await gateway.get(memory.at('there'), memory.at('back'))
    for (const name of ['there', 'back']) {
      const { size, blocks } = statSync(memory.at(name))
      expect({ size, isSparse: blocks * 512 < 8 * 1024 ** 2 }).toEqual({ size: Math.floor(4.2 * GIB), isSparse: true })
      const bytes = Buffer.alloc(8)
      readSync(openSync(memory.at(name), 'r'), bytes, 0, 8, Math.floor(4.1 * GIB) - 1)
      expect(bytes.toString()).toBe('\0middle\0')
    }
  })

  it('fills a folder that is there, and replaces its files', async () => {
    mkdirSync(scratch.at('new/sub'), { recursive: true })
    writeFileSync(scratch.at('new/sub/file'), 'new')
    writeFileSync(scratch.at('new/more'), 'new')
    for (const copy of [
      (target: string) => gateway.put(scratch.at('new'), target),
      (target: string) => gateway.get(scratch.at('new'), target),
    ]) {
      const target = scratch.at(`old${Math.random()}`)
      mkdirSync(`${target}/sub`, { recursive: true })
      writeFileSync(`${target}/sub/file`, 'old')
      writeFileSync(`${target}/sub/kept`, 'old')
      await copy(target)
      const texts = ['more', 'sub/file', 'sub/kept'].map((name) => readFileSync(`${target}/${name}`, 'utf8'))
      expect([texts, readdirSync(target)]).toEqual([
        ['new', 'new', 'old'],
        ['more', 'sub'],
      ])
    }
  })

  it('writes through a link that is named, to what it leads to', async () => {
    writeFileSync(scratch.at('real'), 'old')
    symlinkSync('real', scratch.at('named'))
    await gateway.put(Buffer.from('put'), scratch.at('named'))
    expect([readFileSync(scratch.at('real'), 'utf8'), lstatSync(scratch.at('named')).isSymbolicLink()]).toEqual([
      'put',
      true,
    ])
    await gateway.get(scratch.at('bytes'), scratch.at('named'))
    expect([readFileSync(scratch.at('real'), 'utf8'), lstatSync(scratch.at('named')).isSymbolicLink()]).toEqual([
      'secret',
      true,
    ])
  })

  it('tells how far it is', async () => {
    mkdirSync(scratch.at('watched'))
    writeFileSync(scratch.at('watched/a'), Buffer.alloc(2_000_000, 1))
    writeFileSync(scratch.at('watched/b'), 'b')
    for (const copy of [
      (options: { onProgress: (progress: CopyProgress) => void }) =>
        gateway.put(scratch.at('watched'), scratch.at('watched there'), options),
      (options: { onProgress: (progress: CopyProgress) => void }) =>
        gateway.get(scratch.at('watched'), scratch.at('watched back'), options),
    ]) {
      const told: CopyProgress[] = []
      await copy({ onProgress: (progress) => void told.push(progress) })
      expect(told.at(-1)).toEqual({ path: 'b', bytes: 2_000_001, files: 2, totalBytes: 2_000_001, totalFiles: 2 })
      expect(told.map(({ bytes }) => bytes)).toEqual(told.map(({ bytes }) => bytes).sort((one, other) => one - other))
      expect(told.filter(({ path }) => path === 'a').length).toBeGreaterThan(2)
    }
  })

  it('takes a file that grows as far as it went at the beginning, and one that shrinks as far as it goes', async () => {
    const path = scratch.at('changing')
    writeFileSync(path, Buffer.alloc(40_000_000, 'x'))
    const onGrowing = ({ bytes }: CopyProgress) => {
      if (bytes < 30_000_000) appendFileSync(path, Buffer.alloc(100_000, 'y'))
    }
    expect(await gateway.put(path, scratch.at('grown'), { onProgress: onGrowing })).toMatchObject({ bytes: 40_000_000 })
    expect(statSync(scratch.at('grown')).size).toBe(40_000_000)
    const { size } = statSync(path)
    const onShrinking = ({ bytes }: CopyProgress) => {
      if (bytes > 0) truncateSync(path, 3_000_000)
    }
    const { bytes } = await gateway.get(path, scratch.at('shrunk'), { onProgress: onShrinking })
    expect(statSync(scratch.at('shrunk')).size).toBe(bytes)
    expect(bytes).toBeLessThan(size)
  })

  it('says what vanished before its turn came', async () => {
    for (const copy of [
      (options: { onProgress: () => void }) => gateway.put(scratch.at('vanishing'), scratch.at('rest'), options),
      (options: { onProgress: () => void }) => gateway.get(scratch.at('vanishing'), scratch.at('rest here'), options),
    ]) {
      for (const name of ['a', 'b', 'c/d']) mkdirSync(scratch.at('vanishing', name), { recursive: true })
      writeFileSync(scratch.at('vanishing/a/long'), Buffer.alloc(40_000_000, 'x'))
      writeFileSync(scratch.at('vanishing/b/gone'), 'x')
      const report = await copy({
        onProgress: () => execFileSync('rm', ['-rf', scratch.at('vanishing/b'), scratch.at('vanishing/c')]),
      })
      expect(report).toMatchObject({
        files: 1,
        skipped: [{ path: scratch.at('vanishing/b/gone'), why: 'it vanished' }],
      })
    }
  })

  it('leaves out pipes, sockets and devices, and says so', async () => {
    mkdirSync(scratch.at('odd'))
    execFileSync('mkfifo', [scratch.at('odd/pipe')])
    const skipped = [{ path: scratch.at('odd/pipe'), why: 'it is neither a file, a folder nor a link' }]
    expect(await gateway.put(scratch.at('odd'), scratch.at('odd there'))).toMatchObject({ skipped })
    expect(await gateway.get(scratch.at('odd'), scratch.at('odd here'))).toMatchObject({ skipped })
  })

  it('carries many copies at once', async () => {
    const names = Array.from({ length: 50 }, (_, i) => `many${i}`)
    await Promise.all(names.map((name) => gateway.put(Buffer.from(name), scratch.at(name))))
    await Promise.all(names.map((name) => gateway.get(scratch.at(name), scratch.at(`${name} here`))))
    expect(names.map((name) => readFileSync(scratch.at(`${name} here`), 'utf8'))).toEqual(names)
  })
})
