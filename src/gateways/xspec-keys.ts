/**
 * The keys of an xspec. A row is all there is to add: `XSpec` has a typed property for every row, named like
 * the key in camelCase. Here a key is only read; one that no gateway kind opens is refused by `makeGateway`.
 */
import { XSpecError } from '../errors.js'
import { nearestWord } from './nearest-word.js'

const keyRows = {
  popen: { takes: 'nothing', summary: 'a Python started on this machine' },
  ssh: { takes: 'text', summary: 'a host, reached as `ssh HOST` reaches it; options of ssh may come before it' },
  socket: {
    takes: 'text or nothing',
    summary: 'the HOST:PORT of a socket server; none is needed where `installvia=` starts it',
  },
  ws: { takes: 'text', summary: 'the URL of a WebSocket server' },
  vagrant_ssh: { takes: 'text', summary: 'a Vagrant machine, reached with the ssh settings that vagrant tells' },
  command: {
    takes: 'text',
    summary: 'a command whose stdin and stdout reach a Python; `{python}` in it is what starts that',
  },
  docker: { takes: 'text', summary: 'a running container; options of `docker exec` may come before it' },
  podman: { takes: 'text', summary: 'a running container; options of `podman exec` may come before it' },
  kubectl: { takes: 'text', summary: 'a running pod; options of `kubectl exec` may come before it' },
  namespace: { takes: 'text', summary: 'the namespace of the pod' },
  container: { takes: 'text', summary: 'the container of the pod; its first one when absent' },
  context: { takes: 'text', summary: 'the context of the kubectl configuration' },
  chroot: { takes: 'text', summary: 'a directory that becomes the root; options of `chroot` may come before it' },
  sudo: { takes: 'text', summary: 'the user to be on the same machine, by sudo' },
  su: { takes: 'text', summary: 'the user to be on the same machine, by su' },
  slurm: { takes: 'text', summary: 'a partition of a Slurm cluster, which grants the node' },
  nodes: { takes: 'integer', summary: 'over how many nodes Slurm is to spread gateways; as it sees fit when absent' },
  time: {
    takes: 'duration',
    summary: "for how long Slurm is to grant them: 10m, 12h; the partition's limit when absent",
  },
  slurm_options: { takes: 'text', summary: 'further options of salloc, such as `--mem=2G --account=lab`' },
  home: { takes: 'text', summary: 'a worker that has come by itself, and from where; `listen` makes these' },
  via: { takes: 'text', summary: 'the id of the gateway that opens this one' },
  token_file: {
    takes: 'text',
    summary: 'a file with the token of the server; TENDRIL_TOKEN or ~/.config/tendril/token when absent',
  },
  tls: { takes: 'nothing', summary: 'the socket server is spoken to with TLS' },
  ca: { takes: 'text', summary: 'a file with the certificates that may vouch for the server' },
  fingerprint: {
    takes: 'text',
    summary: "the SHA-256 fingerprint of the server's certificate, and no other is trusted",
  },
  insecure: { takes: 'nothing', summary: 'a socket server of execnet, which asks for no token' },
  installvia: { takes: 'text', summary: 'the id of the gateway that starts the socket server' },
  engine: { takes: ['ssh2', 'openssh'], summary: 'who speaks SSH; ssh2, or openssh where only that can, when absent' },
  ssh_config: { takes: 'text', summary: 'the ssh configuration file to read' },
  id: { takes: 'text', summary: 'the name of the gateway; gw0, gw1, … when absent' },
  python: { takes: 'text', summary: 'the interpreter and its arguments, quoted as for a shell' },
  chdir: { takes: 'text', summary: 'the directory to work in, created when it is missing' },
  nice: { takes: 'integer', summary: 'what to add to the niceness of the worker' },
  execmodel: { takes: ['thread', 'main_thread_only'], summary: 'where tasks that run at the same time run' },
  dont_write_bytecode: { takes: 'nothing', summary: 'imports on the other side write no .pyc files' },
  timeout: { takes: 'duration', summary: 'how long connecting may take: 15s, or milliseconds; 15s when absent' },
  roots: { takes: 'text', summary: 'folders and wheels of this side to import from, with commas between them' },
  provide: { takes: 'text', summary: 'packages of this side to send whole and ahead, with commas between them' },
} as const

type KeyRows = typeof keyRows
type Takes = 'nothing' | 'text' | 'text or nothing' | 'integer' | 'duration' | readonly string[]
type Value = boolean | number | string | undefined

type CamelCase<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Key

type ValueOf<Row> = Row extends readonly (infer Choice)[]
  ? Choice | undefined
  : Row extends 'nothing'
    ? boolean
    : Row extends 'integer' | 'duration'
      ? number | undefined
      : string | undefined

/** One property a key, in camelCase: `false` or `undefined` when the spec does not have the key, durations in milliseconds. */
export type XSpecValues = {
  readonly [Key in keyof KeyRows as Exclude<CamelCase<Key>, 'id'>]: ValueOf<KeyRows[Key]['takes']>
}

/** Every key with what it takes and what it means, for help texts. `env:NAME=value` is beside them. */
export const xspecKeys: ReadonlyMap<string, { readonly takes: Takes; readonly summary: string }> = new Map(
  Object.entries(keyRows),
)

/** The property of every key, as it is when the spec does not have that key. */
export function absentValues(): Record<string, Value> {
  return Object.fromEntries(
    [...xspecKeys].map(([key, { takes }]) => [propertyOf(key), takes === 'nothing' ? false : undefined]),
  )
}

/** The name of the property that holds a key's value: `ssh_config` is `sshConfig`. */
export function propertyOf(key: string): string {
  return key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}

/**
 * Reads what stands after `key=`.
 *
 * @param text - The value; `undefined` when the key stands alone.
 * @param spec - The whole spec, for error texts.
 * @throws {@link XSpecError} for a key that there is not, and for a value that the key does not take.
 */
export function readValue(key: string, text: string | undefined, spec: string): Value {
  const row = xspecKeys.get(key)
  if (row === undefined) throw new XSpecError(`unknown key "${key}" in "${spec}"; ${suggestionFor(key)}`)
  if (row.takes === 'nothing') {
    if (text !== undefined) throw new XSpecError(`"${key}" takes no value in "${spec}"; write "${key}"`)
    return true
  }
  if (row.takes === 'text or nothing' && text === undefined) return ''
  if (!text) throw new XSpecError(`"${key}" has no value in "${spec}"; write "${key}=…"`)
  if (row.takes === 'text' || row.takes === 'text or nothing') return text
  const [value, expected] = readers(row.takes, text)
  if (value === undefined) throw new XSpecError(`"${key}" must be ${expected}, not "${text}", in "${spec}"`)
  return value
}

function readers(
  takes: Exclude<Takes, 'nothing' | 'text' | 'text or nothing'>,
  text: string,
): [value: Value, expected: string] {
  if (takes === 'integer') return [readInteger(text), 'a whole number']
  if (takes === 'duration') return [readDuration(text), 'a time such as 15s, 500ms or 15000 (milliseconds)']
  return [takes.includes(text) ? text : undefined, takes.join(' or ')]
}

function readInteger(text: string): number | undefined {
  return /^[+-]?\d{1,9}$/.test(text) ? Number(text) : undefined
}

const unitMs: Record<string, number> = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

// What a timer of JavaScript can wait: 24 days. Beyond that it would fire at once.
const maxDurationMs = 2 ** 31 - 1

function readDuration(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  const durationMs = Number(amount) * (unitMs[unit] ?? Number.NaN)
  return durationMs > 0 && durationMs <= maxDurationMs ? durationMs : undefined
}

function suggestionFor(key: string): string {
  const nearest = nearestWord(key, [...xspecKeys.keys(), 'env:'])
  return nearest === undefined
    ? `the keys are ${[...xspecKeys.keys(), 'env:NAME'].join(', ')}`
    : `did you mean "${nearest}"?`
}
