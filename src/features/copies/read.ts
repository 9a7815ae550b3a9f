/** The bytes of a file on a gateway's machine, as a stream. */
import type { WaitOptions } from '../../core.js'
import { type BaseGateway, CopyError } from '../../core.js'
import { checkPath, remoteFault } from './fault.js'
import { startRemote } from './remote.js'
import { CHUNK_BYTES } from './tree-reader.js'

/**
 * Reads a file of a gateway's machine, a chunk after the other: nothing is kept, and leaving the loop ends the reading.
 *
 * @param options - For each wait for a chunk.
 * @throws {@link CopyError} when it cannot be read, or is no file; what came before is part of it.
 * @example
 * ```ts
 * let text = ''
 * for await (const chunk of readRemoteFile(gateway, '/proc/version')) text += Buffer.from(chunk).toString()
 * text.split(' ')[0] // 'Linux'
 * ```
 */
export async function* readRemoteFile(
  gateway: BaseGateway,
  remotePath: string,
  options: WaitOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const intent = `cannot read ${remotePath} on ${gateway.id}`
  checkPath({ gateway, intent }, remotePath, false)
  const channel = startRemote(gateway, 'tree_reader.send', { path: remotePath, asks: false, measures: false })
  try {
    for (let item = await channel.receive(options); ; item = await channel.receive(options)) {
      if (item instanceof Uint8Array) yield item
      else if (typeof item === 'number') yield* zeros(item)
      const [what, ...details] = Array.isArray(item) ? (item as readonly unknown[]) : []
      if (what === 'done') return
      if (what === 'failed') throw remoteFault({ gateway, intent }, [what, ...details])
      if (what === 'folder') {
        const where = { path: remotePath, reason: 'EISDIR', gatewayId: gateway.id }
        throw new CopyError(`${intent}: it is a folder (EISDIR). Name a file in it, or get it.`, where)
      }
      if (what === 'small' && details[3] instanceof Uint8Array) yield details[3]
    }
  } finally {
    await channel.close()
  }
}

function* zeros(size: number): Generator<Uint8Array> {
  for (let at = 0; at < size; at += CHUNK_BYTES) yield new Uint8Array(Math.min(CHUNK_BYTES, size - at))
}
