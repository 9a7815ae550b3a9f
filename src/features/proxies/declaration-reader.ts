/**
 * Reads declarations of types, of the few forms that declarations_remote.py writes. A worker wrote them, and the file that they end
 * in may be run: what is anything else must not get there.
 */
import { ProtocolError } from '../../errors.js'

// What has no end is a token, too: to look for the end anew from every place within would take for ever.
const tokens =
  /\/\/[^\n]*|\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?|"(?:[^"\\\n]|\\.)*"?|'[^'\\\n]*'?|-?\d+|[\p{ID_Start}_$][\p{ID_Continue}$]*|=>|\.{3}|[{}[\]():;,?|<>]/gu
const comment = /^\/[/*]/
const name = /^[\p{ID_Start}_$]/u
const literal = /^(?:"(?:[^"\\]|\\.)*"|'[^']*'|-?\d+)$/
// A deeper type is nobody's.
const MAX_DEPTH = 100

/** @throws {@link ProtocolError} when there is anything but interfaces and the import of types of ours. */
export function checkDeclarations(text: unknown): string {
  if (typeof text !== 'string' || /[^\P{Cc}\n]|[\u2028\u2029]/u.test(text) || text.replace(tokens, '').trim() !== '')
    throw unreadable('a character that no type has')
  const reader = new Reader((text.match(tokens) ?? []).filter((token) => !comment.test(token)))
  reader.readFile()
  return text
}

function unreadable(what: string): ProtocolError {
  return new ProtocolError(`the declarations that the worker wrote have something in them that is no type: ${what}`)
}

class Reader {
  readonly #tokens: readonly string[]
  #at = 0
  #depth = 0

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
  }

  readFile(): void {
    while (this.#next() !== undefined) {
      if (this.#takes('import')) this.#import()
      else {
        for (const word of ['export', 'interface']) this.#want(word)
        this.#wantName()
        this.#want('{')
        this.#members()
      }
    }
  }

  #import(): void {
    for (const word of ['type', '{']) this.#want(word)
    do this.#wantName()
    while (this.#takes(','))
    for (const word of ['}', 'from', "'tendril'"]) this.#want(word)
  }

  /** Up to the brace that ends them. */
  #members(): void {
    while (!this.#takes('}')) {
      if (this.#takes('[')) {
        this.#wantName()
        for (const word of [':', 'string', ']']) this.#want(word)
      } else if (this.#next() !== '(') {
        if (this.#next(1) !== ':' && this.#next(1) !== '(' && this.#next(1) !== '?') this.#want('readonly')
        this.#wantKey()
        this.#takes('?')
      }
      if (this.#takes('(')) this.#elements(')')
      this.#want(':')
      this.#type()
      this.#takes(';')
    }
  }

  /** Parameters, or members of a tuple, up to what ends them. */
  #elements(end: string): void {
    while (!this.#takes(end)) {
      this.#takes('...')
      if (this.#next(1) === ':' || (this.#next(1) === '?' && this.#next(2) === ':')) {
        this.#wantName()
        this.#takes('?')
        this.#want(':')
      }
      this.#type()
      if (this.#next() !== end) this.#want(',')
    }
  }

  #type(): void {
    if (++this.#depth > MAX_DEPTH) throw unreadable(`more than ${MAX_DEPTH} inside each other`)
    do {
      this.#simpleType()
      while (this.#takes('[')) this.#want(']')
    } while (this.#takes('|'))
    this.#depth--
  }

  #simpleType(): void {
    if (this.#takes('{')) return this.#members()
    if (this.#takes('[')) return this.#elements(']')
    if (this.#takes('(')) {
      this.#elements(')')
      if (this.#takes('=>')) this.#type()
      return
    }
    this.#wantKey()
    if (!this.#takes('<')) return
    do this.#type()
    while (this.#takes(','))
    this.#want('>')
  }

  #next(ahead = 0): string | undefined {
    return this.#tokens[this.#at + ahead]
  }

  #takes(token: string): boolean {
    if (this.#next() !== token) return false
    this.#at++
    return true
  }

  #want(token: string): void {
    if (!this.#takes(token)) throw unreadable(JSON.stringify(this.#next() ?? 'its end').slice(0, 80))
  }

  #wantName(): void {
    this.#wantThat(name.test(this.#next() ?? ''))
  }

  #wantKey(): void {
    const next = this.#next() ?? ''
    this.#wantThat(name.test(next) || literal.test(next))
  }

  #wantThat(isRight: boolean): void {
    if (isRight) this.#at++
    else this.#want('a name')
  }
}
