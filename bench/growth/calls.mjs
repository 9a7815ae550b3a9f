// What grows with the number of calls, callbacks, iterated items, objects and references.
import { each, failureOf, range, together } from './steps.mjs'

const ITERATED = 'def numbers():\n    for i in range(n): yield i\nnumbers()'

async function iterate(iterator) {
  for await (const _item of iterator);
}

/** Defines something first. */
const having = (source, run) => async (it, n) => {
  await it.gateway.execute(source)
  return () => run(it, n)
}

export const calls = {
  'calls, each awaited':
    ({ gateway }, n) =>
    () =>
      each(n, (i) => gateway.call('operator.add', [i, 1])),
  'calls at once':
    ({ gateway }, n) =>
    () =>
      together(n, (i) => gateway.call('operator.add', [i, 1])),
  'calls at once with one AbortSignal':
    ({ gateway }, n) =>
    () => {
      const { signal } = new AbortController()
      return together(n, (i) => gateway.call('operator.add', [i, 1], {}, { signal }))
    },
  'calls with one AbortSignal, each awaited':
    ({ gateway }, n) =>
    () => {
      const { signal } = new AbortController()
      return each(n, (i) => gateway.call('operator.add', [i, 1], {}, { signal }))
    },
  'calls at once, each with a timeout':
    ({ gateway }, n) =>
    () =>
      together(n, (i) => gateway.call('operator.add', [i, 1], {}, { timeout: 1e8 })),
  'calls that are aborted together':
    ({ gateway }, n) =>
    async () => {
      const controller = new AbortController()
      const { signal } = controller
      const all = Promise.allSettled(range(n, () => gateway.call('time.sleep', [0], {}, { signal })))
      controller.abort()
      await all
      await gateway.eval('1')
    },
  'calls that fail':
    ({ gateway }, n) =>
    () =>
      each(n, () => failureOf(gateway.call('operator.truediv', [1, 0]))),
  'positional arguments of a call': having(
    'def count(*args, **kwargs): return len(args) + len(kwargs)',
    ({ gateway }, n) =>
      gateway.call(
        'count',
        range(n, (i) => i),
      ),
  ),
  'keyword arguments of a call': async ({ gateway }, n) => {
    await gateway.execute('def count(*args, **kwargs): return len(args) + len(kwargs)')
    const kwargs = Object.fromEntries(range(n, (i) => [`name_${i}`, i]))
    return () => gateway.call('count', [], kwargs)
  },
  'members of a result':
    ({ gateway }, n) =>
    () =>
      gateway.eval('list(range(n))', { n }),
  'evaluations of one text':
    ({ gateway }, n) =>
    () =>
      each(n, (i) => gateway.eval('x + 1', { x: i })),
  'evaluations of a text each':
    ({ gateway }, n) =>
    () =>
      each(n, (i) => gateway.eval(`${i} + 1`)),
  'characters of a text that is evaluated':
    ({ gateway }, n) =>
    () =>
      gateway.eval(`"${'x'.repeat(10 * n)}"`),
  'lines of a text that is executed':
    ({ gateway }, n) =>
    () =>
      gateway.execute('x = 1\n'.repeat(n)),
  templates:
    ({ gateway }, n) =>
    () =>
      each(n, (i) => gateway.py`${i} + 1`),
  'values of a template': ({ gateway }, n) => {
    const strings = ['[', ...range(n - 1, () => ','), ']']
    const template = Object.assign(strings, { raw: strings })
    const values = range(n, (i) => i)
    return () => gateway.py(template, ...values)
  },
  'calls of coroutines at once': having(
    'import asyncio\nasync def nap(i):\n    await asyncio.sleep(0)\n    return i',
    ({ gateway }, n) => together(n, (i) => gateway.call('nap', [i])),
  ),
  'blanks in the text of a call that fails': having(
    'def fail(n): raise ValueError("x" + " " * n + "x")',
    ({ gateway }, n) => failureOf(gateway.call('fail', [n])),
  ),
  'items of a remote list':
    ({ gateway }, n) =>
    async () =>
      iterate(await gateway.eval('iter(list(range(n)))', { n })),
  'items of a remote generator':
    ({ gateway }, n) =>
    async () =>
      iterate(await gateway.eval(ITERATED, { n })),
  'items of an asynchronous generator':
    ({ gateway }, n) =>
    async () => {
      await iterate(await gateway.eval(`async ${ITERATED}`, { n }))
    },
  'items of a generator, with a call between two':
    ({ gateway }, n) =>
    async () => {
      for await (const _item of await gateway.eval(ITERATED, { n })) await gateway.eval('1')
    },
  'iterators, one after the other':
    ({ gateway }, n) =>
    () =>
      each(n, async () => iterate(await gateway.eval('iter([1, 2])'))),
  'iterators that are left':
    ({ gateway }, n) =>
    () =>
      each(n, async () => {
        for await (const _item of await gateway.eval('iter(range(1000))')) break
      }),
  'calls of one callback': having('def repeat(call, n):\n    for i in range(n): call(i)', ({ gateway }, n) =>
    gateway.call('repeat', [(i) => i, n]),
  ),
  'callbacks that are passed': having('def use(call): return call(1)', ({ gateway }, n) =>
    each(n, (i) => gateway.call('use', [(x) => x + i])),
  ),
  'callbacks in one call': having('def use_all(calls): return sum(call(1) for call in calls)', ({ gateway }, n) =>
    gateway.call('use_all', [range(n, (i) => (x) => x + i)]),
  ),
  'calls of an exposed function': ({ gateway }, n) => {
    const exposed = gateway.expose({ increment: (x) => x + 1 })
    return async () => {
      await gateway.eval('for i in range(n): controller.increment(i)', { n })
      return () => exposed[Symbol.dispose]()
    }
  },
  'exposed functions': ({ gateway }, n) => {
    const functions = Object.fromEntries(range(n, (i) => [`f${i}`, () => i]))
    return async () => {
      const exposed = gateway.expose(functions)
      await gateway.eval('controller.f0()')
      exposed[Symbol.dispose]()
    }
  },
  'blanks in what a callback throws': having(
    'def use(call):\n    try: call()\n    except Exception as e: return len(str(e))',
    ({ gateway }, n) =>
      gateway.call('use', [
        () => {
          throw new Error(`x${' '.repeat(n)}x`)
        },
      ]),
  ),
  'members of what a callback gives': having('def use(call): return len(call())', ({ gateway }, n) =>
    gateway.call('use', [() => range(n, (i) => i)]),
  ),
  'log records': async ({ gateway }, n) => {
    const log = await gateway.onLog(() => undefined)
    return async () => {
      await gateway.eval('import logging\nfor i in range(n): logging.getLogger("growth").warning("record %d", i)', {
        n,
      })
      await log[Symbol.asyncDispose]()
    }
  },
  'stacks asked for, one after the other':
    ({ gateway }, n) =>
    () =>
      each(n, () => gateway.stacks()),
  'stats asked for, one after the other':
    ({ gateway }, n) =>
    () =>
      each(n, () => gateway.stats()),
  'gateways with options of their own':
    ({ gateway }, n) =>
    () => {
      let view = gateway
      for (let i = 0; i < n; i++) view = gateway.with({ timeout: 1e8 + i })
      return view.call('operator.add', [1, 1])
    },
}

export const objects = {
  'references made and disposed of at once':
    ({ gateway }, n) =>
    async () => {
      for (const object of range(n, () => gateway.new('object'))) object.dispose()
      await gateway.eval('1')
    },
  'references awaited at once, then disposed of':
    ({ gateway }, n) =>
    async () => {
      const objects = await Promise.all(range(n, () => gateway.new('object')))
      for (const object of objects) object.dispose()
      await gateway.eval('1')
    },
  'references, one after the other':
    ({ gateway }, n) =>
    () =>
      each(n, async () => {
        const object = await gateway.new('object')
        object.dispose()
      }),
  'references that are dropped':
    ({ gateway }, n) =>
    async () => {
      for (let i = 0; i < n; i++) gateway.new('object')
      await gateway.eval('1')
      globalThis.gc()
      await gateway.eval('1')
    },
  'references in one call': ({ gateway }, n) => {
    const objects = range(n, () => gateway.new('object'))
    return async () => {
      await gateway.call('len', [objects])
      return () => {
        for (const object of objects) object.dispose()
      }
    }
  },
  'one reference in many calls': async ({ gateway }, n) => {
    const list = await gateway.new('list')
    return async () => {
      await together(n, () => gateway.call('len', [list]))
      list.dispose()
    }
  },
  'steps of a chain':
    ({ gateway }, n) =>
    async () => {
      let text = gateway.new('str', ['x'])
      for (let i = 0; i < n; i++) text = text.strip()
      await text.value()
    },
  'steps of a chain, each with a reference': async ({ gateway }, n) => {
    const one = await gateway.new('int', [1])
    return async () => {
      let sum = gateway.new('int', [0])
      for (let i = 0; i < n; i++) sum = sum.__add__(one)
      await sum.value()
    }
  },
  'attributes read at once': async ({ gateway }, n) => {
    const { os } = gateway.modules
    return () => together(n, () => os.sep)
  },
  'items set': async ({ gateway }, n) => {
    const dict = await gateway.new('dict')
    return async () => {
      await each(n, (i) => dict.$setItem(i, i))
      dict.dispose()
    }
  },
  'items set by assignment': async ({ gateway }, n) => {
    const list = await gateway.new('list', [[0]])
    return async () => {
      for (let i = 0; i < n; i++) list[0] = i
      await list.$length()
      list.dispose()
    }
  },
  'items of a remote object': async ({ gateway }, n) => {
    const list = await gateway.new('range', [n])
    return async () => {
      await iterate(list)
      list.dispose()
    }
  },
  'objects that could not be made':
    ({ gateway }, n) =>
    () =>
      each(n, () => failureOf(gateway.new('int', ['no number']).value())),
  'objects lent to tasks': async ({ gateway }, n) => {
    const list = await gateway.new('list')
    return async () => {
      await each(n, () => gateway.remoteExec('channel.send(len(list_))', { list_: list }).waitClose())
      list.dispose()
    }
  },
  'calls of a service': async ({ gateway }, n) => {
    const service = await gateway.service({ text: 'def add(a, b): return a + b' }, { expose: ['add'] })
    return async () => {
      await together(n, (i) => service.add(i, 1))
      return () => service[Symbol.asyncDispose]()
    }
  },
}
