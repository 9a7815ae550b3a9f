/** A real nginx on loopback, as a proxy before one server of ours, with what docs/websocket.md tells to write for it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../code-blocks.js'
import type { Certificate } from './certificates.js'
import { program } from './needs.js'
import { freePort, Server } from './server.js'

/** What it is to be like. */
export interface NginxOptions {
  /** The port of the server behind it. */
  readonly target: number
  /** It ends TLS with that. */
  readonly certificate?: Certificate
  /** For how long a connection may be silent. */
  readonly idleSeconds?: number
}

/** An nginx that listens. */
export interface Nginx extends AsyncDisposable {
  readonly port: number
  /** The URL of the server behind it; other paths: `bare` does not pass Upgrade on, behind `nobody` there is nobody. */
  readonly url: string
  /** Breaks all connections, and comes back where it was. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Starts it and waits until it listens. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-nginx-'))
  const port = await freePort('127.0.0.1')
  const config = join(folder, 'nginx.conf')
  writeFileSync(config, configText(folder, port, await freePort('127.0.0.1'), options))
  const start = (): Promise<Server> =>
    Server.start({
      command: [program('nginx'), '-p', folder, '-e', 'stderr', '-c', config],
      ready: /start worker process \d/,
    })
  let server = await start()
  const stop = async (): Promise<void> => {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  const restart = async (): Promise<void> => {
    await server.stop()
    server = await start()
  }
  const url = `${options.certificate === undefined ? 'ws' : 'wss'}://127.0.0.1:${port}/python`
  return { port, url, restart, stop, [Symbol.asyncDispose]: stop }
}

function configText(folder: string, port: number, nobody: number, options: NginxOptions): string {
  const { target, certificate, idleSeconds = 60 } = options
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder};`)
  const tls =
    certificate === undefined ? '' : `ssl_certificate ${certificate.cert}; ssl_certificate_key ${certificate.key};`
  const page = readFileSync(join(root, 'docs/websocket.md'), 'utf8')
  const [, location = ''] = /^```nginx\n([\s\S]*?)^```/m.exec(page) ?? []
  const to = (path: string, behind: number): string =>
    location.replace('/python', path).replace('127.0.0.1:8888', `127.0.0.1:${behind}`)
  return `
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr notice;
events { worker_connections 200; }
http {
  access_log off;
  ${temporary.join('\n  ')}
  server {
    listen 127.0.0.1:${port}${certificate === undefined ? '' : ' ssl'};
    ${tls}
    proxy_read_timeout ${idleSeconds}s;
    ${to('/python', target)}
    ${to('/nobody', nobody)}
    location /bare { proxy_pass http://127.0.0.1:${target}; }
  }
}
`
}
