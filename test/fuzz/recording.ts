/** Transcripts of features in use, with real workers. */
import { Group } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'
import { features } from './features.js'
import { record, type Transcript } from './transcript.js'

/** Records features by their names. */
export async function recordAll(names: readonly string[]): Promise<Map<string, Transcript>> {
  const recorded = new Map<string, Transcript>()
  for (const name of names) {
    const { transcript, stop } = record()
    const group = new Group({ onOutput: () => undefined })
    try {
      const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
      const attempt = async (does: (() => unknown) | PromiseLike<unknown>): Promise<unknown> => {
        try {
          return await (typeof does === 'function' ? does() : does)
        } catch {
          return undefined
        }
      }
      await features[name]?.(gateway, attempt, group)
      await group.terminate()
    } finally {
      stop()
    }
    recorded.set(name, transcript)
  }
  return recorded
}
