/**
 * What the beds of this folder need of a machine, and why this one cannot have one: a reason to put into the name of a
 * skipped test, or undefined. Where `TENDRIL_CI` is 1 there is never a reason, so that a bed that is missing there fails.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findInterpreter, isCi } from '../interpreters.js'

const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']

/** The absolute path of a program; those for administrators need not be on PATH. */
export function findProgram(name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

/** The absolute path of a program that a bed cannot do without. */
export function program(name: string): string {
  const path = findProgram(name)
  if (path === undefined) throw new Error(`this test needs ${name}; .ci/run installs it`)
  return path
}

/** Whether servers get a mount namespace of their own here: accounts, full disks and the like that no one else sees. */
export const hasNamespaces: boolean =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--mount', '--propagation', 'private', 'true']).status === 0

/** Why there is no OpenSSH server here. */
export const noSshd: string | undefined = reasonAgainst('sshd', 'ssh', 'ssh-keygen')

/** Why an OpenSSH server here has the accounts of the machine only. */
export const noAccounts: string | undefined =
  noSshd ?? (hasNamespaces || isCi ? undefined : 'accounts of a bed need root')

/** Why there is no dropbear here; it reads keys from home folders only, so it needs accounts of its own. */
export const noDropbear: string | undefined =
  reasonAgainst('dropbear', 'dropbearkey', 'ssh-keygen') ??
  (hasNamespaces || isCi ? undefined : 'accounts of a bed need root')

/** Why there are no hosts with an address of their own here. */
export const noHosts: string | undefined =
  reasonAgainst('ip', 'iptables') ?? (hasNamespaces || isCi ? undefined : 'hosts with their own address need root')

const noSystemPython = isCi || isExecutable('/usr/bin/python3') ? undefined : 'no /usr/bin/python3'

/** Why there are no containers here. */
export const noContainers: string | undefined =
  reasonAgainst('podman', 'runc') ??
  noSystemPython ??
  (hasNamespaces || isCi ? undefined : 'containers of a bed need root')

/** Why sudo and su cannot be run here by a user with a password. */
export const noOtherUsers: string | undefined =
  reasonAgainst('sudo', 'su', 'setpriv', 'unshare') ??
  noSystemPython ??
  (hasNamespaces || isCi ? undefined : 'accounts of a bed need root')

/** Why there are no certificates of our own here. */
export const noOpenssl: string | undefined = reasonAgainst('openssl')

/** Why there is no proxy here that passes WebSockets on, and ends TLS. */
export const noNginx: string | undefined = reasonAgainst('nginx', 'openssl')

/** Why there is no other proxy here. */
export const noHaproxy: string | undefined = reasonAgainst('haproxy')

/** Why there is no Slurm cluster here. */
export const noSlurm: string | undefined =
  reasonAgainst('srun', 'slurmctld', 'slurmd', 'munged') ??
  (hasNamespaces || isCi ? undefined : 'a cluster of a bed needs root')

/** Where `npm run bench` and .ci/run install execnet. */
export const execnetPython: string = fileURLToPath(new URL('../../bench/.venv/bin/python', import.meta.url))

/** Why there is no server of execnet here. */
export const noExecnet: string | undefined =
  isCi || isExecutable(execnetPython) ? undefined : 'execnet not installed; npm run bench does that'

/** Python packages that patch the standard library: .ci/run installs freezegun beside execnet, the others for Debian's own Python. */
const benchLib = fileURLToPath(new URL('../../bench/.venv/lib', import.meta.url))
export const noFreezegun: string | undefined = reasonWithout('freezegun', benchLib)
export const noXdist: string | undefined = reasonWithout('xdist', benchLib)

/** Where those are that .ci/run installs beside execnet. */
export const pythonPackages: string = join(
  benchLib,
  (existsSync(benchLib) ? readdirSync(benchLib) : []).find((each) => each.startsWith('python')) ?? '',
  'site-packages',
)
export const debianPython = { name: "Debian's CPython", command: '/usr/bin/python3' }
export const noGevent: string | undefined = reasonWithout('gevent', '/usr/lib/python3')
export const noEventlet: string | undefined = reasonWithout('eventlet', '/usr/lib/python3')

/** Why there is no interpreter of that name here; in CI the test of the matrix says so. */
export function noInterpreter(name: string): string | undefined {
  return findInterpreter(name) === undefined ? `${name} not installed` : undefined
}

/** A title that says why it is skipped, if it is: `describe.skipIf(noSshd)(titled('…', noSshd), …)`. */
export function titled(title: string, reason: string | undefined): string {
  return reason === undefined ? title : `${title} [skipped: ${reason}]`
}

function reasonWithout(name: string, lib: string): string | undefined {
  const folders = ['dist-packages', ...(existsSync(lib) ? readdirSync(lib) : []).map((each) => `${each}/site-packages`)]
  if (isCi || folders.some((each) => existsSync(join(lib, each, name)))) return undefined
  return `${name} not installed; .ci/run does that`
}

function reasonAgainst(...names: readonly string[]): string | undefined {
  if (isCi) return undefined
  if (process.platform !== 'linux') return 'beds are for Linux'
  const missing = names.filter((name) => findProgram(name) === undefined)
  return missing.length === 0 ? undefined : `${missing.join(', ')} not installed`
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
