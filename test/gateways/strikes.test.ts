// Exceptions that user code sets in another thread, or has a signal raise, just after what they were meant for has ended: they are told, and end nothing.
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { type Gateway, Group, RemoteError } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { chosenInterpreters } from '../interpreters.js'
import { until } from '../waiting.js'

const turns = Number(process.env['TENDRIL_SIGNALS'] ?? 120)
// PyPy has no such function; without a GIL nothing keeps a thread where it was looked for.
const cpythons = chosenInterpreters().filter(({ name }) => !/^PyPy|\dt$/.test(name))
const file = new URL('../fixtures/strikes.py', import.meta.url)

const lines: string[] = []
const group = new Group({ onOutput: ({ text }) => void lines.push(text) })
afterAll(() => group.terminate())
beforeEach(() => void lines.splice(0))

async function gatewayOn(command: string, keys = ''): Promise<Gateway> {
  const gateway = await group.makeGateway(`popen//python=${command}${keys}`)
  await gateway.execute(file)
  return gateway
}

/** What a call comes to that may be struck: its value, or the type of the exception. */
async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  const outcome: unknown = await call.catch((error: unknown) => error)
  return outcome instanceof RemoteError ? outcome.type : outcome
}

/** Does something again and again while a storm goes on. @returns What came beside its values, and how many exceptions were set. */
async function withstand(gateway: Gateway, once: (turn: number) => Promise<unknown>): Promise<[Set<unknown>, number]> {
  const seen = new Set<unknown>()
  for (let turn = 1; turn <= turns; turn++) {
    const outcome = await outcomeOf(once(turn))
    if (outcome !== turn) seen.add(outcome)
  }
  for (;;) {
    const sets = await outcomeOf(gateway.call('end'))
    if (typeof sets === 'number') return [seen, sets]
    seen.add(sets)
  }
}

describe.each(cpythons)('an exception that another thread sets, on $name', ({ name, command }) => {
  it('ends the call that runs, and is told when that has ended', async () => {
    await using gateway = await gatewayOn(command)
    const main = await gateway.call('ident')
    expect(await errorOf(gateway.call('strike_and_spin', [main]))).toMatchObject({ type: 'Late' })
    await outcomeOf(gateway.call('begin', [main]))
    await until(() => lines.length > 10)
    expect(new Set(lines)).toEqual(
      new Set([
        'tendril worker: Late was set in a thread after the task or call that it was for had ended there: it has interrupted nothing',
      ]),
    )
    expect(await withstand(gateway, (turn) => gateway.call('spin', [turn]))).toBeDefined()
    expect(await gateway.call('abs', [-1])).toBe(1)
  })

  it.each(['calls', 'tasks', 'calls beside a task', ...(name === 'CPython 2.7' ? [] : ['coroutines'])])(
    'again and again amid %s ends nothing else',
    async (what) => {
      await using gateway = await gatewayOn(command)
      const task = what === 'calls beside a task' ? gateway.remoteExec('channel.receive()') : undefined
      if (what === 'coroutines')
        await gateway.execute('async def aspin(turns): return spin(turns)\nasync def aident(): return ident()')
      const runTask = async (turn: number): Promise<unknown> => {
        const channel = gateway.remoteExec(`for _ in range(${turn}): pass\nchannel.send(${turn})`)
        const [sent] = await Promise.all([channel.receive(), channel.waitClose()])
        return sent
      }
      const once = (turn: number): Promise<unknown> =>
        what === 'tasks' ? runTask(turn) : gateway.call(what === 'coroutines' ? 'aspin' : 'spin', [turn])
      const thread = await gateway.call(what === 'coroutines' ? 'aident' : 'ident')
      await outcomeOf(gateway.call('begin', [thread]))
      const [seen, sets] = await withstand(gateway, once)
      seen.delete('Late')
      expect([[...seen], sets > turns / 10]).toEqual([[], true])
      expect(await gateway.call('abs', [-1])).toBe(1)
      await task?.send(null)
      await task?.waitClose()
    },
  )
})

it('that another function sets while the main thread waits is told, too', async () => {
  await using gateway = await gatewayOn(cpythons.at(-1)?.command ?? 'python3')
  await gateway.execute(`
    plain = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.py_object)(('PyThreadState_SetAsyncExc', ctypes.pythonapi))
    def strike_once(thread):
        at = lambda: (sys._current_frames()[thread], sys._current_frames()[thread].f_lasti)
        while at() != (time.sleep(0.05) or at()) or at()[0].f_code.co_name not in ('read_for', 'sleep'): pass
        plain(thread, Late)
        print('it is set')
  `)
  await gateway.eval('later(strike_once, main)', { main: await gateway.call('ident') })
  await until(() => lines.includes('it is set'))
  expect(await gateway.call('abs', [-1])).toBe(1)
  await until(() => lines.length > 1)
  expect(lines[1]).toContain('tendril worker: Late was set in a thread after')
})

describe.each(chosenInterpreters())('KeyboardInterrupt by interrupt_main, on $name', ({ name, command }) => {
  it('again and again ends calls and nothing else, and is told between them', async () => {
    await using gateway = await gatewayOn(command)
    await outcomeOf(gateway.call('begin', [0]))
    const [seen, sets] = await withstand(gateway, (turn) => gateway.call('spin', [turn]))
    seen.delete('KeyboardInterrupt')
    expect([[...seen], sets > turns / 10]).toEqual([[], true])
    expect(await gateway.call('abs', [-1])).toBe(1)
    if (name === 'CPython 2.7') return // which tells of none, and waits for a lock through all signals
    const waiting = gateway.remoteExec(
      'import os, signal, threading; threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start(); channel.receive()',
    )
    expect(await errorOf(waiting.waitClose())).toMatchObject({ type: 'KeyboardInterrupt' })
    await until(() => lines.some((line) => /^tendril worker: KeyboardInterrupt came when/.test(line)))
  })
})
