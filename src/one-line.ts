/** Text that is not ours, for a line of a message, a report or a log: it can neither begin a line of its own nor move a terminal's cursor. */
export function onOneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => shortForms[character] ?? hexadecimal(character))
}

const shortForms: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function hexadecimal(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}
