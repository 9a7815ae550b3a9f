/**
 * Has a socket server of execnet (its script `socketserver.py`, 2.1) start a worker. Such a server runs the first line that anybody sends,
 * which is a Python string literal with source in it, in its own process; ours has the connection itself given to a process of its own.
 */
import type { Duplex } from 'node:stream'
import { GREETING, HandshakeFault, readLine, type StartRequest } from './handshake.js'

/**
 * Sends the line and waits for the answer: such a server reads ahead, and what it has read the worker would not get.
 *
 * @returns Nothing is left to be read then.
 * @throws {@link HandshakeFault}; the reason of `signal`.
 */
export async function askExecnet(
  stream: Duplex,
  request: StartRequest,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const source = [
    'import os, subprocess, sys',
    `argv = ${python(request.python ?? [])} or [sys.executable]`,
    'session = getattr(os, "setsid", None)', // a worker ends its whole group, which must not be that of the server
    `env = dict(os.environ, **dict(${python(Object.entries(request.env))}))`,
    `clientsock.sendall(${python(`${GREETING}ok\n`)}.encode("ascii"))`,
    `subprocess.call([str(word) for word in argv] + ["-c", ${python(request.loader)}], stdin=clientsock, stdout=clientsock, env=env, preexec_fn=session)`,
  ].join('\n')
  stream.write(`${python(source)}\n`)
  const line = await readLine(stream, signal)
  if (line === `${GREETING}refused`)
    throw new HandshakeFault('protocol', 'it is "tendril serve", which wants a token. Leave the key insecure away')
  if (line !== `${GREETING}ok`) throw new HandshakeFault('protocol', `it said ${JSON.stringify(line.slice(0, 80))}`)
  return async () => undefined
}

/** A literal of Python 2 and 3: JSON is one, with a letter before its strings. */
function python(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`
  return `u${JSON.stringify(value)}`
}
