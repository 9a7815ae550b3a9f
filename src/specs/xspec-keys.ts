/**
 * The keys of an xspec. A row is all there is to add: `XSpec` has a typed property for every row, named like
 * the key in camelCase. Here a key is only read; one that no gateway kind opens is refused by `makeGateway`.
 */
import { XSpecError } from '../errors.js'
import { nearestWord } from './nearest-word.js'
import { checkCharacters, decodeText, type Segment, shownText } from './xspec-text.js'

const keyRows = {
  popen: { takes: 'nothing', summary: 'a Python started on this machine' },
  ssh: {
    takes: 'text: words',
    names: 'host',
    summary: 'a host, reached as `ssh HOST` reaches it; options of ssh may come before it',
  },
  socket: {
    takes: 'text or nothing',
    names: 'host',
    summary: 'the HOST:PORT of a socket server; none is needed where `installvia=` starts it',
  },
  ws: { takes: 'text', names: 'host', summary: 'the URL of a WebSocket server' },
  vagrant_ssh: {
    takes: 'text',
    names: 'machine',
    summary: 'a Vagrant machine, reached with the ssh settings that vagrant tells',
  },
  command: {
    takes: 'text: words',
    summary: 'a command whose stdin and stdout reach a Python; `{python}` in it is what starts that',
  },
  docker: {
    takes: 'text: words',
    names: 'container',
    summary: 'a running container; options of `docker exec` may come before it',
  },
  podman: {
    takes: 'text: words',
    names: 'container',
    summary: 'a running container; options of `podman exec` may come before it',
  },
  kubectl: {
    takes: 'text: words',
    names: 'pod',
    summary: 'a running pod; options of `kubectl exec` may come before it',
  },
  namespace: { takes: 'text', names: 'namespace', summary: 'the namespace of the pod' },
  container: { takes: 'text', names: 'container', summary: 'the container of the pod; its first one when absent' },
  context: { takes: 'text', summary: 'the context of the kubectl configuration' },
  chroot: {
    takes: 'text: words',
    summary: 'a directory that becomes the root; options of `chroot` may come before it',
  },
  sudo: { takes: 'text', names: 'user', summary: 'the user to be on the same machine, by sudo' },
  su: { takes: 'text', names: 'user', summary: 'the user to be on the same machine, by su' },
  slurm: { takes: 'text', names: 'partition', summary: 'a partition of a Slurm cluster, which grants the node' },
  nodes: { takes: 'integer', summary: 'over how many nodes Slurm is to spread gateways; as it sees fit when absent' },
  time: {
    takes: 'duration',
    summary: "for how long Slurm is to grant them: 10m, 12h; the partition's limit when absent",
  },
  slurm_options: { takes: 'text: words', summary: 'further options of salloc, such as `--mem=2G --account=lab`' },
  home: { takes: 'text', summary: 'a worker that has come by itself, and from where; `listen` makes these' },
  via: { takes: 'text', names: 'id', summary: 'the id of the gateway that opens this one' },
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
  installvia: { takes: 'text', names: 'id', summary: 'the id of the gateway that starts the socket server' },
  engine: { takes: ['ssh2', 'openssh'], summary: 'who speaks SSH; ssh2, or openssh where only that can, when absent' },
  ssh_config: { takes: 'text', summary: 'the ssh configuration file to read' },
  id: { takes: 'text', names: 'id', summary: 'the name of the gateway; gw0, gw1, … when absent' },
  python: { takes: 'text: words', summary: 'the interpreter and its arguments, quoted as for a shell' },
  chdir: { takes: 'text', summary: 'the directory to work in, created when it is missing' },
  nice: { takes: 'integer', summary: 'what to add to the niceness of the worker' },
  execmodel: {
    takes: ['thread', 'main_thread_only'],
    summary: 'whether tasks beside each other have threads, or all, calls too, is on the main one',
  },
  threads: { takes: 'integer', summary: 'how many calls run beside each other; one after the other when absent' },
  dont_write_bytecode: { takes: 'nothing', summary: 'imports on the other side write no .pyc files' },
  timeout: {
    takes: 'duration',
    summary: 'how long connecting may take: 15s, milliseconds, or Infinity; 15s when absent',
  },
  roots: { takes: 'text: a list', summary: 'folders and wheels of this side to import from, with commas between them' },
  provide: {
    takes: 'text: a list',
    summary: 'packages of this side to send whole and ahead, with commas between them',
  },
  tag: {
    takes: 'text: a list',
    summary: 'labels, with commas between them, for programs that choose among gateways: `gateway.spec.tag`',
  },
  preload: {
    takes: 'text: a list',
    summary: 'modules to import ahead where workers are forked, with commas between them; no kind forks them yet',
  },
} as const

type KeyRows = typeof keyRows

/** What the value of a key is. Words are quoted as for a shell. */
export type Takes =
  | 'nothing'
  | 'text'
  | 'text or nothing'
  | 'text: words'
  | 'text: a list'
  | 'integer'
  | 'duration'
  | readonly string[]

/** A row of the table. */
export interface KeyRow {
  readonly takes: Takes
  /** What its value is a name of; of words, the last one. No name that nobody has checked begins with `-`, or has blanks. */
  readonly names?: string
  readonly summary: string
}

type Value = boolean | number | string | readonly string[] | undefined

type CamelCase<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Key

type ValueOf<Row> = Row extends 'text: a list'
  ? readonly string[] | undefined
  : Row extends readonly (infer Choice)[]
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

/** A word of a command, such as a host or a path. */
export type Word = string | number

type GivenOf<Row> = Row extends readonly (infer Choice)[]
  ? Choice
  : Row extends 'nothing'
    ? boolean
    : Row extends 'integer'
      ? number
      : Row extends 'duration'
        ? number | string
        : Row extends 'text or nothing'
          ? string | true
          : Row extends 'text: words' | 'text: a list'
            ? Word | readonly Word[]
            : Word

/**
 * A spec as an object: one property a key, named as in a text or in camelCase. Values are values, whatever is in them: of a key that takes
 * words, text is one word, and an array is several.
 */
export type XSpecObject = {
  readonly [Key in keyof KeyRows as Key | CamelCase<Key>]?: GivenOf<KeyRows[Key]['takes']> | undefined
} & {
  /** Variables for the interpreter. */
  readonly env?: Readonly<Record<string, Word | undefined>> | undefined
}

/** Every key with what it takes and what it means, for help texts. `env:NAME=value` is beside them. */
export const xspecKeys: ReadonlyMap<string, KeyRow> = new Map<string, KeyRow>(Object.entries(keyRows))

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

/** A spec for people, without the values of variables. */
export function shown(spec: string): string {
  return shownText(spec, (key) => xspecKeys.has(key))
}

/**
 * The row of a key.
 *
 * @param spec - The whole spec, for error texts, as `shown` gives it.
 * @throws {@link XSpecError} when there is none; it names the nearest one.
 */
export function rowOf(key: string, spec: string): KeyRow {
  const row = xspecKeys.get(key)
  if (row === undefined) throw new XSpecError(`unknown key "${key}" in "${spec}"; ${suggestionFor(key)}`)
  return row
}

/**
 * Reads a part of a spec that is not about a variable.
 *
 * @param spec - The whole spec, for error texts, as `shown` gives it.
 * @throws {@link XSpecError} for a key that there is not, and for a value that the key does not take.
 */
export function readValue({ key, value, isEncoded }: Segment, spec: string): Value {
  const { takes } = rowOf(key, spec)
  if (takes === 'nothing') {
    if (value !== undefined || isEncoded) throw new XSpecError(`"${key}" takes no value in "${spec}"; write "${key}"`)
    return true
  }
  if (takes === 'text or nothing' && value === undefined && !isEncoded) return ''
  if (!value) throw new XSpecError(`"${key}" has no value in "${spec}"; write "${key}=…"`)
  if (takes === 'text: a list')
    return readMembers(value, isEncoded).map((member) => decoded(key, member, isEncoded, spec))
  const text = decoded(key, value, isEncoded, spec)
  if (takes === 'text' || takes === 'text or nothing' || takes === 'text: words') return text
  const [read, expected] = readers(takes, text)
  if (read === undefined) throw new XSpecError(`"${key}" must be ${expected}, not "${text}", in "${spec}"`)
  return read
}

/**
 * Reads what may be percent-encoded.
 *
 * @throws {@link XSpecError} when it is to be and is not, and for characters that no command takes. The text is not in the error.
 */
export function decoded(key: string, text: string, isEncoded: boolean, spec: string): string {
  if (!isEncoded) return text
  const value = decodeText(text)
  if (value === undefined) throw new XSpecError(`"${key}*" is not percent-encoded UTF-8 in "${spec}"`)
  checkCharacters(value, `"${key}*" in "${spec}"`)
  return value
}

/** @throws {@link XSpecError} for what a program could take for an option, or a shell for two words. */
export function checkName(key: string, name: string, noun: string, spec: string): void {
  if (name !== '' && !/^-|[\s\p{Cc}]/u.test(name)) return
  throw new XSpecError(
    `${JSON.stringify(`${key}=${name}`)} names no ${noun}: a name does not begin with "-" and has no blanks, in "${spec}"`,
  )
}

function readMembers(text: string, isEncoded: boolean): string[] {
  const members = text.split(',').map((member) => (isEncoded ? member : member.trim()))
  return members.filter((member) => member !== '')
}

function readers(takes: 'integer' | 'duration' | readonly string[], text: string): [value: Value, expected: string] {
  if (takes === 'integer') return [readInteger(text), 'a whole number']
  if (takes === 'duration') return [readDuration(text), 'a time such as 15s, 500ms or 15000 (milliseconds)']
  return [takes.includes(text) ? text : undefined, takes.join(' or ')]
}

function readInteger(text: string): number | undefined {
  return /^[+-]?\d{1,9}$/.test(text) ? Number(text) : undefined
}

const unitMs: Record<string, number> = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

function readDuration(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?(?:e\+\d+)?|Infinity)(ms|s|m|h)?$/.exec(text) ?? [] // numbers as JavaScript writes them
  const durationMs = Number(amount) * (unitMs[unit] ?? Number.NaN)
  return durationMs > 0 ? durationMs : undefined
}

/** What was meant, in words. */
export function suggestionFor(key: string): string {
  const nearest = nearestWord(key, [...xspecKeys.keys(), 'env:'])
  return nearest === undefined
    ? `the keys are ${[...xspecKeys.keys(), 'env:NAME'].join(', ')}`
    : `did you mean "${nearest}"?`
}
