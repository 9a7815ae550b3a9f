/**
 * Hosts with an address of their own, on this machine: a network namespace each, joined to it by a cable that can be cut.
 * The servers on a host are started with its `netns`. Root only.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { anyInterpreter } from '../interpreters.js'
import { hasNamespaces, program } from './needs.js'

/** Which way packets are lost, as this machine sees it. */
export type Direction = 'in' | 'out' | 'both'

const slowLink = fileURLToPath(new URL('../fixtures/slow_link.py', import.meta.url))

let made = 0

/** A host that can be reached at `address`. */
export class Host implements AsyncDisposable {
  /** What servers are started in to be on this host. */
  readonly netns: string
  readonly address: string
  readonly #local: string
  #isUnplugged = false

  private constructor() {
    // 198.18.0.0/15 is for measurements between networks: no machine has an address there. Four for every host.
    const index = (process.pid * 16 + made++) % 32_768
    const base = 4 * index
    const address = (last: number): string => `198.${18 + (base >> 16)}.${(base >> 8) & 255}.${(base & 255) + last}`
    this.netns = `bed${index}`
    this.#local = address(1)
    this.address = address(2)
  }

  /** Makes a host that is reached at once. */
  static start(): Host {
    if (!hasNamespaces) throw new Error('hosts with their own address need root')
    const host = new Host()
    const { netns } = host
    ip('netns', 'add', netns)
    ip('link', 'add', `to-${netns}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns)
    ip('addr', 'add', `${host.#local}/30`, 'dev', `to-${netns}`)
    ip('link', 'set', `to-${netns}`, 'up')
    host.#ipThere('link', 'set', 'lo', 'up')
    host.#ipThere('addr', 'add', `${host.address}/30`, 'dev', 'eth0')
    host.#ipThere('link', 'set', 'eth0', 'up')
    return host
  }

  /**
   * Makes a host at the end of a slow link.
   *
   * @param oneWayMs - What every packet takes, each way.
   */
  static async startFarAway(oneWayMs: number): Promise<Host> {
    if (!hasNamespaces) throw new Error('hosts with their own address need root')
    const host = new Host()
    ip('netns', 'add', host.netns)
    host.#ipThere('link', 'set', 'lo', 'up')
    const args = [slowLink, host.netns, host.#local, host.address, String(oneWayMs)]
    const link = spawn(anyInterpreter().command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    host.#stopLink = async () => {
      link.kill('SIGKILL')
      if (link.exitCode === null && link.signalCode === null) await once(link, 'exit')
    }
    const [said] = await Promise.race([once(createInterface(link.stdout), 'line'), once(link, 'exit')])
    if (said !== 'up') throw new Error(`the slow link did not come up: ${said}`)
    return host
  }

  #stopLink: () => Promise<void> = () => Promise.resolve()

  /** From now on packets vanish, as if the cable were cut: nobody is told. */
  cutOff(direction: Direction = 'both'): void {
    if (direction !== 'in') this.#iptables('-A', 'INPUT', '-i', 'eth0', '-j', 'DROP')
    if (direction !== 'out') this.#iptables('-A', 'OUTPUT', '-o', 'eth0', '-j', 'DROP')
  }

  /** Takes the cable out of this machine's own side: it is told that there is no way to the host. */
  unplug(): void {
    ip('route', 'replace', 'unreachable', `${this.address}/32`)
    this.#isUnplugged = true
  }

  /** From now on the host refuses every packet of TCP, as one that has restarted and knows nothing of the connection. */
  rejectAll(): void {
    this.#iptables('-A', 'INPUT', '-i', 'eth0', '-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset')
  }

  /** All is as it was. */
  restore(): void {
    this.#iptables('-F')
    if (this.#isUnplugged) ip('route', 'del', 'unreachable', `${this.address}/32`)
    this.#isUnplugged = false
  }

  /** Removes the host; its servers must have been stopped. */
  async stop(): Promise<void> {
    this.restore()
    await this.#stopLink()
    ip('netns', 'del', this.netns)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #iptables(...args: readonly string[]): void {
    ip('netns', 'exec', this.netns, program('iptables'), '-w', ...args)
  }

  #ipThere(...args: readonly string[]): void {
    ip('-n', this.netns, ...args)
  }
}

function ip(...args: readonly string[]): void {
  execFileSync(program('ip'), args, { stdio: 'pipe' })
}
