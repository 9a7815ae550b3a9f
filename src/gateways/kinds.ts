/** The kinds of gateway, a line each: a new kind is a file beside `popen.ts` and a line here. */
import { XSpecError } from '../errors.js'
import type { XSpec } from '../specs/xspec.js'
import { xspecKeys } from '../specs/xspec-keys.js'
import type { GatewayKind } from './kind.js'
import { command } from './kinds/command.js'
import { containers } from './kinds/containers.js'
import { su, sudo } from './kinds/other-user.js'
import { popen } from './kinds/popen.js'
import { slurm } from './kinds/slurm/slurm.js'
import { socket } from './kinds/socket/socket.js'
import { ssh, vagrantSsh } from './kinds/ssh/ssh.js'
import { ws } from './kinds/ws.js'

/** All kinds, in the order in which help texts have them. */
export const kinds: readonly GatewayKind[] = [
  popen,
  ssh,
  vagrantSsh,
  socket,
  ws,
  command,
  ...containers,
  sudo,
  su,
  slurm,
]

// Keys of the table that choose a kind, so that a spec can be told what it lacks.
const kindKeys = ['popen', 'ssh', 'vagrant_ssh', 'socket', 'ws', 'home']

/**
 * The kind that a spec asks for.
 *
 * @throws {@link XSpecError} when it asks for none, for two, or for one that there is not.
 */
export function kindOf(spec: XSpec): GatewayKind {
  const [kind, another] = kinds.filter(({ key }) => hasKey(spec, key))
  if (another !== undefined)
    throw new XSpecError(
      `"${spec.shown}" asks for two kinds of gateway, "${kind?.key}" and "${another.key}"; open the first with id=ID, and the second with via=ID`,
    )
  if (kind !== undefined) return kind
  const asked = kindKeys.find((key) => hasKey(spec, key))
  const known = kinds.map(({ key }) => `"${key}"`).join(', ')
  if (asked !== undefined)
    throw new XSpecError(`no gateway of kind "${asked}" can be opened, in "${spec.shown}"; there are ${known}`)
  throw new XSpecError(`no kind of gateway in "${spec.shown}"; begin it with one of ${known}`)
}

function hasKey(spec: XSpec, key: string): boolean {
  if (!xspecKeys.has(key)) return false
  const value: unknown = Reflect.get(
    spec,
    key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
  )
  return value !== undefined && value !== false
}
