/** Workers that dial home, for the suites: over each of the connections on which they can come. */
import { spawn } from 'node:child_process'
import { type Certificate, dialFile } from '../../src/index.js'
import { selfSigned } from '../../src/transports/dial-home/certificate.js'
import { readInvitation } from '../testbeds/dialer.js'
import type { FindWay } from './subject.js'

/** The last words of a worker are for the terminal where it was started; nobody tells how it ended. */
export function dialingHome(scheme: 'tcp' | 'tls' | 'ws' | 'wss'): FindWay {
  return async (python) => {
    const isTls = scheme === 'tls' || scheme === 'wss'
    const tls: Certificate | undefined = isTls ? await selfSigned() : undefined
    return {
      spec: '',
      tellsNoEnd: true,
      losesLastWords: true,
      open: async (group, keys) => {
        const isVariable = (key: string): boolean => key.startsWith('env:')
        const variables = keys.filter(isVariable).map((key) => key.slice('env:'.length).split(/=(.*)/s))
        const spec = keys.filter((key) => !isVariable(key)).join('//')
        let fail: (reason: Error) => void = () => undefined
        const failed = new Promise<never>((_, reject) => {
          fail = reject
        })
        const onRefusal = (_: string, reason: Error): void => fail(reason)
        using arrivals = await group.listen({ tls, spec: spec === '' ? undefined : spec, onRefusal })
        const url = `${scheme}://127.0.0.1:${arrivals.port}`
        const { address, token } = readInvitation(arrivals.invite({ url }))
        const env = { ...process.env, ...Object.fromEntries(variables), TENDRIL_TOKEN: token }
        spawn(python, [dialFile, address], { env, stdio: 'ignore', detached: true }).unref()
        const gateway = await Promise.race([arrivals.next(), failed])
        if (gateway === undefined) throw new Error('nobody came')
        return gateway
      },
    }
  }
}
