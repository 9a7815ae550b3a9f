/** Ways to a Python through the socket server, for the suites. */
import { startSocketServer } from '../testbeds/socket-server.js'
import type { FindWay } from './subject.js'

/**
 * The worker has the connection itself for its stdin and stdout: nobody is in between who could tell how it ended, and its last words
 * are for the log of the server.
 */
export const overSocket: FindWay = async (python) => {
  const server = await startSocketServer()
  return { spec: `${server.spec}//python=${python}`, tellsNoEnd: true, losesLastWords: true, stop: server.stop }
}

/** With a certificate that the server made for itself: what passes goes through the server, which alone can decrypt it. */
export const overTls: FindWay = async (python) => {
  const server = await startSocketServer({ args: ['--tls'] })
  return { spec: `${server.spec}//python=${python}`, tellsNoEnd: true, losesLastWords: true, stop: server.stop }
}
