/** Specs as templates, `` spec`ssh=${host}//env:NAME=${text}` ``: the text is the program's, and values stay values. */
import { XSpecError } from '../errors.js'
import { XSpec } from './xspec.js'
import { shown, type Word } from './xspec-keys.js'
import { checkCharacters, decodeText, segmentsOf, splitSegment } from './xspec-text.js'
import { formatValue, type Piece } from './xspec-values.js'

// Stands for a value while the text is taken apart; no spec has one.
const mark = '\0'

/**
 * Makes a spec of text with values in it that nobody has checked: a host from a form cannot bring another key, an option or a second word.
 *
 * A value stands in what follows a `=`, or before `*` as the number of gateways. In keys that take words (`python`, `ssh`, …) it is one word; an array is
 * several, of which the last is the host. `roots`, `provide`, `tag` and `preload` take arrays, too.
 *
 * @throws {@link XSpecError} as `XSpec.parse` does; for a value elsewhere, with a NUL, or which begins with `-` or has a blank where it names a host,
 *   a user, a container, a partition or a gateway.
 * @example
 * ```ts
 * const host = 'web1'
 * const text = 'a//b'
 * String(spec`ssh=${host}//env:GREETING=${text}`) // 'ssh=web1//env:GREETING*=a%2F%2Fb'
 * ```
 */
export function spec(strings: TemplateStringsArray, ...values: readonly (Word | bigint | readonly Word[])[]): XSpec {
  const text = textOf(strings)
  const rest: unknown[] = [...values]
  const [, digits] = /^(\d+|\0)\*/.exec(text) ?? []
  const count = digits === undefined ? '' : `${digits === mark ? countOf(rest.shift()) : digits}*`
  const whole = shown(text.replaceAll(mark, '…'))
  const segments = segmentsOf(digits === undefined ? text : text.slice(digits.length + 1))
  return XSpec.parse(count + segments.map((segment) => filled(segment, rest, whole)).join('//'))
}

function textOf(strings: TemplateStringsArray): string {
  if (!Array.isArray(strings))
    throw new XSpecError('spec is written ahead of a template: spec`popen`; XSpec.from takes texts and objects')
  const literals = strings.map((literal: string | undefined) => {
    if (literal === undefined) throw new XSpecError('a template of a spec has an escape that JavaScript does not know')
    checkCharacters(literal, 'a template of a spec')
    return literal
  })
  return literals.join(mark)
}

function countOf(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value)) return value
  throw new XSpecError(
    `how many gateways there are to be is a whole number, not ${typeof value === 'number' ? value : typeof value}`,
  )
}

/** A part with its values in it, which are taken from the beginning of `values`. */
function filled(segment: string, values: unknown[], whole: string): string {
  const { key, value, isEncoded } = splitSegment(segment)
  if (key.includes(mark)) throw new XSpecError(`\${} stands for values, behind "=", and not for keys, in "${whole}"`)
  if (value?.includes(mark) !== true) return segment
  const pieces = value.split(mark).flatMap((text, index): Piece[] => {
    const literal = literalOf(key, text, isEncoded, whole)
    return index === 0 ? [literal] : [{ value: values.shift() }, literal]
  })
  return formatValue(key, pieces, whole)
}

function literalOf(key: string, text: string, isEncoded: boolean, whole: string): { literal: string } {
  const literal = isEncoded ? decodeText(text) : text
  if (literal === undefined) throw new XSpecError(`"${key}*" is not percent-encoded UTF-8 in "${whole}"`)
  return { literal }
}
