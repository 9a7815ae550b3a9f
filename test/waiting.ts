/** Waiting in tests: for an event where there is one, and with this where nobody tells. */
import { vi } from 'vitest'

/**
 * Asks until something is so: the doings of a process that is not ours, a count that falls.
 *
 * @param ms - After which it is an error, half a minute when absent.
 */
export async function until(isTrue: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const end = performance.now() + ms
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`not within ${ms / 1000} s: ${isTrue}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Tries an assertion until it holds; after half a minute it fails as it did last. */
export function eventually(assertion: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(assertion, { timeout: 30_000 })
}
