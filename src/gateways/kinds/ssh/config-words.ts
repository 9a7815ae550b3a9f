/** The arguments of a line of ssh_config(5), split as OpenSSH does (argv_split of misc.c), which is not how a shell does. */

// A backslash escapes quotes, itself, and outside of quotes a blank; anywhere else it is one.
const QUOTED = String.raw`"(?:\\["'\\]|\\(?!["'\\])|[^"\\])*"|'(?:\\["'\\]|\\(?!["'\\])|[^'\\])*'`
const ARGUMENT = new RegExp(String.raw`(?:\\["'\\ ]|${QUOTED}|[^ \t])+`, 'g')
const PART = new RegExp(String.raw`\\(["'\\ ])|${QUOTED}`, 'g')

/** The words up to a comment, without their quotes. */
export function splitArguments(text: string): string[] {
  const words = text.match(ARGUMENT) ?? []
  const comment = words.findIndex((word) => word.startsWith('#'))
  return (comment < 0 ? words : words.slice(0, comment)).map((word) =>
    word.replace(PART, (part, escaped?: string) => escaped ?? part.slice(1, -1).replace(/\\(["'\\])/g, '$1')),
  )
}
