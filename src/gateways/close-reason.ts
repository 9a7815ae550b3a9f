/** Why the other side closed a channel, or a call failed (PROTOCOL.md §4), read once for all who ask; one that cannot be read is a reason too. */
import { type RemoteFailure, remoteFailureFrom } from '../errors.js'
import { type DecodeOptions, decode, decoder, UNASKED } from '../protocol/codec.js'
import { WINDOW_BYTES } from '../protocol/frames.js'
import type { TooLong } from '../protocol/too-long.js'
import { asError } from '../thrown.js'

/** What is known of the reason that a CLOSE carried. */
export function failureOfClose(reason: Uint8Array | TooLong, gatewayId: string): RemoteFailure {
  try {
    return failureOf(decode(reason, UNASKED), gatewayId)
  } catch (error) {
    const detail = asError(error).message
    return remoteFailureFrom(`it failed, and what with cannot be read: ${detail}`, gatewayId)
  }
}

/** What is known of a failure that has been decoded; its arguments are payloads of their own. */
export function failureOf(reason: unknown, gatewayId: string): RemoteFailure {
  return remoteFailureFrom(reason, gatewayId, payloadReader({ maxMemory: 8 * WINDOW_BYTES }))
}

/**
 * Reads payloads that came in one message: each once, however often the message refers to it. Of one that cannot be read it is said why.
 *
 * @param options - What all of them together may take.
 */
export function payloadReader(options: DecodeOptions): (payload: unknown) => unknown {
  const decode = decoder({ ...options, sharesMemory: true })
  const known = new Map<Uint8Array, unknown>()
  return (payload) => {
    if (!(payload instanceof Uint8Array)) return payload
    if (!known.has(payload))
      known.set(
        payload,
        attempt(() => decode(payload)),
      )
    return known.get(payload)
  }
}

function attempt(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    return `<${asError(error).message}>`
  }
}
