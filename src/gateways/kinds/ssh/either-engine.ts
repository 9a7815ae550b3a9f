/** ssh2, and OpenSSH's own client for hosts on whose way one has no algorithm in common with ssh2: there nothing was tried yet. */
import type { SshEngine } from './connection.js'
import { runProgram } from './program.js'
import { ssh2Engine } from './ssh2-engine.js'
import { NoCommonAlgorithm } from './unreachable.js'

/** For one host. */
export function eitherEngine(): SshEngine {
  let engine = ssh2Engine
  return {
    name: 'either',
    connect: async (host, connecting) => {
      try {
        return await engine.connect(host, connecting)
      } catch (error) {
        if (!(error instanceof NoCommonAlgorithm) || process.platform === 'win32') throw error
        const hasSsh = (await runProgram(['ssh', '-V'], connecting.signal)) !== undefined
        if (!hasSsh) throw error
        engine = (await import('./openssh-engine.js')).opensshEngine
        return engine.connect(host, connecting)
      }
    },
  }
}
