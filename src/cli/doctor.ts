/**
 * `tendril doctor`: opens gateways and tells of each how it came to its worker, phase by phase with the times, or where
 * that ended and what to do. All are opened at the same time and told in the order of the specs.
 */
import { Group, type PhaseEvent } from '../index.js'
import { interrupted, notConnected } from './exit-codes.js'
import { endOnInterrupt } from './interruption.js'
import { Screen } from './screen.js'
import { specsOf } from './specs.js'
import { terminalPrompt } from './terminal.js'
import { Visit } from './visit.js'

/** Resolves to the exit code: 0 when all came to life. */
export async function doctor(texts: readonly string[], options: { readonly json: boolean }): Promise<number> {
  const screen = new Screen()
  const visits = specsOf(texts).map((spec) => new Visit(spec))
  const group = new Group({
    onOutput: ({ gateway, text }) => screen.print('stderr', `[${gateway}] ${text}`),
    onPhase: (event) => visitOf(visits, event)?.onPhase(event),
    prompt: terminalPrompt(screen),
  })
  const interruption = endOnInterrupt(group)
  const print = (line: string): void => {
    if (!interruption.aborted) screen.print('stdout', line)
  }
  try {
    const ends = visits.map((visit) => visit.make((spec) => group.launchGateway(spec)))
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
  const failed = visits.filter(({ error }) => error !== undefined).length
  if (!options.json && visits.length > 1) print(`${visits.length - failed} of ${visits.length} gateways work`)
  return failed === 0 ? 0 : notConnected
}

function visitOf(visits: readonly Visit[], { gateway }: PhaseEvent): Visit | undefined {
  return visits.find(({ spec }) => spec.id === gateway)
}
