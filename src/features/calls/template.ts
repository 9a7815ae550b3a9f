/**
 * Python as a tagged template. Its values are variables there, never text; its text goes to a gateway once, as a source that is
 * pushed ahead of its first use (PROTOCOL.md §12). Twin: sources.py.
 */
import { type BaseGateway, dedent } from '../../core.js'
import { withDelivery } from './call-errors.js'
import { callSiteOf } from './call-site.js'
import type { Performer } from './performer.js'

/** The text of a template, and the file that tracebacks name. */
interface Template {
  readonly file: string
  /** Each line where it stands in the file. */
  readonly source: string
}

// By what the language makes once for every place where a template stands.
const templates = new WeakMap<TemplateStringsArray, Template>()

/** The templates that one gateway has been sent, and their numbers. */
export class SentTemplates {
  readonly #gateway: BaseGateway
  readonly #numbers = new WeakMap<TemplateStringsArray, number>()
  readonly #unused: FinalizationRegistry<number>
  #count = 0

  constructor(gateway: BaseGateway, performer: Performer) {
    this.#gateway = gateway
    this.#unused = new FinalizationRegistry((number) => performer.command('forget', number))
  }

  /**
   * The number of a template, which is sent when it is new.
   *
   * @param tag - The function that was called with it, and is still running.
   * @throws TypeError when it was not called as the tag of a template.
   */
  numberOf(strings: TemplateStringsArray, tag: (...args: never[]) => unknown): number {
    const known = this.#numbers.get(strings)
    if (known !== undefined) return known
    const number = this.#count + 1
    this.#push(number, templateOf(strings, tag))
    this.#count = number
    this.#numbers.set(strings, number)
    this.#unused.register(strings, number)
    return number
  }

  #push(number: number, template: Template): void {
    try {
      this.#gateway.push({ [`_tendril.templates.${number}`]: { ...template, package: false } })
    } catch (error) {
      throw withDelivery(error, 'not-sent')
    }
  }
}

function templateOf(strings: TemplateStringsArray, tag: (...args: never[]) => unknown): Template {
  const known = templates.get(strings)
  if (known !== undefined) return known
  const { file, line } = callSiteOf(tag)
  const template = { file, source: '\n'.repeat(line - 1) + dedentTemplate(textOf(strings)) }
  templates.set(strings, template)
  return template
}

/** As it is written, for Python to read the escapes, but for those without which it could not stand in a template. */
function textOf(strings: TemplateStringsArray): string {
  if (!Array.isArray(strings?.raw)) {
    throw new TypeError(
      'py is the tag of a template: write gateway.py`1 + 1`. For text that a variable holds, there is eval',
    )
  }
  return strings.raw
    .map((part, at) => (at === 0 ? '' : `_value_${at - 1}`) + part.replace(/\\(`|\$\{)/g, '$1'))
    .join('')
}

/** The first line stands right behind the backtick: it says nothing of how the others are indented. */
function dedentTemplate(text: string): string {
  const [first = ''] = text.split('\n', 1)
  if (first.trim() === '') return dedent(text)
  const rest = dedent(text.slice(first.length))
  const isBlock = /:\s*(#.*)?$/.test(first) && /^\s*\n\S/.test(rest)
  return first.trimStart() + (isBlock ? rest.replace(/\n(?=.)/g, '\n    ') : rest)
}
