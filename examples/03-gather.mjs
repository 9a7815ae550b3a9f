// Spreads work over three Pythons: whoever has answered gets the next piece, so a slow one does not hold up the rest.
//
// Three processes: Python's global lock does not matter, the work really runs at the same time.
import { fileURLToPath } from 'node:url'
import { Group } from 'tendril'

const countPrimes = { file: fileURLToPath(new URL('count_primes.py', import.meta.url)) }
const LIMIT = 100_000
const STEP = 5_000

const group = await Group.open(['3*popen'])
try {
  const channels = group.remoteExec(countPrimes) // a MultiChannel: one channel a gateway, in their order

  const tasks = []
  for (let start = 0; start < LIMIT; start += STEP) tasks.push([start, start + STEP])

  const answered = new Map()
  let primes = 0
  const feed = async (channel) => {
    const task = tasks.shift()
    if (task === undefined)
      channel.sendEnd() // its loop ends, and with it the code and the channel
    else await channel.send(task)
  }

  // Two pieces each to begin with: nobody is idle while an answer is on its way.
  for (const channel of [...channels, ...channels]) await feed(channel)
  for await (const [channel, count] of channels.makeReceiveQueue()) {
    primes += count
    answered.set(channel.gateway.id, (answered.get(channel.gateway.id) ?? 0) + 1)
    await feed(channel)
  }
  await channels.waitClose() // rejects if one of them failed

  console.log(`${primes} primes below ${LIMIT}`)
  for (const { id } of group) console.log(`${id} did ${answered.get(id)} of ${LIMIT / STEP} pieces`)
} finally {
  await group.terminate()
}
