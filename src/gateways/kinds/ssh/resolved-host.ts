/** Makes a `ResolvedHost` of settings, whoever found them out: defaults filled in, files looked for, reasons for OpenSSH named. */
import type { SshTarget } from '../../../specs/ssh-target.js'
import { environmentForOthers } from '../../../transports/environment.js'
import { expandTilde, localUser } from '../../../transports/local-user.js'
import { resolveHere } from '../../../transports/working-directory.js'
import { algorithmsFrom, ciphers, hostKeyAlgorithms, kexAlgorithms, macs } from './algorithms.js'
import type { HostKeyChecking, ResolvedHost } from './host.js'
import { areDefaults, certificatesFor, defaultIdentityFiles, lookAtIdentities } from './key-files.js'
import { matchesPattern } from './known-hosts-file.js'
import { reasonAgainstSsh2, reasonForOpenSsh } from './needs-openssh.js'
import { count, flag, type Settings, text, texts } from './settings.js'
import { expandPath, expandTokens, type TokenValues } from './tokens.js'

/**
 * Describes the host that settings are about.
 *
 * @param resolveJump - Resolves the last of the hops of ProxyJump.
 */
export async function resolvedHostFrom(
  settings: Settings,
  target: SshTarget,
  resolveJump: (hops: readonly string[]) => Promise<ResolvedHost>,
): Promise<ResolvedHost> {
  const values = tokenValuesOf(settings, target)
  const identities = await lookAtIdentities(identitiesNamed(settings, target, values))
  const identityFiles = identities.map(({ path }) => path)
  const certificateFiles = await certificatesFor(pathsOf(settings, 'certificatefile', values), identityFiles)
  const identityAgent = agentOf(text(settings, 'identityagent'), settings.get('identityagent')?.[0])
  const { proxyJump, proxyCommand } = proxyOf(settings, values)
  const described = {
    destination: target.destination,
    sshArguments: target.words,
    hostname: values.hostname,
    port: values.port,
    user: values.user,
    identityFiles,
    identitiesOnly: flag(settings, 'identitiesonly', false),
    identityAgent,
    certificateFiles,
    forwardAgent: forwardedAgent(text(settings, 'forwardagent'), identityAgent),
    jumpHost: proxyJump.length === 0 ? undefined : await resolveJump(proxyJump),
    proxyCommand,
    hostKeyAlias: values.hostKeyAlias,
    ...hostKeySettingsOf(settings),
    ...aliveSettingsOf(settings, target),
    connectTimeout: count(settings, 'connecttimeout') || undefined,
    connectionAttempts: count(settings, 'connectionattempts') ?? 1,
    addressFamily: familyOf(text(settings, 'addressfamily')),
    bindAddress: text(settings, 'bindaddress'),
    authentications: authenticationsOf(settings),
    passwordPrompts: count(settings, 'numberofpasswordprompts') ?? 3,
    batchMode: flag(settings, 'batchmode', false),
    kexAlgorithms: algorithmsOf(settings, 'kexalgorithms', kexAlgorithms),
    ciphers: algorithmsOf(settings, 'ciphers', ciphers),
    macs: algorithmsOf(settings, 'macs', macs),
    hostKeyAlgorithms: algorithmsOf(settings, 'hostkeyalgorithms', hostKeyAlgorithms),
    pubkeyAcceptedAlgorithms: algorithmsOf(
      settings,
      settings.has('pubkeyacceptedalgorithms') ? 'pubkeyacceptedalgorithms' : 'pubkeyacceptedkeytypes', // before 8.5
      hostKeyAlgorithms, // of the same names
    ),
    requiredRsaBits: count(settings, 'requiredrsasize') ?? 1024,
    compression: flag(settings, 'compression', false),
    controlPath: /^(yes|true|ask)$/i.test(text(settings, 'controlmaster') ?? '')
      ? undefined
      : text(settings, 'controlpath'),
    ignoreUnknown: text(settings, 'ignoreunknown'),
    environment: environmentOf(settings),
  }
  return {
    ...described,
    needsOpenSsh: await reasonForOpenSsh(settings, described, identities),
    forbidsSsh2: reasonAgainstSsh2(settings, described),
  }
}

/** What the tokens of these settings stand for. */
export function tokenValuesOf(settings: Settings, target: SshTarget): TokenValues {
  return {
    hostname: text(settings, 'hostname') ?? target.host,
    originalHost: target.host,
    port: count(settings, 'port') ?? 22,
    user: text(settings, 'user') ?? localUser().name,
    hostKeyAlias: text(settings, 'hostkeyalias')?.toLowerCase(),
  }
}

/** The identities in their order. ssh warns of an `-i` that is not there and forgets it: it is kept, so that an error can name it. */
function identitiesNamed(
  settings: Settings,
  target: SshTarget,
  values: TokenValues,
): { path: string; isNamed: boolean }[] {
  const configured = settings.get('identityfile') ?? defaultIdentityFiles
  const isNamed = !areDefaults(configured)
  const asked = target.words.flatMap((word, index) => (word === '-i' ? [target.words[index + 1] ?? ''] : []))
  const paths = configured
    .filter((path) => path.toLowerCase() !== 'none')
    .map((path) => ({ path: resolveHere(expandPath(path, values)), isNamed }))
  const missing = asked
    .map((path) => resolveHere(expandTilde(path)))
    .filter((path) => !paths.some((known) => known.path === path))
  return [...missing.map((path) => ({ path, isNamed: true })), ...paths]
}

function pathsOf(settings: Settings, keyword: string, values: TokenValues): string[] {
  return texts(settings, keyword).map((path) => resolveHere(expandPath(path, values)))
}

/** `IdentityAgent` of ssh_config(5): a path, `none`, or the name of a variable that holds the path. */
function agentOf(agent: string | undefined, written: string | undefined): string | undefined {
  if (agent === undefined && written !== undefined) return undefined
  if (agent === undefined || agent === 'SSH_AUTH_SOCK') return process.env['SSH_AUTH_SOCK'] || defaultAgent
  return agent.startsWith('$') ? process.env[agent.slice(1)] || undefined : agent
}

const defaultAgent = process.platform === 'win32' ? '\\\\.\\pipe\\openssh-ssh-agent' : undefined

function forwardedAgent(forward: string | undefined, identityAgent: string | undefined): string | undefined {
  if (forward === undefined || /^(no|false)$/i.test(forward)) return undefined
  if (/^(yes|true)$/i.test(forward)) return identityAgent
  return forward.startsWith('$') ? process.env[forward.slice(1)] || undefined : forward
}

function proxyOf(
  settings: Settings,
  values: TokenValues,
): { readonly proxyJump: readonly string[]; readonly proxyCommand: string | undefined } {
  const jump = text(settings, 'proxyjump')
  const command = text(settings, 'proxycommand')
  return {
    proxyJump: jump?.split(',').map((hop) => expandTokens(hop.trim(), values)) ?? [],
    proxyCommand: jump === undefined && command !== undefined ? expandTokens(command, values) : undefined,
  }
}

type HostKeySettings = Pick<
  ResolvedHost,
  'userKnownHostsFiles' | 'globalKnownHostsFiles' | 'strictHostKeyChecking' | 'hashKnownHosts'
>

function hostKeySettingsOf(settings: Settings): HostKeySettings {
  const user = settings.has('userknownhostsfile')
    ? texts(settings, 'userknownhostsfile')
    : ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']
  const global = settings.has('globalknownhostsfile')
    ? texts(settings, 'globalknownhostsfile')
    : ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']
  return {
    userKnownHostsFiles: user.map((path) => resolveHere(expandTilde(path))),
    globalKnownHostsFiles: global.map((path) => resolveHere(expandTilde(path))),
    strictHostKeyChecking: checkingOf(text(settings, 'stricthostkeychecking')?.toLowerCase()),
    hashKnownHosts: flag(settings, 'hashknownhosts', false),
  }
}

/** `ssh -G` prints `true` for yes and `false` for no and off. */
function checkingOf(value: string | undefined): HostKeyChecking {
  if (value === 'yes' || value === 'true') return 'yes'
  if (value === 'no' || value === 'false' || value === 'off') return 'no'
  return value === 'accept-new' ? value : 'ask'
}

// What Debian's ssh sets by itself in batch mode, where nobody asked for it.
const DEBIAN_BATCH_INTERVAL = 300

/** `ssh -G` prints 0 for who set nothing, so only the words of the target can switch keepalive off. */
function aliveSettingsOf(
  settings: Settings,
  target: SshTarget,
): Pick<ResolvedHost, 'serverAliveInterval' | 'serverAliveCountMax'> {
  const interval = count(settings, 'serveraliveinterval')
  const isOff = target.lines.some((line) => /^\s*ServerAliveInterval\s*[\s=]\s*"?0"?\s*$/i.test(line))
  const isDebians = interval === DEBIAN_BATCH_INTERVAL && flag(settings, 'batchmode', false)
  return {
    serverAliveInterval: isOff ? 0 : isDebians ? undefined : interval || undefined,
    // ssh -G always prints one.
    serverAliveCountMax: count(settings, 'serveralivecountmax') ?? 3,
  }
}

function familyOf(value: string | undefined): ResolvedHost['addressFamily'] {
  return value === 'inet' || value === 'inet6' ? value : 'any'
}

/** Each method with the keyword that switches it, whether it is on by default, and whether it asks a person. */
const methods: Readonly<Record<string, { keyword: string; isDefault: boolean; asks: boolean }>> = {
  'gssapi-with-mic': { keyword: 'gssapiauthentication', isDefault: false, asks: false },
  hostbased: { keyword: 'hostbasedauthentication', isDefault: false, asks: false },
  publickey: { keyword: 'pubkeyauthentication', isDefault: true, asks: false },
  'keyboard-interactive': { keyword: 'kbdinteractiveauthentication', isDefault: true, asks: true },
  password: { keyword: 'passwordauthentication', isDefault: true, asks: true },
}

function authenticationsOf(settings: Settings): string[] {
  const preferred = text(settings, 'preferredauthentications')?.split(',') ?? Object.keys(methods)
  const isBatch = flag(settings, 'batchmode', false)
  return preferred.filter((name) => {
    const method = methods[name]
    return method !== undefined && flag(settings, method.keyword, method.isDefault) && !(isBatch && method.asks)
  })
}

/** `ssh -G` prints whole lists always; where there is no ssh, one that changes the usual list changes ours. */
function algorithmsOf(settings: Settings, keyword: string, table: Parameters<typeof algorithmsFrom>[1]): string[] {
  const list = text(settings, keyword)
  return list === undefined ? [] : algorithmsFrom(list, table)
}

function environmentOf(settings: Settings): Record<string, string> {
  const patterns = settings.get('sendenv') ?? []
  const sent = Object.entries(environmentForOthers()).flatMap(([name, value]): [string, string][] =>
    value !== undefined && patterns.some((pattern) => matchesPattern(name, pattern)) ? [[name, value]] : [],
  )
  return Object.fromEntries([...sent, ...(settings.get('setenv') ?? []).map(splitVariable)])
}

function splitVariable(variable: string): [name: string, value: string] {
  const equals = variable.indexOf('=')
  return equals < 0 ? [variable, ''] : [variable.slice(0, equals), variable.slice(equals + 1)]
}
