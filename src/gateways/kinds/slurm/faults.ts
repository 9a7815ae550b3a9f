/** What Slurm's commands say when they grant nothing, in words for people; their own text stays beside them. */
import { AuthenticationError, BootstrapError, HostNotFoundError, type Phase } from '../../../errors.js'
import { ConnectFault } from '../../../transports/connecting.js'
import type { Origin } from '../../../transports/origin.js'
import type { TransportEnd } from '../../../transports/transport.js'

interface Cause {
  readonly says: RegExp
  readonly phase: Phase
  readonly means: string
  /** What to do, without a full stop. */
  readonly advice: string
}

const causes: readonly Cause[] = [
  {
    says: /munge|authentication/i,
    phase: 'authenticate',
    means: 'Slurm cannot tell who asks',
    advice: "Check that munged runs, with the cluster's key, and that the clocks agree",
  },
  {
    says: /DNS SRV|fetch.config|config source|slurm\.conf/i,
    phase: 'connect',
    means: 'nothing says where a Slurm cluster is',
    advice: 'Check /etc/slurm/slurm.conf or SLURM_CONF, or begin on a login node of the cluster (via=)',
  },
  {
    says: /unable to contact|connection (refused|timed out)|socket timed out|no route/i,
    phase: 'connect',
    means: 'the Slurm controller (slurmctld) does not answer',
    advice: 'Check that it runs: scontrol ping',
  },
  {
    says: /has been cancelled/i,
    phase: 'channel',
    means: 'the job was cancelled while it was pending',
    advice: 'Find out by whom: sacct -X -o jobid,state',
  },
  {
    says: /partition/i,
    phase: 'channel',
    means: 'Slurm grants nothing',
    advice: 'Check the slurm= key, which names the partition, and what that has: sinfo',
  },
]

const anyCause: Cause = {
  says: /(?:)/,
  phase: 'channel',
  means: 'Slurm grants nothing',
  advice: 'Check the keys nodes=, time= and slurm_options=, and what the partition has: sinfo',
}

/** Why there is no job. @param said - What salloc wrote to stderr. */
export function refusal(
  { exitCode, error }: TransportEnd,
  said: string,
  { origin, partition }: { readonly origin: Origin; readonly partition: string },
): ConnectFault {
  const where = origin.carrier === undefined ? 'on this machine' : `beside ${origin.carrier}`
  const words = wordsOf(said)
  if (exitCode === 127 || (error !== undefined && words === ''))
    return fault(
      'connect',
      exitCode === 127
        ? `there is no salloc ${where}, so no Slurm cluster can be asked. Install Slurm's commands (slurm-client), or begin on a login node of the cluster: slurm=${partition}//via=ID`
        : `salloc cannot be asked ${where}: ${error?.message ?? ''}`,
    )
  const { phase, means, advice } = causes.find(({ says }) => says.test(words)) ?? anyCause
  return fault(phase, `${means}: salloc says ${JSON.stringify(words)}. ${advice}`)
}

/** srun did not start anything. */
export function notStarted(said: string, place: string): ConnectFault {
  const words = wordsOf(said)
  const saying = words === '' ? 'srun does not say why' : `srun says ${JSON.stringify(words)}`
  return fault('channel', `no worker was started on ${place}: ${saying}. Look at the node: scontrol show node`)
}

/** What they said that went wrong, on one line. */
export function errorsIn(said: string): string {
  return oneLine(said.split('\n').filter((line) => /error:|cancelled|unrecognized|invalid/i.test(line)))
}

/** The same; all of it, when they call nothing an error. */
function wordsOf(said: string): string {
  return errorsIn(said) || oneLine(said.split('\n').filter((line) => line.trim() !== ''))
}

function oneLine(lines: readonly string[]): string {
  const texts = lines.map((line) => line.replace(/^(salloc|srun): (error: )?/, '').trim())
  return [...new Set(texts)].join('; ').slice(-500)
}

function fault(phase: Phase, message: string): ConnectFault {
  return new ConnectFault(phase, message, (full) => {
    if (phase === 'authenticate') return new AuthenticationError(full)
    return phase === 'connect' ? new HostNotFoundError(full, { phase }) : new BootstrapError(full, { phase })
  })
}
