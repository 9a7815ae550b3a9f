/**
 * Finds out how the user's own `ssh` would reach a host. ssh itself is asked, and where there is none its files are read
 * here. Fifty gateways to one host ask once.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { XSpecError } from '../../../errors.js'
import { parseHops, type SshTarget } from '../../../specs/ssh-target.js'
import { localUser } from '../../../transports/local-user.js'
import { workingDirectory } from '../../../transports/working-directory.js'
import { settingsFromFiles } from './config-file.js'
import type { ResolvedHost } from './host.js'
import { resolvedHostFrom } from './resolved-host.js'
import { SharedAnswers } from './shared-answers.js'
import { askSsh } from './ssh-program.js'
import { unreachable } from './unreachable.js'

const answers = new SharedAnswers<ResolvedHost>()

// A chain of hosts that each jump through another is a loop long before.
const MAX_HOPS = 16

/**
 * Resolves a host as `ssh` does: configuration files, patterns, tokens, defaults. Nothing is connected to.
 *
 * @param options.signal - Gives up waiting; the work itself ends when nobody waits for it any more.
 * @throws {@link ConnectFault} in phase `resolve` that quotes what is wrong with the configuration.
 */
export function resolveHost(
  target: SshTarget,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ResolvedHost> {
  return resolveBehind(0, target, options.signal)
}

/** @param hops - How many hosts are jumped to from this one. */
function resolveBehind(hops: number, target: SshTarget, signal: AbortSignal | undefined): Promise<ResolvedHost> {
  const key = JSON.stringify([
    hops,
    target.words,
    target.destination,
    stampsOf(target),
    workingDirectory(),
    process.env,
  ])
  return answers.get(key, (ended) => find(target, hops, ended), signal)
}

async function find(target: SshTarget, hops: number, signal: AbortSignal): Promise<ResolvedHost> {
  const settings = (await askSsh(target, signal)) ?? (await settingsFromFiles(target))
  const host = await resolvedHostFrom(settings, target, (names) => {
    if (hops < MAX_HOPS) return resolveBehind(hops + 1, hopOf(names, target), signal)
    throw unreachable('resolve', `the ProxyJump of ${target.destination} leads in a circle`)
  })
  const [, name, port] = /^([^:]+):(\d+)$/.exec(host.hostname) ?? []
  if (name === undefined || host.proxyCommand !== undefined) return host
  throw unreachable(
    'resolve',
    `"${host.hostname}" is no name of a host. Give the port as ssh takes it: ssh=-p ${port} ${host.destination.replace(/:\d+$/, '')}`,
  )
}

function hopOf(names: readonly string[], target: SshTarget): SshTarget {
  try {
    return parseHops(names, target)
  } catch (error) {
    if (!(error instanceof XSpecError)) throw error
    throw unreachable('resolve', `the ProxyJump of ${target.destination} is none: ${error.message}`)
  }
}

/** When the files that ssh reads were last written, and the folders that they may include from. */
function stampsOf(target: SshTarget): (number | undefined)[] {
  const user = join(localUser().home, '.ssh')
  const system = '/etc/ssh'
  const files = [
    join(user, 'config'),
    user,
    join(user, 'config.d'),
    join(system, 'ssh_config'),
    join(system, 'ssh_config.d'),
  ]
  return (target.configFile === undefined ? files : [target.configFile]).map(stampOf)
}

function stampOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.mtimeMs
  } catch {
    return undefined // a folder that is closed to us: ssh will say so, if it matters
  }
}
