/** The items of a channel that ends by itself, within a time. */
import {
  type BaseGateway,
  type Channel,
  checkWait,
  EndOfChannelError,
  monotonicMs,
  type WaitOptions,
} from '../../core.js'

/** Takes all items; whatever ends it, the channel is closed then. */
export async function collect<R>(channel: Channel<R, unknown, BaseGateway>, options: WaitOptions): Promise<R[]> {
  const items: R[] = []
  try {
    checkWait(options)
    const end = options.timeout === undefined ? undefined : monotonicMs() + options.timeout
    while (true) {
      const timeout = end === undefined ? undefined : Math.max(end - monotonicMs(), 0)
      items.push(await channel.receive({ signal: options.signal, timeout }))
    }
  } catch (error) {
    if (error instanceof EndOfChannelError) return items
    throw error
  } finally {
    void channel.close()
  }
}
