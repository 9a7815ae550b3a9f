/** Gateways into containers, pods and chroots: `docker=web`, `podman=web`, `kubectl=web-0//namespace=prod`, `chroot=/srv/root`. A row each. */
import { AuthenticationError, HostNotFoundError, type Phase, XSpecError } from '../../errors.js'
import type { XSpec } from '../../specs/xspec.js'
import { checkName, rowOf } from '../../specs/xspec-keys.js'
import { ConnectFault } from '../../transports/connecting.js'
import { openExplained } from '../../transports/explained.js'
import type { Origin } from '../../transports/origin.js'
import { splitWords } from '../../transports/shell-words.js'
import type { TransportEnd } from '../../transports/transport.js'
import { tellOfZombies } from '../first-process.js'
import { withoutValues } from '../hidden-variables.js'
import type { GatewayKind } from '../kind.js'
import { missingProgram, quoted } from '../program-fault.js'
import { remoteWords } from '../remote-python.js'
import { laterVariables } from '../variables.js'

/** A program that starts what it is given inside of something. */
interface Entrance {
  readonly program: string
  readonly keys?: readonly string[]
  readonly summary: string
  /** What it leads into, in a word. */
  readonly noun: string
  /** Its words, up to those of the interpreter. @param target - The value of its key, in words. */
  argv(target: readonly string[], spec: XSpec): readonly string[]
  readonly refusals: readonly Refusal[]
  /** What it starts is a process beside us, as others are. */
  readonly staysHere?: true
}

/** How it says that it does not lead there. */
interface Refusal {
  readonly says: RegExp
  readonly phase: Phase
  /** What to do, without a full stop. */
  advice(name: string): string
}

const engineRefusals = (program: string): Refusal[] => [
  {
    says: /no such container|no container with name or ID/i,
    phase: 'resolve',
    advice: () => `"${program} ps -a" shows those that there are`,
  },
  {
    says: /is not running|is paused|container state improper/i,
    phase: 'connect',
    advice: (name) => `Start it: ${program} start ${name} (or ${program} unpause ${name})`,
  },
  {
    says: /daemon|cannot connect to podman|permission denied/i,
    phase: 'connect',
    advice: () => `Check that it runs, and that you may use it: ${program} ps`,
  },
]

const kubectlRefusals: Refusal[] = [
  {
    says: /forbidden|unauthorized|must be logged in/i,
    phase: 'authenticate',
    advice: () => 'Check context=, and what that user may do: kubectl auth can-i create pods/exec',
  },
  {
    says: /not found|does not exist|not valid for pod/i,
    phase: 'resolve',
    advice: () => 'Check the name, namespace=, container= and context=: kubectl get pods',
  },
  {
    says: /connection to the server|unable to connect|no configuration|error dialing|no route|completed pod|not running|does not have a host/i,
    phase: 'connect',
    advice: () => 'Check that the cluster answers and that the pod runs: kubectl get pods',
  },
]

const entrances: readonly Entrance[] = [
  {
    program: 'docker',
    summary: 'a running Docker container',
    noun: 'container',
    argv: (target) => ['docker', 'exec', '-i', ...target],
    refusals: engineRefusals('docker'),
  },
  {
    program: 'podman',
    summary: 'a running Podman container',
    noun: 'container',
    argv: (target) => ['podman', 'exec', '-i', ...target],
    refusals: engineRefusals('podman'),
  },
  {
    program: 'kubectl',
    keys: ['namespace', 'container', 'context'],
    summary: 'a container of a running pod',
    noun: 'pod',
    argv: (target, { namespace, container, context }) => [
      'kubectl',
      ...option('--context', context),
      'exec',
      '-i',
      '-q', // or it says on stderr which container it took
      ...option('-n', namespace),
      ...option('-c', container),
      ...target,
      '--',
    ],
    refusals: kubectlRefusals,
  },
  {
    program: 'chroot',
    summary: 'another root directory',
    noun: 'directory',
    argv: (target) => ['chroot', ...target],
    refusals: [
      {
        says: /operation not permitted/i,
        phase: 'connect',
        advice: () => 'Only root may: put sudo=root before it, with via=',
      },
      { says: /cannot change root directory/i, phase: 'resolve', advice: () => 'Check the path' },
    ],
    staysHere: true,
  },
]

function option(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [name, value]
}

/** A kind for every row. */
export const containers: readonly GatewayKind[] = entrances.map((entrance) => ({
  key: entrance.program,
  keys: entrance.keys ?? [],
  summary: entrance.summary,
  open: (spec, { loaderLine, origin, connecting }) => {
    const isWorker = entrance.staysHere === true
    if (isWorker) tellOfZombies(origin)
    const target = targetOf(entrance, spec)
    const name = target.at(-1) ?? ''
    const words = entrance.argv(target, spec)
    const { argv, tried } = remoteWords(spec, loaderLine)
    connecting.enter('connect', `${entrance.noun} ${name}`)
    connecting.enter('python', spec.python)
    let isThere = false
    const transport = openExplained(origin.start({ argv: [...words, ...argv], env: {}, isWorker }), {
      address: `${entrance.program} ${name}`,
      explain: (end, said) =>
        isThere ? undefined : faultOf(entrance, name, origin, { end, said: withoutValues(said, spec.env) }),
    })
    return {
      transport,
      tried: [...words, ...tried],
      variables: laterVariables(spec.env),
      onHello: () => {
        isThere = true
      },
    }
  },
}))

/** What stands behind the key: a name, with options of the program before it. */
function targetOf({ program, noun }: Entrance, spec: XSpec): string[] {
  const value = String(Reflect.get(spec, program))
  const words = splitWords(value)
  const name = words.at(-1)
  if (name === undefined || name === '' || name.startsWith('-'))
    throw new XSpecError(`"${program}=${value}" names no ${noun}; write ${program}=NAME, with options before the name`)
  const { names } = rowOf(program, spec.shown)
  if (names !== undefined) checkName(program, name, names, spec.shown)
  return words
}

// What kubectl writes for whoever develops it, before what it says to its user.
const logLines = /^[EWI]\d{4} .*\n/gm

function faultOf(
  { program, noun, refusals }: Entrance,
  name: string,
  origin: Origin,
  { end, said }: { end: TransportEnd; said: string },
): ConnectFault | undefined {
  const missing = missingProgram(end, {
    program,
    phase: 'connect',
    origin,
    advice: 'Install it, or add its folder to PATH',
  })
  // It has led there when it passes on that something cannot be started.
  const hasEntered = end.exitCode === 126 || end.exitCode === 127 || /exec failed|executable file not found/.test(said)
  const refusal = hasEntered ? undefined : refusals.find(({ says }) => says.test(said))
  if (missing !== undefined || refusal === undefined) return missing
  const { phase, advice } = refusal
  const message = `${program} does not lead into the ${noun} ${JSON.stringify(name)}: it says ${quoted(said.replace(logLines, ''))}. ${advice(name)}`
  return new ConnectFault(phase, message, (full) =>
    phase === 'authenticate' ? new AuthenticationError(full) : new HostNotFoundError(full, { phase }),
  )
}
