/** The kinds of gateway, a line each: a new kind is a file or a folder in `kinds` and a line here. */
import { XSpecError } from '../errors.js'
import { nearestWord } from '../specs/nearest-word.js'
import type { XSpec } from '../specs/xspec.js'
import { propertyOf, xspecKeys } from '../specs/xspec-keys.js'
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

/**
 * The kind that a spec asks for.
 *
 * @throws {@link XSpecError} when it asks for none, for two, or for one that there is not, and when it has a key that is about other kinds.
 */
export function kindOf(spec: XSpec): GatewayKind {
  const [kind, another] = kinds.filter(({ key }) => hasKey(spec, key))
  if (another !== undefined)
    throw new XSpecError(
      `"${spec.shown}" asks for two kinds of gateway, "${kind?.key}" and "${another.key}"; open the first with id=ID, and the second with via=ID`,
    )
  if (kind !== undefined) return checked(spec, kind)
  const known = kinds.map(({ key }) => `"${key}"`).join(', ')
  if (spec.home !== undefined)
    throw new XSpecError(`no gateway of kind "home" can be opened, in "${spec.shown}"; there are ${known}`)
  throw new XSpecError(`no kind of gateway in "${spec.shown}"; begin it with one of ${known}`)
}

/** The kind, when the spec has no key that is about others only. */
function checked(spec: XSpec, kind: GatewayKind): GatewayKind {
  const foreign = [...xspecKeys.keys()].find(
    (key) => hasKey(spec, key) && !kind.keys.includes(key) && kinds.some(({ keys }) => keys.includes(key)),
  )
  if (foreign === undefined) return kind
  const owners = kinds.filter(({ keys }) => keys.includes(foreign)).map(({ key }) => `"${key}"`)
  const nearest = nearestWord(foreign, kind.keys)
  const meant = nearest === undefined ? 'leave it out' : `did you mean "${nearest}"?`
  throw new XSpecError(
    `"${foreign}" in "${spec.shown}" is about gateways of kind ${owners.join(', ')}, not "${kind.key}"; ${meant}`,
  )
}

function hasKey(spec: XSpec, key: string): boolean {
  if (!xspecKeys.has(key)) return false
  const value: unknown = Reflect.get(spec, propertyOf(key))
  return value !== undefined && value !== false
}
