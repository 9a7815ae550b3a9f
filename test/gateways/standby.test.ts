// The main thread stops reading, because a task of tendril's own has begun, at the moment when the reading thread stands by for good.
import { setTimeout as passed } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { makeGateway } from '../../src/index.js'
import { chosenInterpreters } from '../interpreters.js'

const source = `
import time
from _tendril import _thread, worker
class Slow(type(worker)):
    """The reading thread takes a while to see whether it is the main one that reads."""
    @property
    def main_runs(self):
        runs = self.__dict__['runs']
        if _thread.get_ident() != self.main:
            time.sleep(0.2)
        return runs
    @main_runs.setter
    def main_runs(self, runs):
        self.__dict__['runs'] = runs
worker.__dict__['runs'] = True
worker.__class__ = Slow
channel.send(1)
`

describe.each(chosenInterpreters())('a worker on $name', ({ command }) => {
  it('goes on reading whoever stops, and whoever stands by', async () => {
    await using gateway = await makeGateway(`popen//python=${command}`)
    await gateway.eval('1')
    await gateway.remoteExec(source).receive()
    for (let round = 0; round < 4; round++) {
      await passed(60 + 40 * round) // nothing tells how far the reading thread is
      expect(await gateway.execAside('channel.send(1)').receive()).toBe(1)
      expect(await gateway.eval('1 + 1')).toBe(2)
    }
  })
})
