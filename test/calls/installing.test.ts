// A worker that cannot perform calls says so to each of them, and is asked anew by the next.
import { expect, it } from 'vitest'
import { makeGateway } from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'

const block = `
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == '_tendril.inbox': raise ImportError('blocked')
sys.meta_path.insert(0, Blocked())`

it('tells each call why it cannot be performed, and performs those that follow when it can', async () => {
  await using gateway = await makeGateway(`popen//python=${anyInterpreter().command}`)
  await gateway.remoteExec(block).waitClose()
  for (let i = 0; i < 3; i++) expect(String(await errorOf(gateway.call('len', ['abc'])))).toContain('blocked')
  await gateway.remoteExec('import sys; del sys.meta_path[0]').waitClose()
  expect(await gateway.call('len', ['abc'])).toBe(3)
})
