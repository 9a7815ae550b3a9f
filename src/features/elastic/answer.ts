/**
 * What the worker is answered: a head of names, behind which the contents of modules and files lie end to end, deflated together
 * (its twin is `unpack` in shelf.py). Contents are no values here: as such they would be encoded, which takes longer than the rest.
 */
import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import { dumps } from '../../core.js'

/** An answer to one question, or what comes unasked. */
export interface Answer {
  readonly id: number | string
  /** How many news had been told when its contents were read: what has changed since is out of date in it. */
  readonly news?: number
  /** What there is of top-level names that the worker did not know yet. */
  readonly indexes?: ReadonlyMap<string, unknown>
  /** The paths of all files of top-level names. */
  readonly listings?: ReadonlyMap<string, readonly string[]>
  readonly modules?: ReadonlyMap<string, Buffer>
  /** Why modules that were asked for cannot be had. */
  readonly failed?: ReadonlyMap<string, string>
  /** Contents, or why they cannot be had. */
  readonly files?: ReadonlyMap<string, Buffer | string>
}

const packed = promisify(deflate)

/**
 * The bytes of an answer, in pieces of so many bytes of contents: code that waits for the first modules runs while the others are
 * on their way. The first piece says what is coming.
 */
export async function* packAnswer(answer: Answer, pieceBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  const { modules = new Map<string, Buffer>(), files = new Map<string, Buffer | string>(), ...head } = answer
  const first = { ...head, coming: [...modules.keys(), ...files.keys()] }
  const pieces = [...piecesOf(modules, files, pieceBytes)].map((piece, at) =>
    packPiece(at === 0 ? first : { news: answer.news }, piece),
  )
  for (const piece of pieces) piece.catch(() => undefined) // whoever takes it learns why
  for (const piece of pieces) yield await piece
}

interface Piece {
  readonly modules: [name: string, content: Buffer][]
  readonly files: [path: string, content: Buffer | string][]
}

function* piecesOf(
  modules: ReadonlyMap<string, Buffer>,
  files: ReadonlyMap<string, Buffer | string>,
  pieceBytes: number,
): Generator<Piece> {
  let piece: Piece = { modules: [], files: [] }
  let left = pieceBytes
  for (const [kind, all] of [['modules', modules] as const, ['files', files] as const]) {
    for (const [name, content] of all) {
      if (left <= 0) {
        yield piece
        piece = { modules: [], files: [] }
        left = pieceBytes
      }
      if (kind === 'files') piece.files.push([name, content])
      else if (typeof content !== 'string') piece.modules.push([name, content])
      left -= content.length
    }
  }
  yield piece
}

function packPiece(head: Readonly<Record<string, unknown>>, { modules, files }: Piece): Promise<Uint8Array> {
  const contents: Buffer[] = []
  const sizeOf = (content: Buffer | string): number | string => {
    if (typeof content === 'string') return content
    contents.push(content)
    return content.length
  }
  const sizes = (all: readonly [string, Buffer | string][]): [string, number | string][] =>
    all.map(([name, content]) => [name, sizeOf(content)]) // in their order, which a dict of Python 2 would lose
  const names = dumps({ ...head, modules: sizes(modules), files: sizes(files) })
  const length = Buffer.alloc(4)
  length.writeUInt32BE(names.length)
  return packed(Buffer.concat([length, names, ...contents]))
}
