// The handshake, held to the file that serve.py is held to as well.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { dialFile, socketServerFile } from '../../../src/index.js'
import { tokenId } from '../../../src/transports/dial-home/handshake.js'
import { answerOf, proof, type Role, readLine, type StartRequest } from '../../../src/transports/socket/handshake.js'
import { interpreters } from '../../interpreters.js'

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const vectorsPath = pathOf('../../vectors/handshake.json')
const vectors = JSON.parse(readFileSync(vectorsPath, 'utf8')) as Vectors // our own file

interface Vectors {
  readonly proofs: readonly {
    name: string
    token: string
    role: Role
    nonces: string[]
    request: string
    proof: string
  }[]
  readonly conversations: readonly {
    name: string
    token: string
    nonces: string[]
    request: StartRequest
    client: string[]
    server: string[]
  }[]
  readonly arrivals: readonly {
    name: string
    token: string
    nonces: string[]
    hostname: string
    source: string
    worker: string[]
    listener: string[]
  }[]
}

describe('the handshake of both languages', () => {
  it.each(vectors.proofs)(
    'proves as handshake.json does: $name',
    ({ token, role, nonces, request, proof: expected }) => {
      expect(proof(token, role, nonces, request)).toBe(expected)
    },
  )

  it('proves nothing twice', () => {
    const { proofs } = vectors
    expect(new Set(proofs.map((row) => row.proof)).size).toBe(proofs.length)
  })

  it.each(vectors.conversations)('says as handshake.json does: $name', ({ token, nonces, request, client, server }) => {
    expect(answerOf(token, nonces, request)).toBe(client[1])
    expect(server[0]).toBe(`TENDRIL 1 ${nonces[1]} ${proof(token, 'server', nonces)}\n`)
  })

  it.each(interpreters())('speaks as handshake.json does in serve.py on $name', ({ command }) => {
    const args = [pathOf('../../fixtures/handshake.py'), 'serve', socketServerFile, vectorsPath]
    const report: unknown = JSON.parse(execFileSync(command, args, { encoding: 'utf8' }))
    expect(report).toEqual({ checked: vectors.proofs.length + vectors.conversations.length, faults: [] })
  })

  it.each(vectors.arrivals)(
    'says as handshake.json does: $name',
    ({ token, nonces, hostname, source, worker, listener }) => {
      const name = Buffer.from(hostname).toString('hex')
      expect(worker).toEqual([
        `TENDRIL 1 ${nonces[0]} ${tokenId(token)}\n`,
        `${proof(token, 'worker', nonces, name)} ${name}\n`,
      ])
      expect(listener).toEqual([
        `TENDRIL 1 ${nonces[1]} ${proof(token, 'listener', nonces)}\n`,
        `TENDRIL 1 ok ${Buffer.byteLength(source)}\n${source}`,
      ])
    },
  )

  it.each(interpreters())('speaks as handshake.json does in dial.py on $name', ({ command }) => {
    const args = [pathOf('../../fixtures/handshake.py'), 'dial', dialFile, vectorsPath]
    const report: unknown = JSON.parse(execFileSync(command, args, { encoding: 'utf8' }))
    expect(report).toEqual({ checked: vectors.proofs.length + vectors.arrivals.length, faults: [] })
  })
})

describe('readLine', () => {
  const never = new AbortController().signal
  const open = (): Duplex => new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })

  it('takes a line and leaves what comes behind it, however the bytes come', async () => {
    const bytes = Buffer.from('TENDRIL 1 ok\nthe worker’s\n')
    for (let size = 1; size <= bytes.length; size++) {
      const stream = open()
      for (let at = 0; at < bytes.length; at += size) stream.push(bytes.subarray(at, at + size))
      expect(await readLine(stream, never)).toBe('TENDRIL 1 ok')
      stream.push(null)
      expect(Buffer.concat(await stream.toArray()).toString()).toBe('the worker’s\n')
    }
  })

  it('leaves nobody listening when it is over', async () => {
    const stream = open()
    const before = stream.eventNames()
    stream.push('line\n')
    await readLine(stream, never)
    expect(stream.eventNames()).toEqual(before)
  })
})
