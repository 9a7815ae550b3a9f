// A program sees of its logging what it would see if nobody followed it.
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { Group } from '../../src/index.js'
import { pythons } from './pythons.js'

const program = { file: fileURLToPath(new URL('../fixtures/logging_program.py', import.meta.url)) }
const group = new Group()
afterAll(() => group.terminate())

const HEARD = [
  'unconfigured',
  'unconfigured info',
  'to the file',
  'not to the file',
  'held back',
  'handled',
  'adapted',
  'failed',
  'traced',
  'told',
  'apart',
  'apart and warning',
  'turned on again',
]
const HEARD_LATER = [
  'badly handled',
  'captured',
  'careful',
  'after dictConfig',
  'after an increment',
  'after fileConfig',
]

describe.each(pythons)('the logging of a program that is followed, on $name', ({ command }) => {
  it('is as it would be, and all of it is heard', async () => {
    const [plain, followed] = await Promise.all([1, 2].map(() => group.makeGateway(`popen//python=${command}`)))
    await plain?.execute(program)
    const messages: string[] = []
    const log = await followed?.onLog(({ message }) => void messages.push(message), { level: 5 })
    await followed?.execute(program)
    await log?.close()
    expect(await followed?.eval('seen')).toEqual(await plain?.eval('seen'))
    const short = messages.map((message) => /(captured|careful)$/m.exec(message)?.[0] ?? message)
    expect(short.filter((message) => !message.includes('queued'))).toEqual([...HEARD, ...HEARD_LATER])
  })
})
