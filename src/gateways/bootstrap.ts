/**
 * How a bare interpreter becomes a worker (PROTOCOL.md §1): the loader is its `-c` argument and reads the stage, the
 * stage reads and inflates `bootstrap.py` and starts it. All of it, the first frames included, is written at once.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { deflateSync } from 'node:zlib'

/** Bytes that the loader reads, one by one: it must not read what follows them. */
export const STAGE_SIZE = 384

// No quotes, backslash, $, %, !, backtick or newline: sh, csh, fish, cmd and ssh all pass it on unharmed. The empty entry of
// sys.path goes, so that neither an unreadable working directory nor a zlib.py in it can get in the way; start() puts it back.
const clean = 'import sys;p=sys.path;p[:]=filter(None,p);'

/** The `-c` argument. It waits with select where it can, because stdin may be non-blocking; on Windows it never is. */
export function loaderLine(platform: string = process.platform): string {
  if (platform === 'win32') return `${clean}import os;exec(bytes().join(os.read(0,1)for i in range(${STAGE_SIZE})))`
  return `${clean}import os,select;exec(bytes().join(select.select([0],[],[])and os.read(0,1)for i in range(${STAGE_SIZE})))`
}

/** The core as it travels; made once a process. */
export function deflatedCore(): Uint8Array {
  core ??= deflateSync(readFileSync(new URL('../../bootstrap.py', import.meta.url)), { level: 9 })
  return core
}

let core: Uint8Array | undefined

/** How many bytes the loader and the stage read before the first frame. */
export function bootstrapSize(): number {
  return STAGE_SIZE + deflatedCore().length
}

/** A text that no banner contains by chance: what the worker says first. */
export function makeMarker(): string {
  return randomBytes(16).toString('hex')
}

/** What follows the loader: stage and core. Frames may follow at once. */
export function bootstrapBytes(marker: string, platform: string = process.platform): Uint8Array[] {
  const deflated = deflatedCore()
  const stage = `import os,select,sys
b=b''
while len(b)<${deflated.length}:
 ${platform === 'win32' ? '' : 'select.select([0],[],[]);'}c=os.read(0,${deflated.length}-len(b))
 if not c:sys.exit('the controller is gone')
 b+=c
import zlib
m=sys.modules['_tendril']=type(sys)('_tendril')
exec(compile(zlib.decompress(b),'<tendril>','exec'),m.__dict__)
m.start('${marker}')
`
  if (stage.length > STAGE_SIZE) throw new Error(`the stage has ${stage.length} bytes, more than ${STAGE_SIZE}`)
  return [new TextEncoder().encode(stage.padEnd(STAGE_SIZE, '\n')), deflated]
}
