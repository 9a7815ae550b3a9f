// What becomes of a host's key, and whether the words tell a person what to do.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { HostKeyError } from '../../../src/errors.js'
import type { HostKeyChecking, ResolvedHost } from '../../../src/gateways/kinds/ssh/host.js'
import { admitHostKey } from '../../../src/gateways/kinds/ssh/host-key-policy.js'
import { fingerprint } from '../../../src/gateways/kinds/ssh/known-hosts.js'
import { ConnectFault } from '../../../src/transports/connecting.js'
import { errorOf } from '../../failing.js'
import { byFiles, makeKey, makeScratch, missingTool } from './scratch.js'

const scratch = makeScratch()
const why = missingTool('ssh-keygen')
let key: ReturnType<typeof makeKey>
let other: ReturnType<typeof makeKey>
let files = 0

beforeAll(() => {
  if (why !== undefined) return
  key = makeKey(scratch.at('key'), 'ed25519')
  other = makeKey(scratch.at('other'), 'rsa', ['-b', '2048'])
})

async function hostKnownBy(
  lines: string,
  checking: HostKeyChecking = 'ask',
): Promise<{ host: ResolvedHost; file: string; config: string }> {
  const file = scratch.write(`known-${files++}`, lines)
  const text = `UserKnownHostsFile ${file}\nGlobalKnownHostsFile none\nStrictHostKeyChecking ${checking}\n`
  const config = scratch.write(`config-${files++}`, text)
  return { host: await byFiles('-p 2222 me@web1', config), file, config }
}

async function refusalOf(host: ResolvedHost): Promise<HostKeyError> {
  const fault = await errorOf(admitHostKey(host, key))
  if (!(fault instanceof ConnectFault)) throw new Error(`not refused: ${String(fault)}`)
  const error = fault.errorFor('gw0 (ssh=web1)')
  if (!(error instanceof HostKeyError)) throw new Error(`not about a host key: ${String(error)}`)
  return error
}

describe.skipIf(why !== undefined)(`admitHostKey${why === undefined ? '' : ` (${why})`}`, () => {
  it.each(['yes', 'ask', 'accept-new', 'no'] as const)('accepts a known key with %s', async (checking) => {
    const { host } = await hostKnownBy(`[web1]:2222 ${key.text}\n`, checking)
    expect(await admitHostKey(host, key)).toBeUndefined()
  })

  it.each(['accept-new', 'no'] as const)('accepts an unknown key with %s and writes it down', async (checking) => {
    const { host, file } = await hostKnownBy('', checking)
    expect(await admitHostKey(host, key)).toBeUndefined()
    expect(readFileSync(file, 'utf8')).toBe(`[web1]:2222 ${key.text}\n`)
  })

  it.each(['yes', 'ask'] as const)('refuses an unknown key with %s, and says how to vouch for it', async (checking) => {
    const { host, file, config } = await hostKnownBy('', checking)
    const { message, fingerprint: shown, phase } = await refusalOf(host)
    expect([shown, phase]).toEqual([fingerprint(key.blob), 'host key'])
    expect(message).toContain(`the ssh-ed25519 key of me@web1, ${shown}: it is not in ${file}`)
    expect(message).toContain('"ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" there')
    expect(message).toContain(`"ssh -F ${config} -p 2222 me@web1" once`)
    expect(message).toContain(`"ssh=-o StrictHostKeyChecking=accept-new -F ${config} -p 2222 me@web1"`)
    expect(readFileSync(file, 'utf8')).toBe('')
  })

  it.each(['yes', 'ask', 'accept-new', 'no'] as const)('refuses a changed key with %s', async (checking) => {
    const { host, file } = await hostKnownBy(`# x\n[web1]:2222 ${other.text}\n`, checking)
    const { message } = await refusalOf(host)
    expect(message).toContain(`it shows ssh-ed25519 ${fingerprint(key.blob)}`)
    expect(message).toContain(`${file} line 2 has another kind, ssh-rsa ${fingerprint(other.blob)}`)
    expect(message).toContain(`run "ssh-keygen -R '[web1]:2222' -f ${file}"`)
  })

  it('does not send anybody to ssh-keygen for a pattern, which it leaves alone', async () => {
    const { host, file } = await hostKnownBy(`* ${other.text}\n`)
    expect((await refusalOf(host)).message).toContain(`remove line 1 of ${file}`)
  })

  it.each(['yes', 'no'] as const)('refuses a revoked key with %s', async (checking) => {
    const { host, file } = await hostKnownBy(`@revoked * ${key.text}\n`, checking)
    expect((await refusalOf(host)).message).toContain(`is marked as revoked in ${file} line 1`)
  })

  it('refuses every key while a file cannot be read', async () => {
    const { host } = await hostKnownBy(`[web1]:2222 ${key.text}\n`, 'no')
    mkdirSync(scratch.at('folder'))
    const { message } = await refusalOf({ ...host, globalKnownHostsFiles: [scratch.at('folder')] })
    expect(message).toContain(`${scratch.at('folder')} is there and cannot be read (EISDIR`)
  })

  it('goes on with a note when a new key cannot be written down', async () => {
    const { host } = await hostKnownBy('', 'accept-new')
    const file = '/proc/no/such/place'
    expect(await admitHostKey({ ...host, userKnownHostsFiles: [file] }, key)).toContain(`could not be added to ${file}`)
    expect(existsSync(file)).toBe(false)
  })
})
