/**
 * Finds out how the user's own `ssh` would reach a host. ssh itself is asked, and where there is none its files are read
 * here. Fifty gateways to one host ask once.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { HostNotFoundError } from '../../errors.js'
import { ConnectFault } from '../connecting.js'
import { settingsFromFiles } from './config-file.js'
import type { ResolvedHost } from './host.js'
import { resolvedHostFrom } from './resolved-host.js'
import { SharedAnswers } from './shared-answers.js'
import { askSsh } from './ssh-program.js'
import type { SshTarget } from './target.js'
import { localUser } from './tokens.js'

const answers = new SharedAnswers<ResolvedHost>()

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
  const key = JSON.stringify([target.words, target.destination, stampsOf(target), process.cwd(), process.env])
  return answers.get(key, (signal) => find(target, signal), options.signal)
}

async function find(target: SshTarget, signal: AbortSignal): Promise<ResolvedHost> {
  const settings = (await askSsh(target, signal)) ?? (await settingsFromFiles(target))
  const host = await resolvedHostFrom(settings, target)
  const [, name, port] = /^([^:]+):(\d+)$/.exec(host.hostname) ?? []
  if (name === undefined || host.proxyCommand !== undefined) return host
  const message = `"${host.hostname}" is no name of a host. Give the port as ssh takes it: ssh=-p ${port} ${host.destination.replace(/:\d+$/, '')}`
  throw new ConnectFault('resolve', message, (full) => new HostNotFoundError(full, { phase: 'resolve' }))
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
