/** What the worker says of itself (PROTOCOL.md §3): first in HELLO, later in the answer to STATUS. */
import { ProtocolError } from '../errors.js'
import { decode, UNASKED } from '../protocol/codec.js'
import { PROTOCOL_VERSION, WINDOW_BYTES } from '../protocol/frames.js'
import * as messages from '../protocol/messages.js'
import type { XSpec } from '../specs/xspec.js'

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
  /** Tasks that run now: from when they have come until their end has been told, but for those that wait for the main thread (`execmodel=main_thread_only`). */
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

/** What SETUP is. */
export interface Setup {
  readonly nice: number | null
  readonly chdir: string | null
  readonly env?: Readonly<Record<string, string>>
  readonly [key: string]: unknown
}

/** What SETUP tells the worker (PROTOCOL.md §3). */
export function setupOf(
  id: string,
  { nice, chdir, execmodel, dontWriteBytecode }: XSpec,
  {
    variables = {},
    maxItemBytes,
  }: { readonly variables?: Readonly<Record<string, string>> | undefined; readonly maxItemBytes: number },
): Setup {
  return {
    id,
    nice: nice ?? null,
    chdir: chdir ?? null,
    execmodel: execmodel ?? 'thread',
    dont_write_bytecode: dontWriteBytecode,
    window: WINDOW_BYTES,
    max_item: maxItemBytes,
    ...(Object.keys(variables).length > 0 ? { env: { ...variables } } : {}),
  }
}

/** Whether the extra `place` has something to do. */
export function isPlaced({ nice, chdir, env }: Setup): boolean {
  return nice !== null || chdir !== null || env !== undefined
}

/** An interpreter in words: `CPython 3.12.1 on linux, /usr/bin/python3`. */
export function interpreterText({ implementation, versionInfo, platform, executable }: GatewayInfo): string {
  return `${implementation} ${versionInfo.slice(0, 3).join('.')} on ${platform}, ${executable}`
}

/** @throws {@link ProtocolError} when the payload is not a hello, or of another version. */
export function parseHello(payload: Uint8Array): Hello {
  const value = decode(payload, UNASKED)
  const { version } = messages.read(messages.version, value)
  if (version !== PROTOCOL_VERSION) {
    throw new ProtocolError(`the worker speaks version ${version} of the protocol, this is version ${PROTOCOL_VERSION}`)
  }
  const wire = messages.read(messages.hello, value)
  return { ...infoOf(wire), pickle: wire.pickle, error: wire.error ?? undefined }
}

/** @throws {@link ProtocolError} when the payload is no status. */
export function parseStatus(payload: Uint8Array): { readonly info: GatewayInfo; readonly status: GatewayStatus } {
  const wire = messages.read(messages.status, decode(payload, UNASKED))
  const status = { numChannels: wire.num_channels, numExecuting: wire.num_executing, execModel: wire.execmodel }
  return { info: infoOf(wire), status }
}

type WireInfo = Pick<
  messages.Of<typeof messages.hello>,
  'executable' | 'version_info' | 'platform' | 'implementation' | 'cwd' | 'pid'
>

function infoOf({ executable, version_info: versionInfo, platform, implementation, cwd, pid }: WireInfo): GatewayInfo {
  return { executable: pathOf(executable), versionInfo, platform, implementation, cwd: pathOf(cwd), pid }
}

/** Of bytes that are no text, what of them is. */
function pathOf(path: string | Uint8Array | null): string {
  return path instanceof Uint8Array ? new TextDecoder().decode(path) : (path ?? '')
}
