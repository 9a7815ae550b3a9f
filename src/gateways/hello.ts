/** What the worker says of itself (PROTOCOL.md §3): first in HELLO, later in the answer to STATUS. */
import { ProtocolError } from '../errors.js'
import { decode } from '../protocol/codec.js'
import { PROTOCOL_VERSION, WINDOW_BYTES } from '../protocol/frames.js'
import type { XSpec } from './xspec.js'

/** A worker's interpreter and process. */
export interface GatewayInfo {
  /** The absolute path of the interpreter. */
  readonly executable: string
  /** As `sys.version_info`: major, minor, micro, releaselevel, serial. */
  readonly versionInfo: readonly [number, number, number, string, number]
  /** As `sys.platform`. */
  readonly platform: string
  /** `CPython` or `PyPy`. */
  readonly implementation: string
  /** The working directory; empty when it is gone. */
  readonly cwd: string
  readonly pid: number
}

/** What a worker is doing. */
export interface GatewayStatus {
  /** Channels that are not closed. */
  readonly numChannels: number
  /** Tasks that run now. */
  readonly numExecuting: number
  readonly execModel: string
}

/** The first frame of a worker. */
export interface Hello extends GatewayInfo {
  /** The highest pickle protocol that it reads. */
  readonly pickle: number
  /** Why the worker could not be set up, and ends. */
  readonly error: string | undefined
}

/** What SETUP tells the worker (PROTOCOL.md §3). */
export function setupOf(id: string, { nice, chdir, execmodel, dontWriteBytecode }: XSpec): Record<string, unknown> {
  return {
    id,
    nice: nice ?? null,
    chdir: chdir ?? null,
    execmodel: execmodel ?? 'thread',
    dont_write_bytecode: dontWriteBytecode,
    window: WINDOW_BYTES,
  }
}

/** An interpreter in words: `CPython 3.12.1 on linux, /usr/bin/python3`. */
export function interpreterText({ implementation, versionInfo, platform, executable }: GatewayInfo): string {
  return `${implementation} ${versionInfo.slice(0, 3).join('.')} on ${platform}, ${executable}`
}

/** @throws {@link ProtocolError} when the payload is not a hello, or of another version. */
export function parseHello(payload: Uint8Array): Hello {
  const wire = dictOf(payload, 'hello')
  if (wire['version'] !== PROTOCOL_VERSION) {
    throw new ProtocolError(
      `the worker speaks version ${String(wire['version'])} of the protocol, this is version ${PROTOCOL_VERSION}`,
    )
  }
  const { pickle, error } = wire
  return {
    ...infoOf(wire),
    pickle: typeof pickle === 'number' ? pickle : 2,
    error: typeof error === 'string' ? error : undefined,
  }
}

/** @throws {@link ProtocolError} when the payload is no status. */
export function parseStatus(payload: Uint8Array): { readonly info: GatewayInfo; readonly status: GatewayStatus } {
  const wire = dictOf(payload, 'status')
  const status = {
    numChannels: Number(wire['num_channels']),
    numExecuting: Number(wire['num_executing']),
    execModel: String(wire['execmodel']),
  }
  return { info: infoOf(wire), status }
}

function dictOf(payload: Uint8Array, what: string): Record<string, unknown> {
  const wire = decode(payload)
  if (typeof wire !== 'object' || wire === null) throw new ProtocolError(`the worker's ${what} is no dict`)
  return wire as Record<string, unknown> // an object whose members are all checked before they are used
}

function infoOf(wire: Record<string, unknown>): GatewayInfo {
  const version: unknown[] = Array.isArray(wire['version_info']) ? wire['version_info'] : []
  return {
    executable: String(wire['executable'] ?? ''),
    versionInfo: [Number(version[0]), Number(version[1]), Number(version[2]), String(version[3]), Number(version[4])],
    platform: String(wire['platform']),
    implementation: String(wire['implementation']),
    cwd: String(wire['cwd'] ?? ''),
    pid: Number(wire['pid']),
  }
}
