/** Copies from a gateway's machine to this one. */
import { fileURLToPath } from 'node:url'
import { type BaseGateway, type Channel, isUrl } from '../../core.js'
import { checkPath, localFault, remoteFault } from './fault.js'
import { within } from './limit.js'
import type { CopyOptions, CopyReport } from './options.js'
import { startRemote } from './remote.js'
import { sizeOf, Tally, textOf } from './tally.js'
import { TreeWriter } from './tree-writer.js'

/**
 * Copies a file, or a folder with all that is in it, from the machine of a gateway to this one. Links stay links. It is written
 * beside its place under another name, and put there when it is complete; a folder that is there already is filled. Whatever
 * the worker sends, nothing is written outside of that place.
 *
 * @param remotePath - Relative to the worker's directory, or absolute.
 * @param localPath - What it is to be called here.
 * @throws {@link CopyError} when a file or folder, on either side, cannot be copied; nothing has changed here then but what it lists as `renewed`.
 * @throws {@link TimeoutError} when it is not done after `timeout` milliseconds, and whatever `signal` is aborted with.
 * @throws {@link GatewayClosedError} when the gateway ends.
 */
export async function getFiles(
  gateway: BaseGateway,
  remotePath: string,
  localPath: string | URL,
  options: CopyOptions = {},
): Promise<CopyReport> {
  const task = { gateway, intent: `cannot get ${remotePath} from ${gateway.id}` }
  const path = isUrl(localPath) ? fileURLToPath(localPath.href) : localPath
  checkPath(task, remotePath, false)
  checkPath(task, path, true)
  const writer = new TreeWriter(path, options.preserve ?? true)
  const tally = new Tally(options.onProgress)
  await within(task.intent, options, async (signal) => {
    const asks = options.filter !== undefined
    const measures = options.onProgress !== undefined
    const channel = startRemote(gateway, 'tree_reader.send', { path: remotePath, asks, measures })
    try {
      for (let item = await channel.receive({ signal }); ; item = await channel.receive({ signal })) {
        const [what, ...details] = Array.isArray(item) ? (item as readonly unknown[]) : []
        if (what === 'done') break
        if (what === 'failed') throw remoteFault(task, [what, ...details])
        if (what === 'ask') await answer(channel, details, options.filter)
        else if (what !== 'total' && what !== 'skipped') await writer.take(item)
        tally.count(item)
      }
      signal.throwIfAborted()
      await writer.settle()
    } catch (error) {
      throw localFault(task, writer, error)
    } finally {
      await channel.close()
      await writer.discard()
    }
  })
  return tally.report
}

async function answer(
  channel: Channel,
  [folder, entries]: readonly unknown[],
  filter: CopyOptions['filter'],
): Promise<void> {
  const inside = textOf(folder)
  const answers = (Array.isArray(entries) ? entries : []).map((entry: unknown) => {
    const [name, kind, size] = Array.isArray(entry) ? (entry as readonly unknown[]) : []
    const path = inside === '' ? textOf(name) : `${inside}/${textOf(name)}`
    return filter?.({ path, kind: kind === 'folder' || kind === 'link' ? kind : 'file', size: sizeOf(size) }) !== false
  })
  await channel.send(answers)
}
