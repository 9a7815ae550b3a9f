/** Placeholder while the engine is written. */
import type { SshEngine } from './connection.js'

export const opensshEngine: SshEngine = {
  name: 'openssh',
  connect: () => Promise.reject(new Error('not yet')),
}
