/**
 * Gives one gateway the modules that its code imports. The worker is told the top-level names (in a PUSH, which keeps its place
 * ahead of all that is executed later), and asks for the rest over a channel, which is answered in the order of the questions.
 */
import { asError, type BaseGateway, type Channel, dumps, equip } from '../../core.js'
import { type Answer, packAnswer } from './answer.js'
import { Library, topOf } from './library.js'
import { isSameIndex, type TopIndex } from './module-index.js'
import type { Root } from './root.js'
import type { SourceFile } from './source-file.js'
import { wholePackages } from './whole-packages.js'

/** What the worker sends: the modules that it lacks, or a file of a top-level package, `null` for which there are. */
type Request =
  | { readonly id: number; readonly modules: readonly string[] }
  | { readonly id: number; readonly top: string; readonly file: string | null }

/** Of the contents of an answer: a few turns of a TCP connection that has just begun. */
const PIECE_BYTES = 128 * 1024
/** Of a question. */
const MOST_ASKED_BYTES = 1024 * 1024
/** Of a name: what is longer, or deeper, is no module of any system, and all its parents would be looked for. */
const MOST_CHARACTERS = 1000
const MOST_PARTS = 100
/** Of what nobody waits for yet: long enough to travel as mere bytes, which costs less before the worker has said what it reads. */
const AHEAD_PIECE_BYTES = 1024 * 1024

/** One gateway's end of it. */
export class Provider {
  readonly #gateway: BaseGateway
  readonly #channel: Channel<unknown, unknown, BaseGateway>
  #library = new Library([])
  /** What the worker has, by name, with the hash of what was sent. */
  readonly #sent = new Map<string, string>()
  /** The top-level names that the worker knows all about, with what it knows. */
  readonly #indexed = new Map<string, TopIndex>()
  /** The last answer's sending, so that answers go out in order though each is packed on its own. */
  #last: Promise<void> = Promise.resolve()
  #news = 0

  constructor(gateway: BaseGateway) {
    this.#gateway = gateway
    this.#channel = gateway.ownChannel(() => MOST_ASKED_BYTES)
    equip(gateway, import.meta.url, ['elastic', 'shelf', 'imports', 'provided', 'resources', 'yielding'])
    void this.#serve()
  }

  /**
   * Adds roots, looks at all files again, and sends what is to go ahead.
   *
   * @throws {@link ProvideError} for a package that no root has, or that cannot be read: nothing has changed then.
   */
  provide(roots: readonly Root[], packages: readonly string[]): void {
    const library = this.#library.with(roots)
    const ahead = wholePackages(library, packages)
    this.#library = library
    const changed = new Set(
      [...this.#sent].filter(([name, hash]) => library.hashOf(name) !== hash).map(([name]) => name),
    )
    const dropped = changed.size === 0 ? [] : [...library.affectedBy(changed, this.#sent.keys())]
    const stale = [...this.#indexed]
      .filter(([top, known]) => !isSameIndex(known, library.indexOf(top)))
      .map(([top]) => top)
    for (const name of changed) this.#sent.delete(name)
    for (const top of stale) this.#indexed.delete(top)
    const id = `ahead ${this.#news + 1}`
    this.#tell({
      channel: this.#channel.id,
      roots: library.searched,
      tops: library.tops,
      ahead: ahead === undefined ? [] : [id],
      changed: [...changed],
      dropped,
      stale,
    })
    if (ahead === undefined) return
    const modules = [...ahead.sources].filter(([name]) => !this.#sent.has(name))
    this.#send(
      { ...this.#withModules(new Map(modules), packages), id, files: ahead.files, listings: ahead.listings },
      AHEAD_PIECE_BYTES,
    )
  }

  /** Whether a package is to be had. */
  has(name: string): boolean {
    return this.#library.namesIn(name).length > 0
  }

  /** Puts news ahead of all that is executed later. */
  #tell(news: Readonly<Record<string, unknown>>): void {
    const source = Buffer.from(dumps(news)).toString('latin1')
    const name = `_tendril.elastic.${++this.#news}`
    this.#gateway.push({ [name]: { file: `<tendril>/${name}`, source, package: false } })
  }

  async #serve(): Promise<void> {
    try {
      while (true) {
        const request = parseRequest(await this.#channel.receiveQuietly())
        if (request === undefined) continue
        await this.#last // a worker that does not read what it asks for is given no more of it
        this.#send(this.#answer(request))
      }
    } catch {
      // the gateway has ended, and nobody is there to be answered
    }
  }

  /** Always something: nobody on the other side is to wait for ever. */
  #answer(request: Request): Answer {
    try {
      return 'modules' in request ? this.#modules(request) : this.#file(request)
    } catch (error) {
      const why = asError(error).message
      if ('modules' in request) return { id: request.id, failed: new Map(request.modules.map((name) => [name, why])) }
      return { id: request.id, files: new Map(request.file === null ? [] : [[request.file, why]]) }
    }
  }

  /** In the order of the calls. What cannot be sent any more is wanted by nobody. */
  #send(answer: Answer, pieceBytes = PIECE_BYTES): void {
    const pieces = packAnswer(answer, pieceBytes)
    this.#last = this.#last
      .then(async () => {
        for await (const piece of pieces) await this.#channel.send(piece)
      })
      .catch(() => undefined)
  }

  #modules({ id, modules: names }: Extract<Request, { modules: unknown }>): Answer {
    const { sources, failed } = this.#library.closure(names, (name) => this.#sent.has(name))
    const those = new Set(names)
    const asked = [...failed].filter(([name]) => those.has(name)) // of the others nobody knows that they were to come
    return { id, ...this.#withModules(sources, names), failed: new Map(asked) }
  }

  /** Modules with what the worker does not know yet of their packages, and of what was asked for. */
  #withModules(sources: ReadonlyMap<string, SourceFile>, names: readonly string[]): Omit<Answer, 'id'> {
    for (const [name, { hash }] of sources) this.#sent.set(name, hash)
    return {
      news: this.#news,
      indexes: this.#indexesOf(new Set([...names, ...sources.keys()].map(topOf))),
      modules: new Map([...sources].map(([name, { bytes }]) => [name, bytes])),
    }
  }

  #file({ id, top, file }: Extract<Request, { top: unknown }>): Answer {
    const files = new Map<string, Buffer | string>()
    if (file !== null) files.set(file, this.#library.read(top, file))
    return { id, files, listings: this.#library.listingsOf([top]) }
  }

  /** Of those that the worker does not know yet. */
  #indexesOf(tops: ReadonlySet<string>): Map<string, unknown> {
    const indexes = new Map<string, unknown>()
    for (const top of tops) {
      const index = this.#library.indexOf(top)
      if (index === undefined || this.#indexed.has(top)) continue
      this.#indexed.set(top, index)
      indexes.set(top, index.portions)
    }
    return indexes
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isName(text: string): boolean {
  if (text.length < MOST_PARTS) return true
  return text.length <= MOST_CHARACTERS && text.split('.', MOST_PARTS + 1).length <= MOST_PARTS
}

/** What the worker may ask; anything else is not answered. */
function parseRequest(value: unknown): Request | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { id, modules, top, file } = value as Record<string, unknown> // a plain object: each field is checked below
  if (typeof id !== 'number') return undefined
  if (Array.isArray(modules) && modules.every(isText)) return { id, modules: [...new Set(modules)].filter(isName) }
  if (typeof top === 'string' && (typeof file === 'string' || file === null)) return { id, top, file }
  return undefined
}
