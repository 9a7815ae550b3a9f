/** Ways to a Python over WebSockets, for the suites: to the server itself, which serves whatever way is spoken to it. */
import { startSocketServer } from '../testbeds/socket-server.js'
import type { FindWay } from './subject.js'

export const overWebSocket: FindWay = async (python) => {
  const { spec, port, stop } = await startSocketServer()
  const way = spec.replace(/^socket=[^/]*/, `ws=ws://127.0.0.1:${port}`)
  return { spec: `${way}//python=${python}`, tellsNoEnd: true, losesLastWords: true, stop }
}
