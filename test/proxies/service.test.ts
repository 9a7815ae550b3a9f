// Services: modules of the worker of which only some functions can be reached.
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { type Gateway, Group, kwargs, type Service } from '../../src/index.js'
import { pythons } from '../calls/pythons.js'

const file = fileURLToPath(new URL('../fixtures/salaries.py', import.meta.url))
const group = new Group()
afterAll(() => group.terminate())

interface Salaries {
  add(last: string, amount: number): number
  salary(last: string): number
}

describe.each(pythons)('$name', ({ command }) => {
  let gateway: Gateway
  let service: Service<Salaries>
  beforeAll(async () => {
    gateway = await group.makeGateway(`popen//python=${command}`)
    service = await gateway.service<Salaries>(file, { expose: ['add', 'salary'] })
  })

  it('keeps its state from call to call', async () => {
    expect(await service.add('Mertz', 40)).toBe(1)
    expect(await service.add('Pike', kwargs({ amount: 50 }) as unknown as number)).toBe(2)
    expect(await service.salary('Mertz')).toBe(40)
    expectTypeOf(service.salary).returns.resolves.toEqualTypeOf<number>()
  })

  it('has exactly what it exposes, on the worker too', async () => {
    expect(Object.keys(service)).toEqual(['add', 'salary'])
    expect((service as unknown as Record<string, unknown>)['fire']).toBe(undefined)
    const other = await gateway.service<Salaries>(file, { expose: ['salary'] })
    await expect(other.salary('Mertz')).rejects.toThrow(/KeyError/)
    const [number] = await gateway.eval<number[]>('import _tendril.service; sorted(_tendril.service.services)')
    await expect(gateway.call('_tendril.service.perform', [null, number, 'fire', [], {}])).rejects.toThrow(
      /AttributeError: the service does not expose 'fire'; it exposes add, salary/,
    )
  })

  it('makes the items of its iterators in its own threads', async () => {
    const text = `
import threading
def items(size):
    for _ in range(24): yield [threading.current_thread().ident, b'x' * size]`
    interface Items {
      items(size: number): AsyncIterable<[number, Uint8Array]>
    }
    const own = await gateway.service<Items>({ text }, { expose: ['items'], threads: 1 })
    const threads = new Set<number>()
    // The second one is longer than the window.
    for (const size of [1, 1 << 20]) for await (const [thread] of await own.items(size)) threads.add(thread)
    expect(threads.size).toBe(1)
    expect(threads).not.toContain(await gateway.eval('__import__("threading").current_thread().ident'))
    await own.dispose()
  })

  it('shows the file in tracebacks', async () => {
    await expect(service.salary('nobody')).rejects.toMatchObject({
      traceback: expect.stringContaining(`${file}", line 11`),
    })
  })

  it('says what it does not define, what it cannot expose, and what failed in it', async () => {
    await expect(gateway.service<{ nosuch(): void }>(file, { expose: ['nosuch'] })).rejects.toThrow(
      /salaries.py defines no function 'nosuch'/,
    )
    await expect(gateway.service<{ then(): void }>(file, { expose: ['then'] })).rejects.toThrow(
      'a service cannot expose then',
    )
    await expect(gateway.service(file, { expose: [] })).rejects.toThrow(
      "a service needs the names of its functions: { expose: ['lookup'] }",
    )
    await expect(gateway.service({ text: '1 // 0' }, { expose: ['f'] })).rejects.toThrow(/ZeroDivisionError/)
  })

  it('is gone after its disposal', async () => {
    const own = await gateway.service<Salaries>(file, { expose: ['add', 'salary'] })
    await own.dispose()
    await own.dispose()
    await expect(own.add('x', 1)).rejects.toThrow(/LookupError: the service was disposed of/)
  })
})
