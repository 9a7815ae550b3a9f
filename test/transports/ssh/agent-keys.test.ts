// A real ssh-agent: what it holds decides which engine can log in.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { keyTypesInAgent } from '../../../src/gateways/kinds/ssh/agent-keys.js'
import { byFiles, makeKey, makeScratch, missingTool, run } from './scratch.js'

const scratch = makeScratch()
const why = missingTool('ssh-agent')
const socket = scratch.at('agent')
let agent: ChildProcess

beforeAll(async () => {
  if (why !== undefined) return
  agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(agent.stdout ?? agent, 'data')
})

afterAll(() => {
  agent?.kill()
})

afterEach(() => {
  vi.unstubAllEnvs()
})

async function ssh(tool: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await run(tool, args)
  if (code !== 0) throw new Error(stderr)
}

describe.skipIf(why !== undefined)(`keyTypesInAgent${why === undefined ? '' : ` (${why})`}`, () => {
  it('tells the kinds of keys, certificates too', async () => {
    vi.stubEnv('SSH_AUTH_SOCK', socket)
    const config = scratch.write('config', 'IdentityFile none\n')
    expect(await keyTypesInAgent(socket)).toEqual([])
    makeKey(scratch.at('plain'), 'rsa', ['-b', '2048'])
    await ssh('ssh-add', scratch.at('plain'))
    expect(await keyTypesInAgent(socket)).toEqual(['ssh-rsa'])
    expect((await byFiles('web1', config)).needsOpenSsh).toBeUndefined()
    makeKey(scratch.at('ca'), 'ed25519')
    makeKey(scratch.at('certified'), 'ed25519')
    await ssh('ssh-keygen', '-q', '-s', scratch.at('ca'), '-I', 'me', '-n', 'me', scratch.at('certified.pub'))
    await ssh('ssh-add', scratch.at('certified'))
    expect(await keyTypesInAgent(socket)).toEqual(['ssh-rsa', 'ssh-ed25519', 'ssh-ed25519-cert-v01@openssh.com'])
    expect((await byFiles('web1', config)).needsOpenSsh).toBe('a certificate in the agent')
    expect((await byFiles('-o IdentitiesOnly=yes web1', config)).needsOpenSsh).toBeUndefined()
  })
})

describe.skipIf(process.platform === 'win32')('keyTypesInAgent', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a failure', Buffer.from([0, 0, 0, 1, 5])],
    ['a list that is cut short', Buffer.from([0, 0, 0, 9, 12, 0, 0, 0, 1, 0, 0, 0, 99])],
    ['something else', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('tells none where the agent answers %s', async (name, answer) => {
    const path = scratch.at(name.replaceAll(' ', ''))
    const server: Server = createServer((client) => client.end(answer)).listen(path)
    await once(server, 'listening')
    expect(await keyTypesInAgent(path)).toEqual([])
    server.close()
  })

  it('tells none where there is no agent', async () => {
    expect(await keyTypesInAgent(scratch.at('nobody'))).toEqual([])
  })
})
