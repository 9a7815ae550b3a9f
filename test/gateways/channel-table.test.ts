// Channels that a worker opens and on which nothing comes: what there is of them, and what is known of them when somebody reads a reference to one.
import { describe, expect, it } from 'vitest'
import { Channel } from '../../src/channels/channel.js'
import { EndOfChannelError, GatewayClosedError, ProtocolError } from '../../src/errors.js'
import { ChannelTable } from '../../src/gateways/channel-table.js'
import { Connection } from '../../src/protocol/connection.js'
import { encodeFrame, Flag, Kind } from '../../src/protocol/frames.js'
import { errorOf } from '../failing.js'
import { codec } from '../protocol/pair.js'

const nothing = (): void => undefined

function makeTable(): {
  readonly table: ChannelTable<string>
  readonly connection: Connection
  open(id: number): void
  close(id: number, flags: number): void
} {
  const connection = new Connection(
    {
      onHello: nothing,
      onOpen: (endpoint) => table.addUnclaimed(endpoint),
      onClose: (endpoint, _, isGiven) => table.close(endpoint, undefined, { isEnding: false, isGiven }),
      onDropped: nothing,
      onOutput: nothing,
      onStatus: nothing,
      onOutgoing: nothing,
    },
    codec,
  )
  const table = new ChannelTable('gw0', connection, { report: nothing, keepAlive: () => nothing })
  return {
    table,
    connection,
    open: (id) => connection.receive(encodeFrame(Kind.OPEN, 0, id)),
    close: (id, flags) => connection.receive(encodeFrame(Kind.CLOSE, flags, id)),
  }
}

describe('channels that a worker opens, on which nothing comes', () => {
  it('are none until somebody reads a reference, or something comes', () => {
    const { table, connection, open } = makeTable()
    for (const id of [2, 4]) open(id)
    expect(connection.endpoint(2)?.receiver).not.toBeInstanceOf(Channel)
    expect(connection.endpoint(2)?.receiver).not.toBe(table.referred(2))
    expect(connection.endpoint(2)?.receiver).toBe(table.referred(2))
    connection.receive(encodeFrame(Kind.DATA, 0, 4, Uint8Array.of(1)))
    expect(connection.endpoint(4)?.receiver).toBe(table.referred(4))
  })

  it('have come to a clean end if that came before the gateway’s, and else to that', async () => {
    const { table, open, close } = makeTable()
    for (const id of [2, 4]) open(id)
    close(2, Flag.GIVEN)
    table.endAll(() => new GatewayClosedError('it has ended'))
    expect(await errorOf(table.referred(2).receive())).toBeInstanceOf(EndOfChannelError)
    expect(await errorOf(table.referred(4).receive())).toBeInstanceOf(GatewayClosedError)
  })

  it('are no more than references that wait for somebody', () => {
    const { connection, open, close } = makeTable()
    const openAndClose = (flags: number): void => {
      for (let id = 2; id <= 600_000; id += 2) {
        open(id)
        close(id, flags)
        connection.takeOutgoing(Number.POSITIVE_INFINITY)
      }
    }
    for (let times = 0; times < 1000; times++) {
      open(2)
      close(2, 0)
    }
    expect(() => openAndClose(Flag.GIVEN)).toThrow(ProtocolError)
  })
})
