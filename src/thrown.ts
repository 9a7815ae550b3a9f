/** What code of the user's throws: it may be anything at all, and refuse to be looked at. */

/** It as an error; one of ours for what is none, or cannot be read. @param prefix - Of the message of ours. */
export function asError(thrown: unknown, prefix = ''): Error {
  try {
    if (!(thrown instanceof Error)) return new Error(`${prefix}${String(thrown)}`, { cause: thrown })
    for (const text of [thrown.name, thrown.message, thrown.stack]) String(text)
    return thrown
  } catch {
    return new Error(`${prefix}something without a text (${typeof thrown})`, { cause: thrown })
  }
}
