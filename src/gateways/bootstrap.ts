/**
 * How a bare interpreter becomes a worker (PROTOCOL.md §1): the loader is its `-c` argument and reads the stage, the stage
 * reads and inflates `bootstrap.py` with the early extras and starts it. All of it, the first frames included, is written at once.
 */
import { randomBytes } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { earlyExtras } from './extras.js'
import { readWorkerSource } from './worker-source.js'

/** Bytes that the loader reads, one by one: it must not read what follows them. */
export const STAGE_SIZE = 384

// No quotes, backslash, $, %, !, backtick or newline: sh, csh, fish, cmd and ssh all pass it on unharmed. The empty entry of
// sys.path goes, so that neither an unreadable working directory nor a zlib.py in it can get in the way; setup.py puts it back.
const clean = 'import sys;p=sys.path;p[:]=filter(None,p);'

/** The `-c` argument. It waits with select where it can, because stdin may be non-blocking; on Windows it never is. */
export function loaderLine(platform: string = process.platform): string {
  if (platform === 'win32') return `${clean}import os;exec(bytes().join(os.read(0,1)for i in range(${STAGE_SIZE})))`
  return `${clean}import os,select;exec(bytes().join(select.select([0],[],[])and os.read(0,1)for i in range(${STAGE_SIZE})))`
}

/** The worker as it travels: `bootstrap.py`, then name and source of each early extra, with NULs between them. Made once a process. */
export function deflatedWorker(): Uint8Array {
  // Shorter blocks than usual: codes fit them better.
  worker ??= deflateSync([readCore(), ...earlyExtras().flat()].join('\0'), { level: 9, memLevel: 6 })
  return worker
}

let worker: Uint8Array | undefined

/** `bootstrap.py` as it is sent. */
export function readCore(): string {
  return readWorkerSource(new URL('../../bootstrap.py', import.meta.url))
}

/** How many bytes the loader and the stage read before the first frame. */
export function bootstrapSize(): number {
  return STAGE_SIZE + deflatedWorker().length
}

/** A text that no banner contains by chance: what the worker says first. */
export function makeMarker(): string {
  return randomBytes(16).toString('hex')
}

/** What follows the loader: stage and worker. Frames may follow at once. */
export function bootstrapBytes(marker: string, platform: string = process.platform): Uint8Array[] {
  const deflated = deflatedWorker()
  // One literal: a stage of which only a part has come is no program, rather than a loop that never ends.
  const stage = `exec(r"""import os,select,sys
b=b''
while len(b)<${deflated.length}:
 ${platform === 'win32' ? '' : 'select.select([0],[],[]);'}c=os.read(0,${deflated.length}-len(b))
 if not c:sys.exit('the controller is gone')
 b+=c
import zlib
m=sys.modules['_tendril']=type(sys)('_tendril')
e=zlib.decompress(b).decode('utf-8').split('\\0')
exec(compile(e.pop(0),'<tendril>','exec'),m.__dict__)
m.start('${marker}',e)
""")`
  if (stage.length > STAGE_SIZE) throw new Error(`the stage has ${stage.length} bytes, more than ${STAGE_SIZE}`)
  return [new TextEncoder().encode(stage.padEnd(STAGE_SIZE, '\n')), deflated]
}
