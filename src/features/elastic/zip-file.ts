/**
 * Reads ZIP archives, as wheels are: the central directory, and members that are stored or deflated, which is all that wheels
 * use. Node has the inflating and the checksum; a library would bring what nobody needs here (writing, encryption, streams).
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { crc32, inflateRawSync } from 'node:zlib'
import { ProvideError } from '../../errors.js'

interface Member {
  readonly method: number
  readonly flags: number
  readonly crc: number
  readonly packedSize: number
  readonly size: number
  readonly offset: number
}

const END_SIGNATURE = 0x06054b50
const ENTRY_SIGNATURE = 0x02014b50
const MEMBER_SIGNATURE = 0x04034b50
const END_BYTES = 22
const ENTRY_BYTES = 46
const MEMBER_BYTES = 30
const MAX_COMMENT_BYTES = 65_535
const ENCRYPTED = 1
const STORED = 0
const DEFLATED = 8

/** An archive, of which the directory has been read. The file is opened for each member: nothing stays open. */
export class ZipFile {
  readonly #path: string
  readonly #members = new Map<string, Member>()

  /** @throws {@link ProvideError} when the file is no archive that can be read. */
  constructor(path: string) {
    this.#path = path
    const size = statSync(path).size
    const tail = this.#bytes(Math.max(0, size - END_BYTES - MAX_COMMENT_BYTES), size)
    let at = tail.length - END_BYTES
    while (at >= 0 && tail.readUInt32LE(at) !== END_SIGNATURE) at--
    if (at < 0) throw this.#fault('it is not a ZIP archive')
    this.#readDirectory(tail.readUInt16LE(at + 10), tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16))
  }

  /** The members that are files. */
  get names(): string[] {
    return [...this.#members.keys()]
  }

  /** @throws {@link ProvideError} when there is no such member, or it is damaged. */
  read(name: string): Buffer {
    const member = this.#members.get(name)
    if (member === undefined) throw this.#fault(`it has no ${name}`)
    const header = this.#bytes(member.offset, member.offset + MEMBER_BYTES)
    if (header.length < MEMBER_BYTES || header.readUInt32LE(0) !== MEMBER_SIGNATURE) throw this.#damaged(name)
    const start = member.offset + MEMBER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28)
    const data = this.#unpack(name, member, this.#bytes(start, start + member.packedSize))
    if (data.length !== member.size || crc32(data) !== member.crc) throw this.#damaged(name)
    return data
  }

  #unpack(name: string, member: Member, packed: Buffer): Buffer {
    if ((member.flags & ENCRYPTED) !== 0) throw this.#fault(`${name} is encrypted`)
    if (member.method === STORED) return packed
    if (member.method !== DEFLATED)
      throw this.#fault(`${name} is packed by method ${member.method}, which no wheel uses`)
    try {
      return inflateRawSync(packed, { maxOutputLength: Math.max(1, member.size) })
    } catch (error) {
      throw this.#damaged(name, error)
    }
  }

  #readDirectory(count: number, size: number, offset: number): void {
    if (offset === 0xffffffff || count === 0xffff) throw this.#fault('it is of more than 4 GiB or 65,535 members')
    const directory = this.#bytes(offset, offset + size)
    for (let at = 0, left = count; left > 0; left--) {
      if (at + ENTRY_BYTES > directory.length || directory.readUInt32LE(at) !== ENTRY_SIGNATURE) {
        throw this.#fault('its directory is damaged')
      }
      const nameBytes = directory.readUInt16LE(at + 28)
      const name = directory.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes)
      if (!name.endsWith('/')) this.#members.set(name, memberAt(directory, at))
      at += ENTRY_BYTES + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
    }
  }

  #bytes(start: number, end: number): Buffer {
    const bytes = Buffer.alloc(Math.max(0, Math.min(end, statSync(this.#path).size) - start)) // of a damaged one, not 4 GiB
    const file = openSync(this.#path, 'r')
    try {
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, start))
    } finally {
      closeSync(file)
    }
  }

  #damaged(name: string, cause?: unknown): ProvideError {
    return this.#fault(`${name} is damaged`, cause)
  }

  #fault(detail: string, cause?: unknown): ProvideError {
    return new ProvideError(`cannot read ${this.#path}: ${detail}. Build or download it again`, {
      path: this.#path,
      cause,
    })
  }
}

function memberAt(directory: Buffer, at: number): Member {
  return {
    flags: directory.readUInt16LE(at + 8),
    method: directory.readUInt16LE(at + 10),
    crc: directory.readUInt32LE(at + 16),
    packedSize: directory.readUInt32LE(at + 20),
    size: directory.readUInt32LE(at + 24),
    offset: directory.readUInt32LE(at + 42),
  }
}
