/**
 * ssh2's own server in this process, for what is hard to stage with a real one, and for machines that have none. It runs
 * commands with /bin/sh, and records what it was asked.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2, { type AuthContext, type Connection, type ServerChannel, type Session } from 'ssh2'
import { type ClientFiles, type ClientOptions, type Destination, writeClientFiles } from './client-config.js'
import type { KeyPair } from './keys.js'

/** What a server is to be like, and its client. */
export interface Ssh2ServerOptions extends ClientOptions {
  /** Answers a login; accepts the user's key and nothing else when absent. */
  readonly authenticate?: (context: AuthContext) => void
  /** Whether sessions are given; `silent` answers nothing, `idle` gives them and runs no command. */
  readonly sessions?: 'given' | 'refused' | 'silent' | 'idle'
  /** Whether connections are forwarded; `silent` answers nothing. */
  readonly forwarding?: 'given' | 'silent'
  readonly banner?: string
}

/** A server that listens, and the files to reach it with. */
export interface Ssh2Server extends Destination, ClientFiles, AsyncDisposable {
  readonly folder: string
  /** The methods that logins have asked for, in their order; `none` too. */
  readonly methods: readonly string[]
  /** How many connections have been made. */
  readonly connections: () => number
  /** How many of them there are. */
  readonly open: () => number
  /** The destinations, `address:port`, that clients wanted to be forwarded to. */
  readonly forwards: readonly string[]
  /** Ends all connections without a word. */
  cut(): void
  stop(): Promise<void>
}

/** Starts a server on a port of 127.0.0.1. */
export async function startSsh2Server(options: Ssh2ServerOptions = {}): Promise<Ssh2Server> {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-ssh2-'))
  const [hostKey, userKey] = [makeKeyPair(join(folder, 'host')), makeKeyPair(join(folder, 'id_ed25519'))]
  const seen: Seen = { methods: [], forwards: [], connections: 0, sockets: new Set(), children: new Set() }
  const banner = options.banner === undefined ? {} : { banner: options.banner }
  const server = new ssh2.Server({ hostKeys: [hostKey.private], ...banner }, (client) => {
    const authenticate = options.authenticate ?? ((context) => acceptKey(context, userKey))
    admit(client, { ...options, authenticate }, seen)
  })
  const listener = createServer((socket) => {
    keep(socket, seen)
    server.injectSocket(socket)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const bound = listener.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  const destination = { address: '127.0.0.1', port, user: 'somebody', userKey, hostKeys: [hostKey] }
  const cut = (): void => {
    for (const socket of seen.sockets) socket.destroy()
  }
  const stop = async (): Promise<void> => {
    for (const child of seen.children) child.kill('SIGKILL')
    cut()
    listener.close()
    await once(listener, 'close')
    rmSync(folder, { recursive: true, force: true })
  }
  const files = writeClientFiles(folder, destination, options)
  return {
    ...destination,
    ...files,
    folder,
    methods: seen.methods,
    forwards: seen.forwards,
    connections: () => seen.connections,
    open: () => seen.sockets.size,
    cut,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** What a server has met with. */
interface Seen {
  readonly methods: string[]
  readonly forwards: string[]
  connections: number
  readonly sockets: Set<Socket>
  readonly children: Set<ChildProcess>
}

/** Its own half of a connection must not count as something that a client left open. */
function keep(socket: Socket, seen: Seen): void {
  seen.connections++
  seen.sockets.add(socket.unref())
  socket.on('close', () => seen.sockets.delete(socket))
}

function admit(
  client: Connection,
  { authenticate, sessions, forwarding }: Ssh2ServerOptions & { readonly authenticate: (context: AuthContext) => void },
  seen: Seen,
): void {
  client.on('error', () => undefined) // clients that leave without a word are the point of some tests
  client.on('authentication', (context) => {
    seen.methods.push(context.method)
    authenticate(context)
  })
  client.on('session', (accept, reject) => {
    if (sessions === 'silent') return
    if (sessions === 'refused') reject()
    else if (sessions === 'idle') accept().on('exec', (_accept, refuse) => refuse())
    else serve(accept(), seen.children)
  })
  client.on('tcpip', (accept, reject, { destIP, destPort }) => {
    seen.forwards.push(`${destIP}:${destPort}`)
    if (forwarding === 'silent') return
    const socket = connect(destPort, destIP)
    socket.on('error', () => reject())
    socket.on('connect', () => {
      const channel = accept()
      channel.on('error', () => undefined)
      channel.pipe(socket).pipe(channel)
    })
  })
}

/** Lets in who shows the key, and then proves to have it. */
export function acceptKey(context: AuthContext, { publicKey }: KeyPair): void {
  const key = ssh2.utils.parseKey(publicKey)
  if (context.method !== 'publickey' || key instanceof Error || !key.getPublicSSH().equals(context.key.data)) {
    context.reject(['publickey'])
  } else if (context.signature === undefined || key.verify(context.blob ?? '', context.signature) === true) {
    context.accept()
  } else {
    context.reject(['publickey'])
  }
}

function serve(session: Session, children: Set<ChildProcess>): void {
  session.on('env', (accept) => accept?.())
  session.on('exec', (accept, _reject, { command }) => {
    const channel: ServerChannel = accept()
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['pipe', 'pipe', 'pipe'] })
    children.add(child)
    for (const stream of [channel, child.stdin]) stream.on('error', () => undefined) // either side may leave first
    channel.pipe(child.stdin)
    child.stdout.pipe(channel, { end: false })
    child.stderr.pipe(channel.stderr, { end: false })
    child.on('close', (exitCode, signal) => {
      children.delete(child)
      if (signal === null) channel.exit(exitCode ?? 0)
      else channel.exit(signal)
      channel.end()
    })
    channel.on('close', () => child.kill('SIGHUP'))
  })
}

function makeKeyPair(file: string): KeyPair & { readonly private: string } {
  // One in some hundred comes out malformed.
  let pair = ssh2.utils.generateKeyPairSync('ed25519')
  while (ssh2.utils.parseKey(pair.private) instanceof Error) pair = ssh2.utils.generateKeyPairSync('ed25519')
  writeFileSync(file, pair.private, { mode: 0o600 })
  writeFileSync(`${file}.pub`, `${pair.public}\n`)
  const [type, base64 = ''] = pair.public.split(' ')
  const hash = createHash('sha256').update(Buffer.from(base64, 'base64')).digest('base64').replace(/=+$/, '')
  return { file, private: pair.private, publicKey: `${type} ${base64}`, fingerprint: `SHA256:${hash}` }
}
