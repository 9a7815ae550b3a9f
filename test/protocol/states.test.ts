// The table of PROTOCOL.md §4, row by row, read off the page itself.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../src/errors.js'
import { type ChannelEvent, type ChannelState, maySend, nextState } from '../../src/protocol/states.js'

const states = ['open', 'sendEnded', 'receiveEnded', 'bothEnded', 'closing'] as const
const page = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8')
const rows = new Map(
  page
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter(([, state = '']) => (states as readonly string[]).includes(state))
    .map(([, state, , mayDo, data, end, , close]) => [state, { mayDo, data, end, close }]),
)

/** What a cell of the page comes to: the state after the frame, or undefined for an error. */
function stateIn(cell: string | undefined, state: ChannelState): string | undefined {
  if (cell === 'error') return undefined
  return cell?.includes('→') ? cell.split('→').at(-1)?.trim() : state
}

function next(state: ChannelState, event: ChannelEvent): ChannelState | undefined {
  try {
    return nextState(state, event, 1)
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}

describe('a channel', () => {
  it.each(states)('that is %s answers frames as its row of PROTOCOL.md §4 says', (state) => {
    const row = rows.get(state)
    expect(next(state, 'receiveData')).toBe(stateIn(row?.data, state))
    expect(next(state, 'receiveEnd')).toBe(stateIn(row?.end, state))
    expect(next(state, 'receiveClose')).toBe(stateIn(row?.close, state))
  })

  it.each(states)('that is %s may send what its row says', (state) => {
    const { mayDo } = rows.get(state) ?? {}
    expect(maySend(state)).toBe(mayDo === 'all')
    expect(next(state, 'sendEnd') !== undefined).toBe(mayDo === 'all')
    expect(next(state, 'sendClose') !== undefined).toBe(mayDo !== 'nothing')
  })

  it('comes by END and CLOSE to the states that say so', () => {
    expect(nextState('open', 'sendEnd', 1)).toBe('sendEnded')
    expect(nextState('receiveEnded', 'sendEnd', 1)).toBe('bothEnded')
    for (const state of states.slice(0, 4)) expect(nextState(state, 'sendClose', 1)).toBe('closing')
  })

  it('has no way out when it is gone', () => {
    for (const event of ['receiveData', 'receiveEnd', 'receiveClose', 'sendEnd', 'sendClose'] as const) {
      expect(next('gone', event)).toBeUndefined()
    }
  })

  it('is named in the error, with its state and what happened to it', () => {
    const data = (): unknown => nextState('receiveEnded', 'receiveData', 7)
    expect(data).toThrow('channel 7 is receiveEnded: receiveData is not allowed there')
  })
})
