/** A promise and what resolves it. */
export interface Settled<T> {
  readonly promise: Promise<T>
  readonly settle: (value: T) => void
}

/** Makes a promise that somebody else resolves. */
export function settled<T>(): Settled<T> {
  let settle: (value: T) => void = () => undefined
  const promise = new Promise<T>((resolve) => {
    settle = resolve
  })
  return { promise, settle }
}
