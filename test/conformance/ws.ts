/** Ways to a Python over WebSockets, for the suites: to the server itself, which serves whatever way is spoken to it, and through a proxy. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificates } from '../testbeds/certificates.js'
import { startNginx } from '../testbeds/nginx.js'
import { startSocketServer } from '../testbeds/socket-server.js'
import type { FindWay } from './subject.js'

export const overWebSocket: FindWay = async (python) => {
  const { spec, port, stop } = await startSocketServer()
  const way = spec.replace(/^socket=[^/]*/, `ws=ws://127.0.0.1:${port}`)
  return { spec: `${way}//python=${python}`, tellsNoEnd: true, losesLastWords: true, stop }
}

/** Encrypted up to the proxy. */
export const throughNginx: FindWay = async (python) => {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-nginx-tls-'))
  const { ca, good } = makeCertificates(folder)
  const server = await startSocketServer()
  const nginx = await startNginx({ target: server.port, certificate: good })
  const stop = async (): Promise<void> => {
    await nginx.stop()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  const spec = `ws=${nginx.url}//ca=${ca}//token_file=${server.folder}/token//python=${python}`
  return { spec, tellsNoEnd: true, losesLastWords: true, stop }
}
