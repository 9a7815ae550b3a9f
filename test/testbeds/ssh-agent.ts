/** A real ssh-agent with keys of a test in it, which is not the one of who runs the tests. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyPair } from './keys.js'

/** An agent that answers. */
export interface Agent extends AsyncDisposable {
  readonly socket: string
}

/** Starts an agent that holds these keys. */
export async function startAgent(...keys: readonly KeyPair[]): Promise<Agent> {
  const folder = mkdtempSync(join(tmpdir(), 'tendril-agent-'))
  const socket = join(folder, 'agent')
  const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(child.stdout, 'data')
  for (const { file } of keys)
    execFileSync('ssh-add', ['-q', file], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' })
  return {
    socket,
    [Symbol.asyncDispose]: async () => {
      child.kill()
      await once(child, 'exit')
      rmSync(folder, { recursive: true })
    },
  }
}
