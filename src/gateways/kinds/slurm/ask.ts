/** Asks a command of Slurm something that it knows at once. */
import { Timer } from '../../../timer.js'
import type { Origin } from '../../../transports/origin.js'

// A controller that is busy takes seconds; one that is gone, Slurm's own ten.
const PATIENCE_MS = 5000

/** What a command wrote to stdout; undefined when it failed, or took too long. Nothing is kept alive for it. */
export function ask(origin: Origin, argv: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const transport = origin.start({ argv, env: {} })
    const timer = new Timer(PATIENCE_MS, () => transport.kill('SIGKILL')).unref()
    let said = ''
    transport.start({
      onChunk: (chunk) => {
        said += Buffer.from(chunk).toString('utf8')
      },
      onStderr: () => undefined,
      onDrain: () => undefined,
      onEnd: ({ exitCode }) => {
        timer.stop()
        resolve(exitCode === 0 ? said : undefined)
      },
    })
    transport.keepAlive(false)
    transport.endInput()
  })
}
