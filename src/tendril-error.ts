/** What every error of tendril is: a class with a name, a stable code and a brand that other installs of the package know. */

const brand = Symbol.for('tendril.error')

/** What every error takes beside its message. */
export interface TendrilErrorOptions {
  /** What made this happen, when something did. */
  readonly cause?: unknown
}

/** The class that every error of tendril extends. */
export abstract class TendrilError extends Error {
  /** Stable across versions: for programs, as the message is for people. */
  abstract readonly code: string

  static override [Symbol.hasInstance](value: unknown): boolean {
    // A class of the user's that extends one of ours has no brand of its own: it is asked as usual.
    if (!Object.hasOwn(this.prototype, brand)) return Function.prototype[Symbol.hasInstance].call(this, value)
    if (typeof value !== 'object' || value === null || !(brand in value)) return false
    return this === TendrilError || value[brand] === Object.getOwnPropertyDescriptor(this.prototype, brand)?.value
  }
}

/** Gives error classes their names and brands. Names live on the prototypes: V8 writes the first line of `stack` before any field is set. */
export function brandErrors(classes: Readonly<Record<string, { readonly prototype: TendrilError }>>): void {
  for (const [name, errorClass] of Object.entries(classes)) {
    Object.defineProperty(errorClass.prototype, 'name', { value: name, configurable: true, writable: true })
    Object.defineProperty(errorClass.prototype, brand, { value: name })
  }
}
