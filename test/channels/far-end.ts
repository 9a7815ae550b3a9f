/** A channel and the far end that a gateway gives it, for tests that need no gateway: what arrives is said here, what was asked is noted. */
import { Channel } from '../../src/channels/channel.js'
import type { ChannelLink } from '../../src/channels/link.js'
import { type RemoteError, remoteErrorFrom } from '../../src/errors.js'

export class FarEnd {
  readonly channel: Channel<unknown, unknown, string>
  /** What the channel asked of its link, in order. */
  readonly asked: unknown[][] = []
  /** The items whose window has been given back. */
  readonly consumed: unknown[] = []
  /** How many waits keep the process alive now. */
  holds = 0
  /** What a send comes to. */
  taken: true | Promise<boolean> = true

  constructor(id = 1) {
    const note =
      (what: string) =>
      (...args: unknown[]): void =>
        void this.asked.push([what, ...args])
    const link: ChannelLink<string> = {
      gateway: 'gw0',
      send: (item) => {
        note('send')(item)
        return this.taken
      },
      sendEnd: note('sendEnd'),
      unsent: () => 0,
      close: note('close'),
      hold: () => {
        this.holds++
        return () => this.holds--
      },
    }
    this.channel = new Channel(id, link)
  }

  /** Items arrive; an Error is one that cannot be decoded. True when the channel took the last of them. */
  deliver(...items: unknown[]): boolean {
    const decode = (item: unknown): unknown => {
      if (item instanceof Error) throw item
      return item
    }
    return (
      items
        .map((item) => this.channel.deliver({ decode: () => decode(item), consume: () => this.consumed.push(item) }))
        .at(-1) ?? false
    )
  }

  /** The peer sends END. */
  end(): void {
    this.channel.endItems()
  }

  /** The peer closes, with a text as an error. */
  close(text?: string): void {
    this.channel.endSending()
    this.channel.endItems(text === undefined ? undefined : (): RemoteError => remoteErrorFrom(text, 'gw0'))
  }

  /** The gateway ends, and the channel with it. */
  lose(makeError: () => Error): void {
    this.channel.endSending()
    this.channel.endItems(makeError)
  }
}
