/** Gateways on nodes that Slurm grants: `slurm=main`, `8*slurm=main//nodes=2//time=10m`, `slurm=main//via=login`. */
import type { XSpec } from '../../../specs/xspec.js'
import { setImmediate } from '../../../timer.js'
import type { Connecting } from '../../../transports/connecting.js'
import { openDeferred, type Reached } from '../../../transports/deferred.js'
import type { Origin } from '../../../transports/origin.js'
import { splitWords } from '../../../transports/shell-words.js'
import type { GatewayKind, KindContext } from '../../kind.js'
import { remotePython } from '../../remote-python.js'
import { laterVariables } from '../../variables.js'
import { Allocation } from './allocation.js'
import type { JobRequest } from './job.js'
import { openStep } from './step.js'

export const slurm: GatewayKind = {
  key: 'slurm',
  keys: ['nodes', 'time', 'slurm_options'],
  summary: 'a node that Slurm grants',
  open: (spec, context) => {
    const { command, tried } = remotePython(spec, context.loaderLine)
    const argv = ['/bin/sh', '-c', `exec ${command}`]
    const request = requestOf(spec)
    const transport = openDeferred({
      address: `Slurm partition ${request.partition}`,
      open: (signal) => sitDown(spec, request, argv, context, signal),
    })
    return { transport, tried: ['srun', ...tried], variables: laterVariables(spec.env) }
  },
}

function requestOf(spec: XSpec): JobRequest {
  return {
    partition: spec.slurm ?? '',
    nodes: spec.nodes,
    timeLimitMs: spec.time,
    options: splitWords(spec.slurmOptions ?? ''),
  }
}

async function sitDown(
  spec: XSpec,
  request: JobRequest,
  argv: readonly string[],
  { connecting, origin }: KindContext,
  given: AbortSignal,
): Promise<Reached> {
  const signal = AbortSignal.any([given, connecting.signal])
  const allocation = gathering(origin, request, spec.timeout)
  const seat = await allocation.take(spec.timeout === undefined ? connecting : urgent(connecting), signal)
  connecting.enter('python', spec.python)
  return { transport: openStep(origin, seat, argv), onEnd: seat.release }
}

// Those that still take seats, by where they are asked for and what for.
const gatherings = new WeakMap<Origin, Map<string, Allocation>>()

/** The allocation for all who want the same within one turn of the event loop: `8*slurm=main` is one job. */
function gathering(origin: Origin, request: JobRequest, timeoutMs: number | undefined): Allocation {
  const allocations = gatherings.get(origin) ?? new Map<string, Allocation>()
  gatherings.set(origin, allocations)
  const key = JSON.stringify([request, timeoutMs])
  const known = allocations.get(key)
  if (known !== undefined) return known
  const allocation = new Allocation(origin, request)
  allocations.set(key, allocation)
  setImmediate(() => {
    allocations.delete(key)
    allocation.submit()
  })
  return allocation
}

/** Who gave a time means the queue with it. */
function urgent(connecting: Connecting): Connecting {
  return {
    enter: (...step) => connecting.enter(...step),
    ask: (question) => connecting.ask(question),
    pause: () => () => undefined,
    signal: connecting.signal,
  }
}
