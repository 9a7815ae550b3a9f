// Exit codes that stand for signals.
import { expect, it } from 'vitest'
import { withSignal } from '../../src/transports/shell-status.js'

it.each([
  [{ exitCode: 137 }, { exitCode: 137, signal: 'SIGKILL' }],
  [{ exitCode: 134 }, { exitCode: 134, signal: 'SIGABRT' }],
  [{ exitCode: 128 }, { exitCode: 128 }],
  [{ exitCode: 255 }, { exitCode: 255 }],
  [{ exitCode: 7 }, { exitCode: 7 }],
  [{ signal: 'SIGTERM' }, { signal: 'SIGTERM' }],
  [{}, {}],
])('reads %j as %j', (end, expected) => {
  expect(withSignal(end)).toEqual(expected)
})
