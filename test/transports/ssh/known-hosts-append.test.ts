// Keys are added as OpenSSH adds them: its ssh-keygen finds them, and removes them again.
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { checkHostKey } from '../../../src/gateways/kinds/ssh/known-hosts.js'
import { addHostKey } from '../../../src/gateways/kinds/ssh/known-hosts-append.js'
import { makeKey, makeScratch, missingTool, run } from './scratch.js'

const scratch = makeScratch()
const why = missingTool('ssh-keygen')
let key: ReturnType<typeof makeKey>

beforeAll(() => {
  if (why === undefined) key = makeKey(scratch.at('key'), 'ed25519')
})

function hostWith(
  file: string | undefined,
  more: { readonly hostname?: string; readonly hashKnownHosts?: boolean } = {},
) {
  const files = { userKnownHostsFiles: file === undefined ? [] : [file], globalKnownHostsFiles: [] }
  return { hostname: 'host', port: 2222, hostKeyAlias: undefined, hashKnownHosts: false, ...files, ...more }
}

describe.skipIf(why !== undefined)(`addHostKey${why === undefined ? '' : ` (${why})`}`, () => {
  it('makes the file and its folder, for this user only', async () => {
    const file = scratch.at('new/folder/known_hosts')
    expect(await addHostKey(hostWith(file), key)).toBe(file)
    expect(readFileSync(file, 'utf8')).toBe(`[host]:2222 ${key.text}\n`)
    expect([statSync(file).mode & 0o777, statSync(dirname(file)).mode & 0o777]).toEqual([0o600, 0o700])
  })

  it('keeps the mode and the lines of a file, and ends its last line first', async () => {
    const file = scratch.write('old', `# mine\nother ${key.text}`, 0o644)
    await addHostKey(hostWith(file), key)
    expect(readFileSync(file, 'utf8')).toBe(`# mine\nother ${key.text}\n[host]:2222 ${key.text}\n`)
    expect(statSync(file).mode & 0o777).toBe(0o644)
  })

  it.each([true, false])('writes what ssh-keygen finds and removes, hashed: %s', async (hashKnownHosts) => {
    const host = hostWith(scratch.at(`keygen-${hashKnownHosts}`), { hashKnownHosts })
    const file = (await addHostKey(host, key)) ?? ''
    expect(readFileSync(file, 'utf8').startsWith('|1|')).toBe(hashKnownHosts)
    expect(await checkHostKey(host, key)).toMatchObject({ kind: 'known' })
    expect((await run('ssh-keygen', ['-F', '[host]:2222', '-f', file])).stdout).toContain(key.text)
    expect((await run('ssh-keygen', ['-R', '[host]:2222', '-f', file])).code).toBe(0)
    expect(await checkHostKey(host, key)).toEqual({ kind: 'unknown' })
  })

  it('loses and tears no line when many add at once', async () => {
    const file = scratch.write('many', 'no newline')
    const hosts = Array.from({ length: 60 }, (_, index) =>
      hostWith(file, { hostname: `host${index}`, hashKnownHosts: index % 2 === 0 }),
    )
    await Promise.all(hosts.map((host) => addHostKey(host, key)))
    for (const host of hosts) expect(await checkHostKey(host, key)).toMatchObject({ kind: 'known' })
    expect(
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    ).toHaveLength(61)
  })

  it('writes nothing where the configuration has no file, and to /dev/null', async () => {
    expect(await addHostKey(hostWith(undefined), key)).toBeUndefined()
    expect(await addHostKey(hostWith('/dev/null'), key)).toBe('/dev/null')
  })

  it.each(['a*', 'a,b', '#a', 'a|b', '@a', 'a\nb'])(
    'never writes the name %j, which would mean something else',
    async (hostname) => {
      await expect(addHostKey(hostWith(scratch.at('names'), { hostname }), key)).rejects.toThrow('no name that')
    },
  )

  it('says when it cannot write', async () => {
    mkdirSync(scratch.at('folder'))
    await expect(addHostKey(hostWith(scratch.at('folder')), key)).rejects.toThrow('EISDIR')
  })
})
