// Copies: a long file and many short ones, each way; beside them the same bytes as items of a bare channel, and what the system's own programs take.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Group } from 'tendril'
import { median, timed } from './figures.mjs'

export const COPY_MIB = 256
export const FILES = 2000

const MIB = 1024 * 1024
const ROUNDS = 3

/** Milliseconds of each. */
export function copies(python) {
  return inScratch(async (folder) => {
    const group = new Group()
    try {
      const gateway = await group.makeGateway(`popen//python=${python}`)
      const at = (name) => join(folder, name)
      const sink = gateway.remoteExec('for item in channel: channel.send(len(item)); del item')
      const source = gateway.remoteExec(
        `item = b'x' * ${MIB}\nfor _ in channel:\n    for i in range(${COPY_MIB}): channel.send(item)`,
      )
      const item = Buffer.alloc(MIB, 'x')
      return {
        put: await medianOf(() => gateway.put(at('long'), at('put'))),
        get: await medianOf(() => gateway.get(at('long'), at('got'))),
        filesPut: await medianOf(() => gateway.put(at('files'), at('files put'))),
        filesGet: await medianOf(() => gateway.get(at('files'), at('files got'))),
        channelPut: await medianOf(async () => {
          for (let i = 0; i < COPY_MIB; i++) await sink.send(item)
          for (let i = 0; i < COPY_MIB; i++) await sink.receive()
        }),
        channelGet: await medianOf(async () => {
          await source.send(1)
          for (let i = 0; i < COPY_MIB; i++) await source.receive()
        }),
      }
    } finally {
      await group.terminate()
    }
  })
}

/** `cat` through a pipe, `tar` through a pipe, `cp`. */
export function systemCopies() {
  return inScratch(async (folder) => {
    const sh = (script) => execFileSync('sh', ['-c', script], { cwd: folder })
    return {
      cat: await medianOf(() => sh('cat long | cat > other')),
      tar: await medianOf(() => sh('mkdir -p other-files; tar cf - files | tar xf - -C other-files')),
      cp: await medianOf(() => sh('cp long third')),
    }
  })
}

/** In memory, where there is such a folder: it is the copies that are measured, not the disk. */
async function inScratch(run) {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'tendril-bench-'))
  try {
    writeFileSync(join(folder, 'long'), Buffer.alloc(COPY_MIB * MIB, 'not all zeros'))
    for (let i = 0; i < FILES; i++) {
      const inside = join(folder, 'files', String(i % 50))
      mkdirSync(inside, { recursive: true })
      writeFileSync(join(inside, String(i)), `file ${i}\n`)
    }
    return await run(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function medianOf(run) {
  const figures = []
  for (let i = 0; i < ROUNDS; i++) figures.push(await timed(async () => void (await run())))
  return median(figures)
}
