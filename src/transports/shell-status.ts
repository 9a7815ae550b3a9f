/** Programs that start others pass on how those ended as shells do: a signal as the exit code 128 and its number. */
import { constants } from 'node:os'
import type { TransportEnd } from './transport.js'

/** The same end with the signal that its exit code stands for, if it stands for one. */
export function withSignal(end: TransportEnd): TransportEnd {
  const { exitCode = 0, signal } = end
  if (signal !== undefined || exitCode <= 128) return end
  const [name] = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128) ?? []
  return name === undefined ? end : { ...end, signal: name }
}
