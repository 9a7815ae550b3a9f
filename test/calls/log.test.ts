// Remote logging and warnings, as they happen.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Gateway,
  Group,
  type LogOptions,
  type LogRecord,
  type LogSubscription,
  type OutputLine,
} from '../../src/index.js'
import { errorOf } from '../failing.js'
import { anyInterpreter } from '../interpreters.js'
import { pythons } from './pythons.js'

const output: OutputLine[] = []
const group = new Group({ onOutput: (line) => output.push(line) })
afterAll(() => group.terminate())

/** A subscription, and what has come; `until` waits for a message. */
class Log implements AsyncDisposable {
  readonly records: LogRecord[] = []
  subscription: LogSubscription | undefined
  #onRecord: () => void = () => undefined

  static async of(gateway: Gateway, options?: LogOptions): Promise<Log> {
    const log = new Log()
    log.subscription = await gateway.onLog((record) => {
      log.records.push(record)
      log.#onRecord()
    }, options)
    return log
  }

  async until(message: string): Promise<LogRecord[]> {
    while (!this.records.some((record) => record.message === message)) {
      await new Promise<void>((resolve) => {
        this.#onRecord = resolve
      })
    }
    return this.records
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.subscription?.close()
  }
}

describe.each(pythons)('onLog on $name', ({ command }) => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
    await gateway.execute('import logging, warnings, threading')
  })

  it('gives each record with what is known of it', async () => {
    await using log = await Log.of(gateway)
    const before = Date.now()
    await gateway.execute({
      text: 'try: 1/0\nexcept ZeroDivisionError:\n    logging.getLogger("app.db").error("no %s", "row", exc_info=True, extra={"table": "t", "tries": [1, 2], "odd": object})',
      name: 'rows.py',
    })
    const [record] = await log.until('no row')
    expect(record).toMatchObject({
      gateway: gateway.id,
      level: 'ERROR',
      levelNumber: 40,
      logger: 'app.db',
      line: 3,
      function: '<module>',
      thread: 'MainThread',
      extra: { table: 't', tries: [1, 2], odd: expect.stringContaining('object') as string },
    })
    expect(record?.file).toMatch(/rows\.py$/)
    expect(record?.exception).toMatch(/^Traceback[\s\S]*ZeroDivisionError/)
    expect(Math.abs((record?.time.getTime() ?? 0) - before)).toBeLessThan(5000)
  })

  it('filters levels and loggers over there, and leaves loggers as they were', async () => {
    const levels = '[logging.getLogger("quiet").level, len(logging.getLogger("quiet").handlers)]'
    const methods = 'vars(logging.Logger)["callHandlers"], vars(logging.Logger)["isEnabledFor"]'
    await gateway.execute(`methods = ${methods}`)
    await using log = await Log.of(gateway, { level: 'debug', logger: 'quiet' })
    await gateway.execute(`
      class Watched(object):
          made = 0
          def __str__(self):
              Watched.made += 1
              return 'costly'
      logging.getLogger('other').error(Watched())
      logging.getLogger('quiet.below').debug('one')
      logging.getLogger('quiet').log(5, Watched())
      logging.getLogger('quiet').debug('two')`)
    expect((await log.until('two')).map(({ message }) => message)).toEqual(['one', 'two'])
    expect(await gateway.eval(levels)).toEqual([0, 0])
    await log.subscription?.close()
    expect(await gateway.eval(`methods == (${methods})`)).toBe(true)
  })

  it('gives warnings too, which are printed as before', async () => {
    await using log = await Log.of(gateway)
    await gateway.execute('warnings.simplefilter("always"); warnings.warn("careful", DeprecationWarning)')
    const records = await log.until('DeprecationWarning: careful')
    expect(records.at(-1)).toMatchObject({ logger: 'py.warnings', level: 'WARNING', line: 1 })
    await expect.poll(() => output.some(({ text }) => text.includes('DeprecationWarning: careful'))).toBe(true)
  })

  it('gives what is logged in every thread, and in the reading of a record', async () => {
    await using log = await Log.of(gateway)
    await gateway.execute(`
      class Talks(object):
          def __repr__(self):
              logging.warning('from within')
              return 'talks'
      threads = [threading.Thread(target=logging.info, args=('from %d', n)) for n in range(4)]
      for each in threads: each.start()
      for each in threads: each.join()
      logging.info('last', extra={'talks': Talks()})`)
    const messages = (await log.until('last')).map(({ message }) => message)
    expect(messages.sort()).toEqual(['from 0', 'from 1', 'from 2', 'from 3', 'last'])
  })
})

describe('onLog', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    await gateway.execute('import logging')
  })

  it('drops records and counts them when the callback is slow; what logs never waits', async () => {
    let resume: () => void = () => undefined
    const blocked = new Promise<void>((resolve) => {
      resume = resolve
    })
    let count = 0
    const subscription = await gateway.onLog(() => {
      count++
      return blocked
    })
    await gateway.execute('text = "x" * 16000\nfor n in range(4000): logging.info("%d%s", n, text)')
    expect(await gateway.call('operator.add', [1, 2])).toBe(3)
    resume()
    await expect.poll(() => count + subscription.dropped).toBe(4000)
    expect(subscription.dropped).toBeGreaterThan(1000)
    await subscription.close()
  })

  it('ends when the callback throws, and says so when it is closed', async () => {
    const subscription = await gateway.onLog(() => {
      throw new Error('cannot take it')
    })
    await gateway.execute('logging.info("one"); logging.info("two")')
    await expect.poll(() => gateway.eval('len(__import__("sys").modules["_tendril.logs"].followers)')).toBe(0)
    expect(await errorOf(subscription.close())).toMatchObject({ message: 'cannot take it' })
  })

  it('lets each of several have what it asked for', async () => {
    const all = await Log.of(gateway, { level: 'debug' })
    const errors = await Log.of(gateway, { level: 'error' })
    await gateway.execute('logging.debug("small"); logging.error("large")')
    await all.until('large')
    await errors.until('large')
    expect(errors.records.map(({ message }) => message)).toEqual(['large'])
    await all.subscription?.close()
    await gateway.execute('logging.debug("not heard"); logging.error("last")')
    await errors.subscription?.close()
    expect(all.records).toHaveLength(2)
    expect(errors.records.map(({ message }) => message)).toEqual(['large', 'last'])
  })

  it('has given all that was logged before when close resolves, and leaves what comes then to the program', async () => {
    for (let round = 0; round < 20; round++) {
      let heard = 0
      const subscription = await gateway.onLog(async () => {
        await Promise.resolve()
        heard++
      })
      await gateway.execute('for n in range(300): logging.getLogger("shop").info("order %d", n)')
      await subscription.close()
      expect(heard + subscription.dropped).toBe(300)
      await gateway.execute('logging.getLogger("shop").warning("after %d", number)', { names: { number: round } })
      await expect.poll(() => output.some(({ text }) => text.includes(`after ${round}`))).toBe(true)
      expect(heard + subscription.dropped).toBe(300)
    }
  })

  it('can be closed by its own callback', async () => {
    let heard = 0
    let onEnded: () => void = () => undefined
    const ended = new Promise<void>((resolve) => {
      onEnded = resolve
    })
    const subscription: LogSubscription = await gateway.onLog(async () => {
      heard++
      await subscription.close()
      onEnded()
    })
    await gateway.execute('for n in range(300): logging.info("order %d", n)')
    await ended
    await subscription.close()
    expect(heard).toBe(1)
  })

  it('hears a record once where methods of loggers are wrapped meanwhile', async () => {
    const first = await Log.of(gateway, { level: 'debug' })
    await gateway.execute(`
      base = logging.Logger.callHandlers
      def wrapped(self, record): return base(self, record)
      logging.Logger.callHandlers = wrapped`)
    await first.subscription?.close()
    const second = await Log.of(gateway, { level: 'debug' })
    await gateway.execute('logging.getLogger("shop").debug("wrapped")')
    await gateway.execute('logging.Logger.callHandlers = base')
    await second.subscription?.close()
    expect(second.records.map(({ message }) => message)).toEqual(['wrapped'])
    await gateway.execute('logging.getLogger("shop").debug("not heard")')
    expect(first.records).toEqual([])
  })

  it('tells a program that asks for levels what it would be told without it', async () => {
    await using log = await Log.of(gateway, { level: 'debug' })
    const asked = [
      'logger.isEnabledFor(10)',
      'logging.LoggerAdapter(logger, {}).isEnabledFor(10)',
      'logger.getEffectiveLevel()',
    ]
    expect(await gateway.eval(`(lambda logger: [${asked.join()}])(logging.getLogger("asked"))`)).toEqual([
      false,
      false,
      30,
    ])
    expect(await gateway.call('logging.getLogger("asked").isEnabledFor', [10]).catch(() => false)).toBe(false)
    expect(log.records).toEqual([])
  })

  it('refuses levels that are none', async () => {
    const level = 'loud' as 'debug'
    expect(await errorOf(gateway.onLog(() => undefined, { level }))).toMatchObject({ name: 'RangeError' })
  })

  it.each(pythons)(
    'hears what tasks log until they have ended when the gateway ends, on $name',
    async ({ command }) => {
      const ending = await group.makeGateway(`popen//python=${command}`)
      const messages: string[] = []
      const subscription = await ending.onLog(({ message }) => void messages.push(message))
      const task = ending.remoteExec<string>(
        'import logging\nchannel.send("begun")\nfor _ in channel: pass\nfor n in range(300): logging.warning("order %d", n)',
      )
      await task.receive()
      await ending.exit()
      await subscription.close()
      expect(messages).toEqual(Array.from({ length: 300 }, (_, n) => `order ${n}`))
    },
  )

  it('is over without a word when the gateway ends', async () => {
    const ending = await group.makeGateway(`popen//python=${anyInterpreter().command}`)
    const subscription = await ending.onLog(() => undefined)
    await ending.terminate()
    await subscription.close()
  })
})
