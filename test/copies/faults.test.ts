// What goes wrong on either side: an error that names the path, and nothing half-made.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CopyError, type Gateway, GatewayClosedError, Group, TimeoutError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { hasNamespaces, titled } from '../testbeds/needs.js'
import { until } from '../waiting.js'
import { Scratch } from './scratch.js'

const spec = `popen//python=${anyInterpreter().command}`
const noDisk = hasNamespaces ? undefined : 'a disk of its own needs root'

let group: Group
let gateway: Gateway
let scratch: Scratch
beforeAll(async () => {
  group = await Group.open([spec])
  gateway = group.get(0)
})
afterAll(() => group.terminate())
beforeEach(() => {
  scratch = new Scratch()
  writeFileSync(scratch.at('file'), 'text')
  mkdirSync(scratch.at('folder'))
  writeFileSync(scratch.at('folder/file'), 'text')
})
afterEach(() => scratch[Symbol.dispose]())

/** Until the worker has tidied up after a copy that was given up. */
function workerIsIdle(): Promise<void> {
  return until(async () => (await gateway.remoteStatus()).numExecuting === 0)
}

/** Bytes that do not end. */
async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield new Uint8Array(65_536)
}

/** Both ways of a copy; what `put` writes the worker writes. */
const ways = [
  ['put', (from: string, to: string) => gateway.put(from, to)],
  ['get', (from: string, to: string) => gateway.get(from, to)],
] as const

describe.each(ways)('%s', (way, copy) => {
  const readsHere = way === 'put'

  it.each([
    ['what is not there', 'none', 'target', 'none', 'ENOENT', readsHere],
    ['to a folder that is not there', 'file', 'none/target', 'none/target', 'ENOENT', !readsHere],
    ['a file to where a folder is', 'file', 'folder', 'folder', 'EISDIR', !readsHere],
    ['a folder to where a file is', 'folder', 'file', 'file', 'ENOTDIR', !readsHere],
    ['a file to under a file', 'file', 'file/target', 'file/target', 'ENOTDIR', !readsHere],
    ['to too long a name', 'file', 'x'.repeat(300), 'x'.repeat(300), 'ENAMETOOLONG', !readsHere],
  ])('refuses to copy %s, and names it', async (_, from, to, at, reason, isHere) => {
    const error = await errorOf(copy(scratch.at(from), scratch.at(to)))
    expect(error).toBeInstanceOf(CopyError)
    expect(error).toMatchObject({ path: scratch.at(at), reason, gatewayId: isHere ? undefined : 'gw0' })
    expect(String(error)).toContain(`cannot ${way} ${scratch.at(from)}`)
    expect(scratch.names).toEqual(['file', 'folder'])
  })

  it('says so where nobody may write', async () => {
    const error = await errorOf(copy(scratch.at('file'), '/sys/kernel/tendril'))
    expect(error).toMatchObject({ path: '/sys/kernel/tendril', reason: 'EACCES' })
    expect(String(error)).toContain('Check its permissions')
  })

  it('never takes the place of a device', async () => {
    await expect(copy(scratch.at('file'), '/dev/null')).rejects.toMatchObject({ path: '/dev/null', reason: 'EEXIST' })
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
  })

  it.skipIf(noDisk)(titled('leaves nothing on a disk that is full', noDisk), async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', scratch.at('folder')])
    try {
      writeFileSync(scratch.at('file'), Buffer.alloc(3_000_000, 'x'))
      const error = await errorOf(copy(scratch.at('file'), scratch.at('folder/target')))
      expect(error).toMatchObject({ path: scratch.at('folder/target'), reason: 'ENOSPC' })
      expect(readdirSync(scratch.at('folder'))).toEqual([])
    } finally {
      execFileSync('umount', [scratch.at('folder')])
    }
  })

  it.skipIf(noDisk)(titled('leaves nothing on a disk that has one file left', noDisk), async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=2', 'none', scratch.at('folder')])
    try {
      const error = await errorOf(copy(scratch.at('file'), scratch.at('folder/target')))
      expect(error).toMatchObject({ path: scratch.at('folder/target'), reason: 'ENOSPC' })
      expect(readdirSync(scratch.at('folder'))).toEqual([])
    } finally {
      execFileSync('umount', [scratch.at('folder')])
    }
  })

  it('keeps what was there when it fails midway', async () => {
    mkdirSync(scratch.at('new/file'), { recursive: true })
    await expect(copy(scratch.at('new'), scratch.at('folder'))).rejects.toMatchObject({
      path: scratch.at('folder/file'),
    })
    expect(readFileSync(scratch.at('folder/file'), 'utf8')).toBe('text')
    expect(scratch.names).toEqual(['file', 'folder', 'new'])
  })

  it('settles when the worker is killed', async () => {
    await using other = await Group.open([`${spec}//id=doomed`])
    const { pid } = await other.get(0).info()
    const hasBegun = () => scratch.names.some((name) => name.startsWith('.tendril-'))
    const kill = () => hasBegun() && process.kill(pid, 'SIGKILL')
    const copying = readsHere
      ? other.get(0).put(endless(), scratch.at('target'), { onProgress: kill })
      : other.get(0).get(scratch.at('folder'), scratch.at('target'), { filter: kill })
    await expect(copying).rejects.toBeInstanceOf(GatewayClosedError)
    expect(hasBegun()).toBe(readsHere)
    // Who is killed cannot tidy up: the next copy to that place does.
    await copy(scratch.at('file'), scratch.at('target'))
    expect(scratch.names).toEqual(['file', 'folder', 'target'])
  })

  it('leaves nothing when the controller is killed, or the next copy tidies up', async () => {
    const fixture = fileURLToPath(new URL('../fixtures/copies.mjs', import.meta.url))
    const controller = spawn(process.execPath, [fixture, way, scratch.at('folder'), scratch.at('target')])
    const hasBegun = () => scratch.names.some((name) => name.startsWith('.tendril-'))
    await once(controller, 'exit')
    if (!readsHere) {
      expect(hasBegun()).toBe(true)
      await copy(scratch.at('file'), scratch.at('target'))
    }
    await until(() => !hasBegun())
  })
})

describe('a copy that is given up', () => {
  it('stops at its timeout, on both sides', async () => {
    const error = await errorOf(gateway.put(endless(), scratch.at('target'), { timeout: 200 }))
    expect(error).toBeInstanceOf(TimeoutError)
    await workerIsIdle()
    expect(scratch.names).toEqual(['file', 'folder'])
    execFileSync('truncate', ['-s', '4G', scratch.at('long')])
    const onProgress = () => undefined
    await expect(
      gateway.get(scratch.at('long'), scratch.at('target'), { timeout: 0, onProgress }),
    ).rejects.toBeInstanceOf(TimeoutError)
    expect(scratch.names).toEqual(['file', 'folder', 'long'])
  })

  it('stops with the reason of its signal', async () => {
    const before = AbortSignal.abort(new Error('never mind'))
    await expect(gateway.put(scratch.at('file'), scratch.at('target'), { signal: before })).rejects.toThrow(
      'never mind',
    )
    const controller = new AbortController()
    const hasBegun = () => scratch.names.some((name) => name.startsWith('.tendril-'))
    const onProgress = () => hasBegun() && controller.abort(new Error('enough')) // what begins later ends later
    await expect(
      gateway.put(endless(), scratch.at('target'), { signal: controller.signal, onProgress }),
    ).rejects.toThrow('enough')
    await workerIsIdle()
    expect(scratch.names).toEqual(['file', 'folder'])
  })

  it('rejects with what a callback or a source throws', async () => {
    const fail = (): never => {
      throw new Error('not mine')
    }
    await expect(gateway.put(scratch.at('folder'), scratch.at('target'), { filter: fail })).rejects.toThrow('not mine')
    await expect(gateway.get(scratch.at('folder'), scratch.at('target'), { filter: fail })).rejects.toThrow('not mine')
    await expect(gateway.get(scratch.at('file'), scratch.at('target'), { onProgress: fail })).rejects.toThrow(
      'not mine',
    )
    async function* failing() {
      yield Buffer.from('x')
      fail()
    }
    await expect(gateway.put(failing(), scratch.at('target'))).rejects.toThrow('not mine')
    await workerIsIdle()
    expect(scratch.names).toEqual(['file', 'folder'])
  })

  it('ends at once when the worker refuses what a slow source would still send', async () => {
    const never = new Promise<never>(() => undefined)
    async function* slow() {
      yield Buffer.from('x')
      await never
    }
    await expect(gateway.put(slow(), scratch.at('folder'))).rejects.toMatchObject({ reason: 'EISDIR' })
  })

  it('refuses a timeout that is none', async () => {
    await expect(gateway.put(scratch.at('file'), scratch.at('x'), { timeout: -1 })).rejects.toBeInstanceOf(RangeError)
  })
})
