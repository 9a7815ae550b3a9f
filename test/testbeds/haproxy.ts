/** A real haproxy on loopback, as a proxy before one server of ours, with nothing in its configuration that is about WebSockets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { program } from './needs.js'
import { freePort, Server } from './server.js'

/** An haproxy that listens. */
export interface Haproxy extends AsyncDisposable {
  readonly url: string
}

/** Starts it and waits until it listens. @param target - The port of the server behind it. */
export async function startHaproxy(target: number): Promise<Haproxy> {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-haproxy-'))
  const port = await freePort('127.0.0.1')
  const config = join(folder, 'haproxy.cfg')
  writeFileSync(
    config,
    `
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen python
  bind 127.0.0.1:${port}
  server python 127.0.0.1:${target}
`,
  )
  const server = await Server.start({
    command: [program('haproxy'), '-W', '-db', '-f', config],
    ready: /Loading success/,
  })
  const stop = async (): Promise<void> => {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return { url: `ws://127.0.0.1:${port}/python`, [Symbol.asyncDispose]: stop }
}
