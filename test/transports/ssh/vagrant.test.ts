// Vagrant tells how to reach its machines in the words of ssh_config; a script that answers as it does stands in for it.
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { XSpecError } from '../../../src/errors.js'
import { resolveHost } from '../../../src/gateways/kinds/ssh/resolve.js'
import { vagrantTarget } from '../../../src/gateways/kinds/ssh/vagrant.js'
import { makeScratch, missingTool, targetByFiles } from './scratch.js'

const scratch = makeScratch()
const noSsh = missingTool('ssh')
const folder = fileURLToPath(new URL('../../fixtures/vagrant', import.meta.url))

beforeEach(() => {
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`)
})

afterEach(() => {
  vi.unstubAllEnvs()
})

describe.skipIf(process.platform === 'win32')('vagrantTarget', () => {
  it('leads to the machine with the settings that vagrant tells', async () => {
    const target = await vagrantTarget('default')
    const host = await targetByFiles(target)
    expect(host).toMatchObject({
      destination: 'default',
      hostname: '127.0.0.1',
      port: 2222,
      user: 'vagrant',
      identityFiles: ['/home/me/my boxes/.vagrant/machines/default/virtualbox/private_key'],
      identitiesOnly: true,
      strictHostKeyChecking: 'no',
      userKnownHostsFiles: ['/dev/null'],
      authentications: ['publickey', 'keyboard-interactive'],
    })
  })

  it.skipIf(noSsh !== undefined)(`leads ssh there too${noSsh === undefined ? '' : ` (${noSsh})`}`, async () => {
    const host = await resolveHost(await vagrantTarget('default'))
    expect(host).toMatchObject({ hostname: '127.0.0.1', port: 2222, user: 'vagrant', strictHostKeyChecking: 'no' })
    expect(host.identityFiles).toEqual(['/home/me/my boxes/.vagrant/machines/default/virtualbox/private_key'])
  })

  it('uses the name that vagrant gives a machine with a global id', async () => {
    expect((await vagrantTarget('1a2b3c4')).destination).toBe('default')
  })

  it('adds what ssh_config= says to what vagrant does not set', async () => {
    const target = await vagrantTarget('default', { configFile: scratch.write('more', 'User me\nCompression yes\n') })
    const host = await targetByFiles(target)
    expect(host).toMatchObject({ user: 'vagrant', compression: true })
  })

  it('says what vagrant says of a machine that is not there', async () => {
    await expect(vagrantTarget('web1')).rejects.toThrow(/exited with code 1: .*'web1' was not found.*vagrant up web1/)
  })

  it('says that there is no vagrant', async () => {
    vi.stubEnv('PATH', scratch.path)
    await expect(vagrantTarget('default')).rejects.toThrow('there is no vagrant on PATH')
  })

  it.each(['-x', 'a\nb'])('refuses the name %j', async (name) => {
    await expect(vagrantTarget(name)).rejects.toThrow(XSpecError)
  })
})
