/**
 * `tendril doctor`: opens gateways and tells of each how it came to its worker, phase by phase with the times, or where
 * that ended and what to do. All are opened at the same time and told in the order of the specs.
 */
import { type Gateway, Group, type PhaseEvent, type XSpec } from '../index.js'
import { interrupted, openingCodeOf } from './exit-codes.js'
import { endOnInterrupt } from './interruption.js'
import { Screen } from './screen.js'
import { specsOf } from './specs.js'
import { terminalPrompt } from './terminal.js'
import { Visit } from './visit.js'

/** Resolves to the exit code: 0 when all came to life. */
export async function doctor(
  texts: readonly string[],
  options: { readonly json: boolean; readonly trace: boolean },
): Promise<number> {
  const screen = new Screen()
  const visits = specsOf(texts).map((spec) => new Visit(spec))
  const group = new Group({
    onOutput: ({ gateway, text }) => screen.print('stderr', `[${gateway}] ${text}`),
    onPhase: (event) => visitOf(visits, event)?.onPhase(event),
    prompt: terminalPrompt(screen),
    onTrace: options.trace ? (line) => screen.print('stderr', line) : undefined,
  })
  const interruption = endOnInterrupt(group)
  const print = (line: string): void => {
    if (!interruption.aborted) screen.print('stdout', line)
  }
  try {
    const ends = visits.map((visit) => visit.make((spec) => launchKnown(group, spec)))
    for (const [index, visit] of visits.entries()) {
      if (!options.json) visit.show(print, (status) => screen.setStatus(status))
      await ends[index]
      screen.setStatus('')
      if (options.json) print(JSON.stringify(visit))
    }
  } finally {
    await group.terminate()
  }
  if (interruption.aborted) return interrupted
  const codes = visits.map(({ error }) => (error === undefined ? 0 : openingCodeOf(error)))
  const failed = codes.filter((code) => code > 0).length
  if (!options.json && visits.length > 1) print(`${visits.length - failed} of ${visits.length} gateways work`)
  return Math.max(0, ...codes)
}

/** Launches a gateway whose id is in its spec from now on: phases are told by that. */
function launchKnown(group: Group, spec: XSpec): Gateway {
  group.allocateId(spec)
  return group.launchGateway(spec)
}

function visitOf(visits: readonly Visit[], { gateway }: PhaseEvent): Visit | undefined {
  return visits.find(({ spec }) => spec.id === gateway)
}
