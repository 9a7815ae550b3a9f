/** Copies from this machine to a gateway's. */
import { fileURLToPath } from 'node:url'
import { type BaseGateway, type Channel, ChannelClosedError, isUrl } from '../../core.js'
import { type CopyTask, checkPath, localFault, remoteFault } from './fault.js'
import { ALL_BITS } from './folder.js'
import { within } from './limit.js'
import type { CopyReport, PutOptions } from './options.js'
import { startRemote } from './remote.js'
import { Tally } from './tally.js'
import { contentItems, TreeReader } from './tree-reader.js'

/** What can be put: a path of this machine, or bytes. */
export type PutSource = string | URL | Uint8Array | AsyncIterable<Uint8Array>

/**
 * Copies a file, or a folder with all that is in it, to the machine of a gateway. Links stay links. It is written beside its
 * place under another name, and put there when it is complete; a folder that is there already is filled.
 *
 * @param source - A path; or bytes, or a stream of them, which become a file.
 * @param remotePath - What it is to be called there; relative to the worker's directory, or absolute.
 * @throws {@link CopyError} when a file or folder, on either side, cannot be copied; nothing has changed there then but what it lists as `renewed`.
 * @throws RangeError for a `mode` that no file has.
 * @throws {@link TimeoutError} when it is not done after `timeout` milliseconds, and whatever `signal` is aborted with.
 * @throws {@link GatewayClosedError} when the gateway ends.
 * @example
 * ```ts
 * const folder = await gateway.call('tempfile.mkdtemp')
 * const { bytes } = await putFiles(gateway, Buffer.from('hello'), `${folder}/greeting`)
 * bytes // 5
 * ```
 */
export async function putFiles(
  gateway: BaseGateway,
  source: PutSource,
  remotePath: string,
  options: PutOptions = {},
): Promise<CopyReport> {
  const path = isUrl(source) ? fileURLToPath(source.href) : source
  const intent = `cannot put ${typeof path === 'string' ? path : 'bytes'} on ${gateway.id}`
  const tally = new Tally(options.onProgress)
  const task = { gateway, intent }
  if (typeof path === 'string') checkPath(task, path, true)
  checkPath(task, remotePath, false)
  checkMode(options.mode)
  await within(intent, options, async (signal) => {
    const channel = startRemote(gateway, 'tree_writer.receive', {
      path: remotePath,
      preserve: options.preserve ?? true,
    })
    const stop = (): void => void channel.close()
    signal.addEventListener('abort', stop)
    try {
      const answer = await exchange(channel, itemsOf(task, path, options), tally)
      if (!Array.isArray(answer) || answer[0] !== 'done')
        throw remoteFault(task, Array.isArray(answer) ? answer : noAnswer(remotePath))
    } finally {
      signal.removeEventListener('abort', stop)
      stop()
    }
  })
  return tally.report
}

function checkMode(mode: number | undefined): void {
  if (mode !== undefined && !(Number.isInteger(mode) && mode >= 0 && mode <= ALL_BITS))
    throw new RangeError(`mode takes permissions, such as 0o600, not ${String(mode)}`)
}

/** What a worker of ours never leaves us with. */
function noAnswer(path: string): readonly unknown[] {
  return ['failed', path, 'EPROTO', 'the worker sent an unexpected reply']
}

/** Sends the items; gives the worker's answer, which may come before they have all been sent: a source may have nothing to send for hours. */
async function exchange(channel: Channel, items: AsyncIterable<unknown>, tally: Tally): Promise<unknown> {
  const answer = channel.receive()
  const ifRefused = (error: unknown): Promise<unknown> =>
    error instanceof ChannelClosedError ? answer : Promise.reject(error)
  return Promise.race([sendAll(channel, items, tally).then(() => answer, ifRefused), answer])
}

async function sendAll(channel: Channel, items: AsyncIterable<unknown>, tally: Tally): Promise<void> {
  for await (const item of items) {
    tally.count(item)
    if (!isRemark(item)) await channel.send(item)
  }
}

/** What the worker needs not know. */
function isRemark(item: unknown): boolean {
  return Array.isArray(item) && (item[0] === 'total' || item[0] === 'skipped')
}

async function* itemsOf(
  task: CopyTask,
  source: Exclude<PutSource, URL>,
  { filter, mode, onProgress }: PutOptions,
): AsyncGenerator<unknown> {
  if (typeof source !== 'string') return yield* contentItems(source, mode)
  const reader = new TreeReader(source, filter)
  try {
    yield* reader.items(onProgress !== undefined)
  } catch (error) {
    throw localFault(task, reader, error)
  }
}
