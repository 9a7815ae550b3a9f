/** The end of the program: tasks that nobody waits for have a moment more, so that what fails at once is told. Nobody is held up for long by one that goes on. */
import { sleep } from '../timer.js'

// A second; more where this process stands still, which may keep it from reading what the worker has said long ago.
const LOOKS = 100
const LOOK_MS = 10

/** What is known of a gateway's tasks. */
export interface Tasks {
  readonly runsTasks: () => boolean
  /** Keeps the process alive; what it gives lets go. */
  readonly keepAlive: () => () => void
}

const live = new Set<Tasks>()
process.on('beforeExit', () => {
  for (const tasks of live) if (tasks.runsTasks()) void awaitEnd(tasks)
})

/** Called with those of a gateway that begins; what it gives is for its end. */
export function watchTasks(tasks: Tasks): () => void {
  live.add(tasks)
  return () => void live.delete(tasks)
}

async function awaitEnd(tasks: Tasks): Promise<void> {
  live.delete(tasks) // once
  const release = tasks.keepAlive()
  for (let look = 0; look < LOOKS && tasks.runsTasks(); look++) await sleep(LOOK_MS)
  release()
}
