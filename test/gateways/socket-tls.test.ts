// socket= with tls: who is trusted, who is not, and what is said when one side encrypts and the other does not.

import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { findInterpreter, newestInterpreter } from '../interpreters.js'
import { type Certificate, type Certificates, makeCertificates } from '../testbeds/certificates.js'
import { expectFault } from '../testbeds/fault.js'
import { noOpenssl, titled } from '../testbeds/needs.js'
import { startSocketServer } from '../testbeds/socket-server.js'

const pythons = [findInterpreter('CPython 2.7'), findInterpreter('CPython 3.6'), newestInterpreter()]

describe.skipIf(noOpenssl)(titled('socket= with tls', noOpenssl), () => {
  let folder = ''
  let made: Certificates
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tendril-tls-'))
    made = makeCertificates(folder)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const serverWith = ({ cert, key }: Certificate, python?: string) =>
    startSocketServer({ args: ['--tls', '--cert', cert, '--key', key], ...(python === undefined ? {} : { python }) })
  const fingerprintOf = ({ cert }: Certificate): string => new X509Certificate(readFileSync(cert)).fingerprint256

  async function expectReached(spec: string): Promise<void> {
    await using group = new Group()
    const gateway = await group.makeGateway(spec)
    expect(await gateway.remoteExec('channel.send(6 * 7)').receive()).toBe(42)
  }

  it.for(pythons.filter((each) => each !== undefined))(
    'reaches a server on $name by its authority',
    async ({ command }) => {
      await using server = await serverWith(made.good, command)
      expect(server.spec).toContain('//tls//token_file=')
      await expectReached(`${server.spec}//ca=${made.ca}`)
    },
  )

  it('reaches whoever has the certificate of that fingerprint, whatever its name and age', async () => {
    for (const certificate of [made.selfSigned, made.ofAnotherName, made.expired]) {
      await using server = await serverWith(certificate)
      const fingerprint = fingerprintOf(certificate)
      await expectReached(`${server.spec}//fingerprint=${fingerprint}`)
      await expectReached(`${server.spec}//fingerprint=${fingerprint.replaceAll(':', '').toLowerCase()}`)
    }
  })

  const untrusted: readonly [string, (certificates: Certificates) => Certificate, boolean, RegExp[]][] = [
    ['nobody vouches for', ({ selfSigned }) => selfSigned, false, [/self-signed/, /fingerprint=/]],
    ['another authority made', ({ selfSigned }) => selfSigned, true, [/self-signed/, /ca=/]],
    ['an authority made that is not known', ({ good }) => good, false, [/ca=/]],
    ['is for another name', ({ ofAnotherName }) => ofAnotherName, true, [/127\.0\.0\.1/, /fingerprint=/]],
    ['has expired', ({ expired }) => expired, true, [/expired/, /renewed/]],
  ]
  it.each(untrusted)('does not trust a certificate that %s', async (_, choose, isCaKnown, says) => {
    await using server = await serverWith(choose(made))
    await expectFault({
      spec: `${server.spec}${isCaKnown ? `//ca=${made.ca}` : ''}`,
      code: 'ERR_BOOTSTRAP',
      phase: 'host key',
      says: ['certificate', ...says],
    })
    expect(server.workers()).toEqual([])
  })

  it('does not trust a certificate with another fingerprint', async () => {
    await using server = await serverWith(made.good)
    await expectFault({
      spec: `${server.spec}//fingerprint=${fingerprintOf(made.selfSigned)}`,
      code: 'ERR_BOOTSTRAP',
      phase: 'host key',
      says: ['fingerprint=', 'listening in'],
    })
    expect(server.workers()).toEqual([])
  })

  it('says that a file of authorities cannot be read', async () => {
    await using server = await serverWith(made.good)
    await using group = new Group()
    await expect(group.makeGateway(`${server.spec}//ca=/no/such/file`)).rejects.toMatchObject({
      code: 'ERR_XSPEC',
      message: expect.stringContaining('ca=/no/such/file cannot be read'),
    })
  })

  it('says to a client without tls that the server may want it', async () => {
    await using server = await serverWith(made.good)
    await expectFault({
      spec: server.spec.replace('//tls', ''),
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'authenticate',
      says: ['the key tls'],
    })
    await expectReached(`${server.spec}//ca=${made.ca}`)
  })

  it('says to a client with tls that the server has none', async () => {
    await using server = await startSocketServer()
    await expectFault({
      spec: `${server.spec}//tls`,
      code: 'ERR_HOST_NOT_FOUND',
      phase: 'authenticate',
      says: ['does not speak TLS', 'Leave it away (the key tls)'],
    })
    await expectReached(server.spec)
  })

  it('takes no trust in a certificate without tls', async () => {
    await using group = new Group()
    for (const key of [`ca=${made.ca}`, `fingerprint=${fingerprintOf(made.good)}`])
      await expect(group.makeGateway(`socket=127.0.0.1:9//insecure//${key}`)).rejects.toThrow('add the key tls')
  })

  it('gives up on a server that says nothing', async () => {
    const silent = createServer((socket) => void socket.on('error', () => undefined).resume())
    await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve))
    const bound = silent.address()
    const port = typeof bound === 'object' ? bound?.port : 0
    await using real = await startSocketServer()
    await expectFault({
      spec: `${real.spec.replace(/:\d+/, `:${port}`)}//tls//timeout=1s`,
      code: 'ERR_BOOTSTRAP',
      phase: 'host key',
      says: ['timeout='],
    })
    silent.close()
  })

  it('gives whoever does not get beyond TLS no more time than others', async () => {
    const { cert, key } = made.good
    await using server = await startSocketServer({
      args: ['--tls', '--cert', cert, '--key', key, '--handshake-timeout', '3'],
    })
    const socket = createConnection(server.port, '127.0.0.1')
    await once(socket.resume(), 'close')
    await expectReached(`${server.spec}//ca=${made.ca}`)
  })

  it('speaks no TLS before 1.2', async () => {
    await using server = await serverWith(made.good)
    const { port } = server
    const error = await new Promise<Error>((resolve, reject) => {
      const old = connect({ port, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', rejectUnauthorized: false })
      old.once('error', resolve).once('secureConnect', () => reject(new Error('it did')))
    })
    expect(error.message).toMatch(/protocol|version/i)
  })

  it('makes a certificate at the first start, and the spec that is printed trusts that one', async () => {
    const env = { XDG_CONFIG_HOME: join(folder, 'config') }
    const specs: string[] = []
    for (let starts = 0; starts < 2; starts++) {
      await using server = await startSocketServer({ args: ['--tls'], env })
      specs.push(server.spec)
      await expectReached(server.spec)
    }
    const path = join(folder, 'config', 'tendril', 'tls.pem')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const { raw } = new X509Certificate(readFileSync(path))
    const fingerprint = createHash('sha256').update(raw).digest('hex')
    for (const spec of specs)
      expect(spec).toMatch(new RegExp(`^socket=127\\.0\\.0\\.1:\\d+//tls//fingerprint=${fingerprint}//`))
  })
})
