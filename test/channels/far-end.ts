/** A channel and the far end of it, for tests that need no gateway: what arrives is said here, what was asked is noted. */
import { Channel } from '../../src/channels/channel.js'
import { type RemoteError, remoteErrorFrom } from '../../src/errors.js'
import { Endpoint, type EndpointLink, type OnDone } from '../../src/protocol/endpoint.js'
import { Flag } from '../../src/protocol/frames.js'
import { Held } from '../../src/protocol/held.js'

/** An endpoint whose link notes what is asked of it, and leaves items as they are. */
class NotingEndpoint extends Endpoint {
  readonly #far: FarEnd

  constructor(id: number, link: EndpointLink, far: FarEnd) {
    super(id, link)
    this.#far = far
  }

  override send(item: unknown, wait?: (bytes: number) => OnDone): boolean {
    const { asked, refuse, taken } = this.#far
    asked.push(['send', item])
    if (refuse !== undefined) throw refuse
    if (taken === true) return true
    const onDone = wait?.(1)
    void taken.then((wasTaken) => onDone?.(!wasTaken))
    return false
  }

  override sendEnd(): void {
    if (this.maySend) this.#far.asked.push(['sendEnd'])
    super.sendEnd()
  }

  override close(reason?: string): void {
    if (!this.isClosed) this.#far.asked.push(['close', reason])
    super.close(reason)
  }
}

export class FarEnd {
  readonly channel: Channel<unknown, unknown, string>
  /** What the channel asked of its endpoint, in order. */
  readonly asked: unknown[][] = []
  /** The items whose window has been given back. */
  readonly consumed: unknown[] = []
  /** How many waits keep the process alive now. */
  holds = 0
  /** What a send comes to. */
  taken: true | Promise<boolean> = true
  /** What a send throws, if so. */
  refuse: Error | undefined
  readonly #endpoint: Endpoint

  constructor(id = 1) {
    const link: EndpointLink = {
      held: new Held(Number.POSITIVE_INFINITY),
      maxItemBytes: 1024,
      encode: () => [],
      decode: (payload) => payload,
      gather: () => false,
      sendNow: () => false,
      queue: () => undefined,
      sendCredit: () => undefined,
    }
    this.#endpoint = new NotingEndpoint(id, link, this)
    this.channel = new Channel(this.#endpoint, 'gw0', () => {
      this.holds++
      return () => this.holds--
    })
  }

  /** Items arrive; an Error is one that cannot be decoded. True when the channel took the last of them. */
  deliver(...items: unknown[]): boolean {
    const decode = (item: unknown): unknown => {
      if (item instanceof Error) throw item
      return item
    }
    return (
      items
        .map((item) => this.channel.onItem({ decode: () => decode(item), consume: () => this.consumed.push(item) }))
        .at(-1) ?? false
    )
  }

  /** The peer sends END. */
  end(): void {
    this.#endpoint.onEnd()
  }

  /** The peer closes, with a text as an error. */
  close(text?: string): void {
    this.#endpoint.onClose([], text === undefined ? 0 : Flag.ERROR)
    this.channel.onEnd(text === undefined ? undefined : (): RemoteError => remoteErrorFrom(text, 'gw0'))
  }

  /** The gateway ends, and the channel with it. */
  lose(makeError: () => Error): void {
    this.#endpoint.lose()
    this.channel.onEnd(makeError)
  }
}
