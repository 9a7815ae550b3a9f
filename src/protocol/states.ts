/**
 * The states of a channel (PROTOCOL.md §4). Every transition is a row here; nothing else may change a state.
 * The table does not know which side we are: both ends run it.
 */
import { ProtocolError } from '../errors.js'

/** Where one end of a channel stands. */
export type ChannelState = 'open' | 'sendEnded' | 'receiveEnded' | 'bothEnded' | 'closing' | 'gone'
/** What can happen to it: frames that arrive, and frames of the same name that we send. */
export type ChannelEvent = 'receiveData' | 'receiveEnd' | 'receiveClose' | 'sendEnd' | 'sendClose'

type Row = Readonly<Partial<Record<ChannelEvent, ChannelState>>>

const table: Readonly<Record<ChannelState, Row>> = {
  open: {
    receiveData: 'open',
    receiveEnd: 'receiveEnded',
    receiveClose: 'gone',
    sendEnd: 'sendEnded',
    sendClose: 'closing',
  },
  sendEnded: { receiveData: 'sendEnded', receiveEnd: 'bothEnded', receiveClose: 'gone', sendClose: 'closing' },
  receiveEnded: { receiveClose: 'gone', sendEnd: 'bothEnded', sendClose: 'closing' },
  bothEnded: { receiveClose: 'gone', sendClose: 'closing' },
  closing: { receiveData: 'closing', receiveEnd: 'closing', receiveClose: 'gone' },
  gone: {},
}

/**
 * The state after an event.
 *
 * @throws {@link ProtocolError} when the table has no row for it.
 */
export function nextState(state: ChannelState, event: ChannelEvent, channel: number): ChannelState {
  const next = table[state][event]
  if (next === undefined) throw new ProtocolError(`channel ${channel} is ${state}: ${event} is not allowed there`)
  return next
}

/** Whether items may still be sent. */
export function maySend(state: ChannelState): boolean {
  return state === 'open' || state === 'receiveEnded'
}
