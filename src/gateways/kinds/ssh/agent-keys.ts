/** What kinds of keys an agent holds: a certificate or a security key in it decides which engine can log in. */
import { connect } from 'node:net'
import { Timer } from '../../../timer.js'

// An agent that wants to be unlocked first may take its time; no connection waits for that.
const ANSWER_MS = 1000

const REQUEST_IDENTITIES = 11
const IDENTITIES_ANSWER = 12

/** The algorithm of each key in the agent; empty when there is no agent, or it does not tell. */
export function keyTypesInAgent(path: string): Promise<string[]> {
  return new Promise((resolve) => {
    const socket = connect(path)
    let answer = Buffer.alloc(0)
    const finish = (types: string[]) => {
      timer.stop()
      socket.destroy()
      resolve(types)
    }
    const timer = new Timer(ANSWER_MS, () => finish([]))
    socket.on('error', () => finish([]))
    socket.on('close', () => finish([]))
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      const length = answer.length < 4 ? Number.POSITIVE_INFINITY : 4 + answer.readUInt32BE(0)
      if (answer.length >= length) finish(typesIn(answer.subarray(4, length)))
    })
    socket.write(Buffer.from([0, 0, 0, 1, REQUEST_IDENTITIES]))
  })
}

/** Reads SSH_AGENT_IDENTITIES_ANSWER of the agent protocol: a count, then key and comment by turns. */
function typesIn(answer: Buffer): string[] {
  if (answer[0] !== IDENTITIES_ANSWER) return []
  const types: string[] = []
  try {
    let at = 5
    for (let left = answer.readUInt32BE(1); left > 0; left--) {
      const typeLength = answer.readUInt32BE(at + 4)
      types.push(answer.toString('latin1', at + 8, at + 8 + typeLength))
      at += 4 + answer.readUInt32BE(at)
      at += 4 + answer.readUInt32BE(at)
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  return types
}
