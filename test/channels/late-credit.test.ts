// A channel is closed by one thread of the worker while another gives credit back on it: nothing follows the CLOSE.
import { describe, expect, it } from 'vitest'
import { makeGateway } from '../../src/index.js'
import { chosenInterpreters } from '../interpreters.js'

const file = new URL('../fixtures/closes_amid_credit.py', import.meta.url)

describe.each(chosenInterpreters())('a channel that closes amid giving credit back, with $name', ({ command }) => {
  it('ends, at any step of that, and the gateway goes on', async () => {
    await using gateway = await makeGateway(`popen//python=${command}`)
    const task = gateway.remoteExec<boolean>({ file, function: 'receives' })
    let steps = 0
    for (let hasStep = true; hasStep; steps++) {
      const channel = gateway.newChannel()
      void channel.send('an item')
      await task.send(channel)
      hasStep = await task.receive()
      await channel.close()
    }
    expect(steps).toBeGreaterThan(4)
    expect(await gateway.eval('1 + 1')).toBe(2)
  })
})
