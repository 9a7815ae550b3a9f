// Tasks that nobody waits for, when the program has come to its end.
import { expect, it } from 'vitest'
import { watchTasks } from '../../src/gateways/last-tasks.js'
import { until } from '../waiting.js'

/** Counts who keeps the process alive for tasks, which run until they are told not to. */
function someTasks() {
  const seen = { holds: 0, releases: 0, run: true }
  const stop = watchTasks({
    runsTasks: () => seen.run,
    keepAlive: () => {
      seen.holds++
      return () => void seen.releases++
    },
  })
  return { seen, stop }
}

it('keep it alive until they have ended, once', async () => {
  const { seen } = someTasks()
  process.emit('beforeExit', 0)
  expect(seen).toMatchObject({ holds: 1, releases: 0 })
  seen.run = false
  await until(() => seen.releases === 1)
  seen.run = true
  process.emit('beforeExit', 0)
  expect(seen.holds).toBe(1)
})

it('do not keep it alive for longer than a moment', async () => {
  const { seen } = someTasks()
  process.emit('beforeExit', 0)
  await until(() => seen.releases === 1)
})

it('do not keep it alive when there are none, or when their gateway has ended', () => {
  const none = someTasks()
  none.seen.run = false
  const over = someTasks()
  over.stop()
  process.emit('beforeExit', 0)
  none.stop()
  expect([none.seen.holds, over.seen.holds]).toEqual([0, 0])
})
