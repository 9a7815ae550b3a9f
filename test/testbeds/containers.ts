/**
 * Real containers in a scratch folder: podman with runc, whose images are this machine's own /usr, so that nothing is copied or
 * downloaded. `docker` is podman under that name, which has the same command line; `kubectl` a program that reads its own as
 * kubectl does, and finds the container NAMESPACE.POD.CONTAINER. Root only.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isGone, thoseThatStay } from '../processes.js'
import { program } from './needs.js'
import { usePath, writePrograms } from './path.js'

/** What a container is to be like. */
export interface ContainerOptions {
  readonly name: string
  /** An interpreter of this machine that is to be there, by its path. */
  readonly python?: string
  /** What is not to be found there: any Python, or any program without its path, a shell too. */
  readonly without?: 'python' | 'programs'
  /** Further arguments of `podman run`. */
  readonly args?: readonly string[]
}

/** An engine with its containers; programs of this process find `podman`, `docker` and `kubectl` until it is stopped. */
export interface Containers extends AsyncDisposable {
  /** The programs, for whom else is to find them. */
  readonly env: { readonly PATH: string }
  /** The root directory of all containers, where nothing is mounted: an empty `usr` and links into it. */
  readonly root: string
  /** Runs podman to its end. @returns What it printed. */
  podman(...args: readonly string[]): string
  /** Starts a container that does nothing. */
  run(options: ContainerOptions): void
  /** The processes in a container, without the one that keeps it running. */
  pids(name: string): number[]
  stop(): Promise<void>
}

const kubectl = fileURLToPath(new URL('../fixtures/kubectl.py', import.meta.url))

// runc takes no limits above those of the machine. crun needs cgroups that not every machine has.
const config = `[containers]
default_ulimits = ["nofile=4096:4096","nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`

/** Makes an engine; containers are started on it with `run`. */
export function startContainers(): Containers {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-podman-'))
  const rootfs = makeRoot(join(folder, 'rootfs'))
  writeFileSync(join(folder, 'containers.conf'), config)
  const options = ['root', 'runroot', 'tmpdir'].map((name) => `--${name} '${join(folder, name)}'`).join(' ')
  // Podman's helper writes a file `oom` where it is started.
  const engine = `cd '${folder}'\nexport CONTAINERS_CONF='${folder}/containers.conf'\nexec '${program('podman')}' ${options} "$@"`
  const bin = join(folder, 'bin')
  const path = writePrograms(bin, {
    podman: engine,
    docker: engine,
    kubectl: `exec '${program('python3')}' '${kubectl}' "$@"`,
  })
  const unuse = usePath(path)
  const podman = (...args: readonly string[]): string =>
    execFileSync(join(bin, 'podman'), args, { encoding: 'utf8', stdio: 'pipe' })
  const mains = new Map<string, { readonly pid: number; readonly namespace: string }>()
  const run = (container: ContainerOptions): void => {
    podman('run', '-d', '--network=none', ...argumentsFor(container), '--rootfs', rootfs, '/bin/sleep', '1000000')
    const pid = Number(podman('inspect', '--format', '{{.State.Pid}}', container.name))
    mains.set(container.name, { pid, namespace: namespaceOf(pid) })
  }
  const pids = (name: string): number[] => {
    const main = mains.get(name)
    const all = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))
    return all.map(Number).filter((pid) => pid !== main?.pid && namespaceOf(pid) === main?.namespace && !isGone(pid))
  }
  const stop = async (): Promise<void> => {
    unuse()
    podman('rm', '--force', '--all', '--time', '0')
    // Each end has a process that cleans up after it, and would make the folder anew.
    await thoseThatStay(() => allPids().filter((pid) => commandLineOf(pid).includes(folder)))
    // The storage mounts this on itself, and does not always undo it.
    spawnSync('umount', ['--lazy', join(folder, 'root', 'overlay')], { stdio: 'ignore' })
    rmSync(folder, { recursive: true })
  }
  return { env: { PATH: path }, root: rootfs, podman, run, pids, stop, [Symbol.asyncDispose]: stop }
}

function allPids(): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return '' // it has ended
  }
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`)
  } catch {
    return '' // it has ended
  }
}

/** A root directory that is empty but for links into /usr, as Debian's has them. */
function makeRoot(rootfs: string): string {
  for (const name of ['usr', 'tmp', 'proc', 'sys', 'dev', 'etc', 'run', 'root', 'var'])
    mkdirSync(join(rootfs, name), { recursive: true })
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(rootfs, name))
  return rootfs
}

function argumentsFor({ name, python, without, args = [] }: ContainerOptions): string[] {
  const hidden = without === 'python' ? pythons() : []
  const prefix = python === undefined ? '/usr' : dirname(dirname(realpathSync(python)))
  return [
    ...['--name', name],
    ...mount('/usr'),
    ...(prefix.startsWith('/usr') ? [] : mount(prefix)),
    ...(without === 'python' ? ['--tmpfs', '/usr/local/bin'] : []),
    ...(without === 'programs' ? ['--env', 'PATH=/nowhere'] : []),
    ...hidden.flatMap((path) => ['--volume', `/dev/null:${path}:ro`]),
    ...args,
  ]
}

function mount(path: string): string[] {
  return ['--volume', `${path}:${path}:ro`]
}

/** Where the search for one would find them. */
function pythons(): string[] {
  const names = readdirSync('/usr/bin').filter((name) => /^(python|pypy)[\d.]*$/.test(name))
  return [...new Set(names.map((name) => realpathSync(join('/usr/bin', name))))]
}
