/**
 * A Slurm cluster of four nodes in a scratch folder, all of them this machine: its own munged, slurmctld and slurmd, on ports of
 * their own. Each node has a mount namespace, by which everything that runs on it is known and can be lost with it.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { program } from './needs.js'
import { childrenOf, freePort, Server } from './server.js'

const nodeNames = ['n1', 'n2', 'n3', 'n4']

/** A cluster with the partitions `main`, which has all nodes, and `narrow`, in which one job at a time has `n4`. */
export class Slurm implements AsyncDisposable {
  readonly #folder: string
  readonly #ports: readonly number[]
  readonly #nodes = new Map<string, Server>()
  #munged: Server | undefined
  #controller: Server | undefined

  private constructor(folder: string, ports: readonly number[]) {
    this.#folder = folder
    this.#ports = ports
  }

  /** Starts it and waits until all nodes are idle. Slurm's commands reach it, and no other, by `SLURM_CONF`, which is set for this process. */
  static async start(): Promise<Slurm> {
    const folder = mkdtempSync(join(tmpdir(), 'tendril-slurm-'))
    const ports = []
    for (const _ of ['controller', ...nodeNames]) ports.push(await freePort('127.0.0.1'))
    const slurm = new Slurm(folder, ports)
    try {
      await slurm.#begin()
    } catch (error) {
      await slurm.stop()
      throw error
    }
    return slurm
  }

  /** What its commands find in their environment. */
  get env(): { readonly SLURM_CONF: string } {
    return { SLURM_CONF: this.#configFile }
  }

  /** What one of Slurm's commands says. */
  run(command: string, ...args: readonly string[]): string {
    return execFileSync(program(command), args, { encoding: 'utf8', stdio: 'pipe' }).trim()
  }

  /** The ids of its jobs that have not ended. */
  jobs(): string[] {
    return this.run('squeue', '--noheader', '--states=PENDING,RUNNING', '--format=%i').split('\n').filter(Boolean)
  }

  /** Waits until it has no job. @returns Those that are left when the time is up. */
  async jobsAfter(ms: number): Promise<string[]> {
    return await until(ms, () => this.jobs())
  }

  /** The processes of this one that run one of Slurm's commands. */
  runningOf(command: string): number[] {
    return childrenOf(process.pid).filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === command)
  }

  node(name: string): Server {
    const node = this.#nodes.get(name)
    if (node === undefined) throw new Error(`${name} does not run`)
    return node
  }

  /** The node is gone with all that ran on it, as when its power fails. */
  async lose(name: string): Promise<void> {
    await this.node(name).stop()
    this.#nodes.delete(name)
  }

  /** Starts a node that was lost, and waits until it is idle. */
  async restore(name: string): Promise<void> {
    await this.#startNode(name)
    await this.idle()
  }

  /** Has the controller killed while something is done, and starts it anew. */
  async withoutController(action: () => Promise<void>): Promise<void> {
    await this.#controller?.stop()
    try {
      await action()
    } finally {
      await this.#startController()
      await this.idle()
    }
  }

  /** Has the commands look for a munged that does not run, while something is done. */
  async withoutMunge(action: () => Promise<void>): Promise<void> {
    const file = join(this.#folder, 'stranger.conf')
    writeFileSync(file, this.#config().replace(/^AuthInfo=.*$/m, `AuthInfo=socket=${join(this.#folder, 'none')}`))
    process.env['SLURM_CONF'] = file
    await action().finally(() => {
      process.env['SLURM_CONF'] = this.#configFile
    })
  }

  async stop(): Promise<void> {
    for (const server of [...this.#nodes.values(), this.#controller, this.#munged]) await server?.stop()
    delete process.env['SLURM_CONF']
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #begin(): Promise<void> {
    chmodSync(this.#folder, 0o755)
    for (const name of ['munge', 'state', ...nodeNames]) mkdirSync(join(this.#folder, name), { mode: 0o755 })
    writeFileSync(join(this.#folder, 'munge', 'key'), randomBytes(128), { mode: 0o600 })
    writeFileSync(this.#configFile, this.#config())
    process.env['SLURM_CONF'] = this.#configFile
    this.#munged = await this.#startMunged()
    await this.#startController()
    for (const name of nodeNames) await this.#startNode(name)
    await this.idle()
  }

  get #configFile(): string {
    return join(this.#folder, 'slurm.conf')
  }

  #startMunged(): Promise<Server> {
    const file = (name: string): string => join(this.#folder, 'munge', name)
    const files = ['key', 'seed'].map((name) => `--${name}-file=${file(name)}`)
    const others = [`--pid-file=${file('pid')}`, `--log-file=${file('log')}`, `--socket=${file('socket')}`]
    // It would rather have its files below /etc and /var.
    return Server.start({
      command: [program('munged'), '--foreground', '--force', ...files, ...others],
      ready: /Created \d+ work threads/,
    })
  }

  async #startController(): Promise<void> {
    const command = [program('slurmctld'), '-D', '-f', this.#configFile]
    this.#controller = await Server.start({ command, ready: /Running as primary controller/ })
  }

  async #startNode(name: string): Promise<void> {
    const command = [program('slurmd'), '-D', '-N', name, '-f', this.#configFile]
    this.#nodes.set(name, await Server.start({ command, ready: /slurmd started/ }))
  }

  /** Waits until all nodes are there, and have nothing to do. */
  async idle(): Promise<void> {
    const busy = (): string[] =>
      this.run('sinfo', '--noheader', '--Node', '--partition=main', '--format=%N %t')
        .split('\n')
        .filter((line) => !line.endsWith(' idle'))
    const left = await until(15_000, busy)
    if (left.length > 0) throw new Error(`nodes are not idle: ${left.join(', ')}`)
  }

  #config(): string {
    const folder = this.#folder
    const host = hostname().split('.')[0]
    const [port, ...nodePorts] = this.#ports
    const nodes = nodeNames.map(
      (name, index) =>
        `NodeName=${name} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${nodePorts[index]} CPUs=16 RealMemory=2000 State=UNKNOWN`,
    )
    return [
      'ClusterName=bed',
      `SlurmctldHost=${host}(127.0.0.1)`,
      `SlurmctldPort=${port}`,
      'AuthType=auth/munge',
      `AuthInfo=socket=${join(folder, 'munge', 'socket')}`,
      'MpiDefault=none',
      'ProctrackType=proctrack/linuxproc',
      'TaskPlugin=task/none',
      'SelectType=select/cons_tres',
      'SelectTypeParameters=CR_Core',
      'SchedulerType=sched/backfill',
      'SchedulerParameters=bf_interval=1',
      'ReturnToService=2',
      'SlurmUser=root',
      'SlurmdUser=root',
      'SlurmdParameters=config_overrides',
      `StateSaveLocation=${join(folder, 'state')}`,
      `SlurmdSpoolDir=${join(folder, '%n')}`,
      `SlurmctldPidFile=${join(folder, 'slurmctld.pid')}`,
      `SlurmdPidFile=${join(folder, '%n', 'pid')}`,
      'KillWait=2',
      // A node that does not answer is down after this.
      'SlurmdTimeout=4',
      ...nodes,
      'PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP',
      'PartitionName=narrow Nodes=n4 MaxTime=60 OverSubscribe=EXCLUSIVE State=UP',
      '',
    ].join('\n')
  }
}

/** Asks until nothing is left, as nobody tells. */
async function until(ms: number, ask: () => string[]): Promise<string[]> {
  const end = performance.now() + ms
  while (true) {
    const left = ask()
    if (left.length === 0 || performance.now() > end) return left
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
