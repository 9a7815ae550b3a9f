/** What code of the user's throws: it may be anything at all, and refuse to be looked at. */

/** It as an error; one of ours for what is none, or cannot be read. @param prefix - Of the message of ours. */
export function asError(thrown: unknown, prefix = ''): Error {
  try {
    if (!isError(thrown)) return new Error(`${prefix}${String(thrown)}`, { cause: thrown })
    for (const text of [thrown.name, thrown.message, thrown.stack]) String(text)
    return thrown
  } catch {
    return new Error(`${prefix}something without a text (${typeof thrown})`, { cause: thrown })
  }
}

/** Also of another realm, as Jest's environment is one: `instanceof` knows only the classes of this one. */
function isError(thrown: unknown): thrown is Error {
  if (thrown instanceof Error) return true
  const tag = Object.prototype.toString.call(thrown)
  return tag === '[object DOMException]' || (tag === '[object Error]' && !(Symbol.toStringTag in Object(thrown)))
}
