// Failures of remote code that nobody asks for: a line each on stderr, at the latest when the gateway ends.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { type Channel, type Gateway, Group, type OutputLine, RemoteError } from '../../src/index.js'
import { pythons } from '../calls/pythons.js'
import { until } from '../waiting.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

describe.each(pythons)('a failure that nobody asks for, of $name,', ({ command }) => {
  const lines: OutputLine[] = []
  const group = new Group({ onOutput: (line) => lines.push(line) })
  const open = (): Promise<Gateway> => group.makeGateway(`popen//python=${command}`)
  const texts = (): string[] => lines.map(({ text }) => text)
  afterEach(() => void lines.splice(0))
  afterAll(() => group.terminate())

  /** Until what was executed has ended. */
  async function idle(gateway: Gateway): Promise<void> {
    await until(async () => (await gateway.remoteStatus()).numExecuting === 0)
  }

  it('is printed when the gateway ends, once, with its channel and the traceback', async () => {
    const gateway = await open()
    const channel = gateway.remoteExec({ text: 'def f():\n    1 // 0\nf()', name: 'mine.py' })
    await idle(gateway)
    await gateway.exit()
    await gateway.terminate()
    expect(lines.map(({ stream, channel: id, gateway: name }) => [stream, id, name])).toEqual(
      lines.map(() => ['stderr', channel.id, gateway.id]),
    )
    expect(texts()[0]).toBe(`channel ${channel.id} failed, and nobody has asked how it ended:`)
    expect(texts()[1]).toBe('Traceback (most recent call last):')
    expect(texts().join('\n')).toContain('File "mine.py", line 2, in f')
    expect(texts().filter((text) => text.startsWith('ZeroDivisionError: '))).toHaveLength(1)
  })

  it.each([
    ['behind items that somebody received', 'channel.send(1)\nraise ValueError("late")', 'ValueError: late'],
    ['as a text', 'channel.send(1)\nchannel.close("out of paper")', 'out of paper'],
    ['after the code closed its channel', 'channel.send(1)\nchannel.close()\nraise KeyError("k")', "KeyError: 'k'"],
    ['of a send after that', 'channel.send(1)\nchannel.close()\nchannel.send(2)', 'cannot send to <Channel'],
    [
      'of a callback',
      'channel.send(1)\nchannel.setcallback(lambda item: {}[str(item)])\nchannel.waitclose()',
      "KeyError: 'x'",
    ],
    [
      'of a thread',
      'import threading\nthread = threading.Thread(target=lambda: {}["t"])\nthread.start()\nthread.join()\nchannel.send(1)',
      "KeyError: 't'",
    ],
  ])('is printed: %s', async (_, source, expected) => {
    const gateway = await open()
    const channel = gateway.remoteExec(source)
    void channel.send('x')
    await channel.receive()
    await idle(gateway)
    await gateway.exit()
    expect(texts().filter((text) => text.includes(expected))).toHaveLength(1)
  })

  it('is printed when code that was closed here fails of something else, and not when it fails of that', async () => {
    const gateway = await open()
    const cleaning = gateway.remoteExec('for item in channel: pass\nraise ValueError("while cleaning up")')
    const sending = gateway.remoteExec('import time\nwhile True:\n    channel.send(1)\n    time.sleep(0.001)')
    const told = gateway.remoteExec('channel.receive()')
    await sending.receive()
    await cleaning.close()
    await sending.close()
    await told.close('stop')
    await idle(gateway)
    await gateway.exit()
    expect(texts().filter((text) => text.includes('Error: '))).toEqual(['ValueError: while cleaning up'])
  })

  it('is not printed when somebody asked, nor of interrupts and exits, nor when the gateway ends amid the code', async () => {
    const gateway = await open()
    const failing = (): Channel => gateway.remoteExec('channel.send(1)\n1 // 0')
    const received = failing()
    const reading = [
      received.receive().then(() => received.receive()),
      failing().waitClose(),
      (async () => {
        for await (const item of failing()) expect(item).toBe(1)
      })(),
      failing().readable.pipeTo(new WritableStream()),
    ]
    for (const outcome of await Promise.allSettled(reading))
      expect(outcome).toMatchObject({ reason: expect.any(RemoteError) })
    for (const text of ['raise KeyboardInterrupt', 'raise SystemExit', 'raise SystemExit(0)']) gateway.remoteExec(text)
    await idle(gateway)
    gateway.remoteExec('for item in channel: pass')
    gateway.remoteExec('import time\ntime.sleep(100)')
    await gateway.terminate({ timeout: 300 })
    expect(texts()).toEqual([])
  })

  it('is printed when its channel is collected, while the gateway lives', async () => {
    const gateway = await open()
    for (let count = 0; count < 100; count++) gateway.remoteExec('raise ValueError("dropped")')
    await idle(gateway)
    await until(() => {
      collectGarbage()
      return texts().includes('ValueError: dropped')
    })
    await gateway.exit()
    expect(texts().filter((text) => text === 'ValueError: dropped')).toHaveLength(100)
  })

  it('of an operation on a module or a reference is printed when the gateway ends, once', async () => {
    const gateway = await open()
    void gateway.modules.json.loads('{bad')
    const kept = gateway.ref.eval('1 // 0')
    const asked = gateway.ref.eval('{}["asked"]')
    await expect(asked).rejects.toThrow("KeyError: 'asked'")
    await gateway.exit()
    expect(texts().filter((text) => /^\S*(Value|JSONDecode)Error: /.test(text))).toHaveLength(1)
    expect(texts().filter((text) => text.startsWith('ZeroDivisionError: '))).toHaveLength(1)
    expect(texts().join()).not.toContain('KeyError')
    expect(typeof kept).toBe('function')
  })
})
