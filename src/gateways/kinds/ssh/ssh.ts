/** Gateways to hosts that `ssh` reaches: `ssh=web1`, `ssh=-p 5000 -i key user@host//python=python3.12`, `vagrant_ssh=default`. */
import { statSync } from 'node:fs'
import { parseTarget, type SshTarget } from '../../../specs/ssh-target.js'
import type { XSpec } from '../../../specs/xspec.js'
import { openDeferred } from '../../../transports/deferred.js'
import { here, type Origin } from '../../../transports/origin.js'
import type { GatewayKind, KindContext, Opened } from '../../kind.js'
import { remotePython } from '../../remote-python.js'
import { laterVariables } from '../../variables.js'
import type { SshEngine } from './connection.js'
import type { ResolvedHost } from './host.js'
import { isRefusal, SshHost } from './host-workers.js'
import { resolveHost } from './resolve.js'
import { SpareEnded } from './spare.js'
import { unreachable } from './unreachable.js'
import { vagrantTarget } from './vagrant.js'

export const ssh: GatewayKind = {
  key: 'ssh',
  keys: ['ssh_config', 'engine'],
  summary: 'a host that ssh reaches',
  open: (spec, context) => {
    const target = parseTarget(spec.ssh ?? '', { configFile: spec.sshConfig })
    return openOn(spec, context, target.destination, async () => target)
  },
}

export const vagrantSsh: GatewayKind = {
  key: 'vagrant_ssh',
  keys: ['ssh_config', 'engine'],
  summary: 'a Vagrant machine',
  open: (spec, context) => {
    const machine = spec.vagrantSsh ?? ''
    return openOn(spec, context, machine, (signal) => vagrantTarget(machine, { configFile: spec.sshConfig, signal }))
  },
}

// Connections are shared by whoever sets out from the same place.
const hostsByOrigin = new WeakMap<Origin, Map<string, SshHost>>()

function hostsFrom(origin: Origin): Map<string, SshHost> {
  let hosts = hostsByOrigin.get(origin)
  if (hosts === undefined) {
    hosts = new Map()
    hostsByOrigin.set(origin, hosts)
  }
  return hosts
}

function openOn(
  spec: XSpec,
  { connecting, loaderLine, origin }: KindContext,
  destination: string,
  targetOf: (signal: AbortSignal) => Promise<SshTarget>,
): Opened {
  const { command, tried } = remotePython(spec, loaderLine)
  const { command: bareCommand } = remotePython({ python: spec.python, env: {} }, loaderLine)
  let host: SshHost | undefined
  const transport = openDeferred({
    address: destination,
    open: async (signal) => {
      host ??= await findHost(spec, { connecting, origin }, destination, () => targetOf(signal))
      return host.start({ command, bareCommand, interpreter: spec.python }, connecting)
    },
    mayReopen: (error) => {
      if (error instanceof SpareEnded) return true
      if (!isRefusal(error)) return false
      host?.learnLimit()
      return true
    },
  })
  return { transport, tried: ['ssh', destination, ...tried], variables: laterVariables(spec.env) }
}

async function findHost(
  spec: XSpec,
  { connecting, origin }: Pick<KindContext, 'connecting' | 'origin'>,
  destination: string,
  target: () => Promise<SshTarget>,
): Promise<SshHost> {
  connecting.enter('resolve', destination)
  const resolved = await resolveHost(await target(), { signal: connecting.signal })
  const engine = await engineFor(resolved, spec.engine, origin)
  const hosts = hostsFrom(origin)
  const key = JSON.stringify([engine.name, engine.name === 'openssh' ? resolved : identityOf(resolved)])
  const known = hosts.get(key)
  if (known !== undefined) return known
  const host = new SshHost(resolved, engine, () => {
    if (hosts.get(key) === host) hosts.delete(key)
  })
  hosts.set(key, host)
  return host
}

/** What makes two names of a host the same connection. */
function identityOf({ destination, sshArguments, ...identity }: ResolvedHost): Partial<ResolvedHost> {
  return identity
}

/** ssh2 as far as that goes, unless the user wants one, or only OpenSSH can do what is configured, or a master of the user's is waiting. */
async function engineFor(host: ResolvedHost, wanted: XSpec['engine'], origin: Origin): Promise<SshEngine> {
  const needsOpenSsh = host.needsOpenSsh !== undefined || (origin === here && isSocket(host.controlPath))
  const name = wanted ?? (needsOpenSsh ? 'openssh' : origin === here ? 'either' : 'ssh2')
  if (name === 'either') return (await import('./either-engine.js')).eitherEngine()
  if (name === 'ssh2' && host.forbidsSsh2 !== undefined)
    throw unreachable(
      'connect',
      `${host.destination} is not for ssh2, which would pass over ${host.forbidsSsh2} of your ssh configuration. Leave engine=ssh2 away`,
    )
  if (name === 'ssh2') return (await import('./ssh2-engine.js')).ssh2EngineFrom(origin)
  if (origin === here) return (await import('./openssh-engine.js')).opensshEngine
  throw unreachable(
    'connect',
    `${host.destination} needs the engine openssh${host.needsOpenSsh === undefined ? '' : ` (${host.needsOpenSsh})`}, which sets out from this machine only. Leave via=${origin.carrier} away, or log in with a key that ssh2 can use`,
  )
}

function isSocket(path: string | undefined): boolean {
  return path !== undefined && statSync(path, { throwIfNoEntry: false })?.isSocket() === true
}
