/**
 * Programs that lead to a worker may repeat their command line when they complain, as sudo does, or list their variables; the values of those of a
 * spec, which may be secrets, are taken out of that.
 */
import { shellWord } from './remote-python.js'

/** Between a name and its value: `NAME=`, `'NAME': '`, and what sh is given for a value with quotes. */
const between = String.raw`\W{1,9}(?:\(printf %b ")?`
const BETWEEN_CHARACTERS = 30

/** What such a program said, with `NAME=…` for each variable of a spec. */
export function withoutValues(said: string, env: Readonly<Record<string, string>>): string {
  let text = said
  for (const [name, value] of Object.entries(env)) {
    if (value === '' || !text.includes(name)) continue
    for (const form of formsOf(value)) text = withoutForm(text, name, form)
  }
  return text
}

/** How a value is written: to sh, in quotes, in JSON, as bytes of which each is a character, and as it is. */
function formsOf(value: string): Set<string> {
  const inJson = JSON.stringify(value).slice(1, -1)
  const inAscii = inJson.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  const quoted = [String.raw`'\''`, `'"'"'`, String.raw`\'`].map((quote) => value.replaceAll("'", () => quote))
  const bytes = Buffer.from(value).toString('latin1')
  return new Set([shellWord(value), shellWord(`${value}.`), ...quoted, inJson, inAscii, bytes, value])
}

function withoutForm(text: string, name: string, form: string): string {
  const ahead = new RegExp(`(?<!\\w)${literally(name)}${between}$`)
  let kept = ''
  let rest = 0
  for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) {
    const found = ahead.exec(text.slice(Math.max(rest, at - name.length - BETWEEN_CHARACTERS), at))
    if (found === null) continue
    kept += `${text.slice(rest, at - found[0].length)}${name}=…`
    rest = at + form.length
    at = rest - 1
  }
  return kept + text.slice(rest)
}

function literally(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)
}
