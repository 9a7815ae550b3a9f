// What operations of the sweep have in common.

export function range(n, make) {
  return Array.from({ length: n }, (_, i) => make(i))
}

/** One after the other. */
export async function each(n, run) {
  for (let i = 0; i < n; i++) await run(i)
}

export async function together(n, run) {
  await Promise.all(range(n, run))
}

/** Runs it when it is called, to its end. */
export function go(gateway, source, names) {
  return async () => {
    await gateway.remoteExec(source, names).waitClose()
  }
}

/** What a promise rejects with: that it does is what is measured. */
export async function failureOf(promise) {
  try {
    await promise
  } catch (error) {
    return void error.message
  }
  throw new Error('it has not failed')
}
