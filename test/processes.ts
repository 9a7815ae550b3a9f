/** What the tests ask the operating system about processes: whether they are gone, and which ones carry a mark. */
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

/** Whether no such process runs any more; a zombie does not run. */
export function isGone(pid: number): boolean {
  const state = /^\d+ \(.*\) (\S)/s.exec(read(`/proc/${pid}/stat`))?.[1]
  return state === undefined || state === 'Z'
}

/**
 * Waits until all of them are gone; gives those that stay: what is still there after half a minute would stay for ever.
 * A guard of tendril's takes a second or two of it (README promises two), and a busy machine the rest.
 */
export async function thoseThatStay(pids: () => readonly number[]): Promise<number[]> {
  const end = performance.now() + 30_000
  while (true) {
    const left = pids().filter((pid) => !isGone(pid))
    if (left.length === 0 || performance.now() > end) return left
    await new Promise((resolve) => setTimeout(resolve, 20)) // nobody tells the end of a process that is not our child
  }
}

// One of the names that every worker has from its start on.
const NAME = 'MALLOC_TENDRIL_MARK'

/** A variable for the environment of a worker: all that the worker starts has it too. */
export class Mark {
  readonly #text = `${NAME}=${randomUUID()}`
  /** The key of an xspec that sets it. */
  readonly key: string = `env:${this.#text}`
  /** The variable, for a process that we start. */
  readonly variables: Readonly<Record<string, string>> = { [NAME]: this.#text.slice(`${NAME}=`.length) }

  /** The processes that have it and run. */
  readonly pids = (): number[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/environ`).includes(this.#text))
      .map(Number)
      .filter((pid) => !isGone(pid))

  /** What those of them run that sleep: there is such a line when `sleep` is begun, and a SIGINT ends it. */
  readonly sleeps = (): string[] =>
    this.pids()
      .map((pid) => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim())
      .filter((line) => line.startsWith('sleep '))
}

/** Our own children that have ended and that nobody has waited for. */
export function zombies(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => new RegExp(`^\\d+ \\(.*\\) Z ${process.pid} `, 's').test(read(`/proc/${name}/stat`)))
    .map(Number)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // it has ended meanwhile
  }
}
