// The first call opens the session beside whatever else runs; and what becomes of a worker whose own code raises.
import { afterAll, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { anyInterpreter } from '../interpreters.js'

const group = new Group({ onOutput: () => undefined })
afterAll(() => group.terminate())

// New threads of the worker stay a while in the middle of the opening.
const slowOpening = `
import sys, time
from _tendril import threads
def slow(frame, event, arg):
    if frame.f_code.co_name == '__init__' and frame.f_code.co_filename.endswith('session.py'):
        time.sleep(0.1)
def run(function, args, original=threads.run):
    sys.settrace(slow)
    original(function, args)
threads.run = run`

it('runs a task while the session is being opened beside it', async () => {
  const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
  await gateway.remoteExec(slowOpening).waitClose()
  const first = gateway.remoteExec('pass') // the main thread is taken
  const call = gateway.eval('1')
  await first.waitClose()
  const echoes = Array.from({ length: 20 }, async (_, n) => {
    const channel = gateway.remoteExec('channel.send(channel.receive())')
    await channel.send(n)
    return channel.receive()
  })
  expect(await Promise.all(echoes)).toEqual(Array.from({ length: 20 }, (_, n) => n))
  expect(await call).toBe(1)
})

it('ends a worker whose own code raises, and says whose fault it is', async () => {
  const gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
  gateway.remoteExec('channel.gateway.run = None; channel.gateway.tasks.put((channel, b""))')
  const { exitCode, stderrTail } = await gateway.closed
  expect(exitCode).toBe(1)
  expect(stderrTail).toContain(
    "\ntendril worker: a fault of tendril, please report it: TypeError: 'NoneType' object is not callable",
  )
})
