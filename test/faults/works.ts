/**
 * What programs do with a gateway, each in a form that notices when something was lost, doubled or reordered, and when something cut
 * passes for whole. A work ends well, with an error of tendril's, or with a `Violation`.
 */
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { errorBehind } from '../../src/features/forwarding/splice.js'
import type { Channel, Gateway } from '../../src/index.js'
import type { Random } from '../random.js'

/** What must never be, whatever happens to the bytes. */
export class Violation extends Error {}

/** Where a work works. */
export interface Scene {
  readonly gateway: Gateway
  readonly random: Random
  /** Its own, empty. */
  readonly folder: string
  /** Whether the bytes that come are those that were sent. */
  readonly isFaithful: boolean
  /** What it does now, to tell where it hangs. */
  at(step: string): void
  /** What is to be looked at when the round is over: until then a worker may be amid it. */
  later(look: () => void): void
}

export type Work = (scene: Scene) => Promise<void>

const MIB = 1024 * 1024

/** Says what is wrong, unless bytes were changed on their way. */
function check(scene: Scene, isRight: boolean, text: () => string): void {
  if (!isRight && scene.isFaithful) throw new Violation(text())
}

/** Numbers that must come one after the other, and all before a clean end. */
class Sequence {
  readonly #scene: Scene
  readonly #what: string
  #next = 0

  constructor(scene: Scene, what: string) {
    this.#scene = scene
    this.#what = what
  }

  take(number: unknown): void {
    check(
      this.#scene,
      number === this.#next,
      () => `${this.#what}: ${String(number)} came in the place of ${this.#next}`,
    )
    this.#next++
  }

  end(count: number): void {
    check(this.#scene, this.#next === count, () => `${this.#what}: a clean end after ${this.#next} of ${count}`)
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

type Item = readonly [number, Uint8Array]
const producer = 'for i in range(count):\n    channel.send((i, bytearray(sizes[i % len(sizes)])))'

function sizesOf(random: Random, most: number): number[] {
  return Array.from({ length: 7 }, () => random.size(most))
}

/** Takes all items of a channel in one of the ways that there are. */
async function drink(scene: Scene, channel: Channel<Item>, take: (item: Item) => void): Promise<void> {
  const way = scene.random.pick(['loop', 'receive', 'stream', 'callback', 'queue'] as const)
  scene.at(way)
  if (way === 'loop') for await (const item of channel) take(item)
  else if (way === 'stream') for await (const item of channel.readable) take(item)
  else if (way === 'callback') {
    channel.setCallback(take)
    await channel.waitClose()
  } else if (way === 'queue') {
    const { MultiChannel } = await import('../../src/index.js')
    for await (const [, item] of new MultiChannel<Item>([channel]).makeReceiveQueue()) take(item)
    await channel.waitClose()
  } else {
    while (true) {
      try {
        take(await channel.receive())
      } catch (error) {
        if (error instanceof Error && error.name === 'EndOfChannelError') return
        throw error
      }
    }
  }
}

async function downstream(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const count = random.size(3000)
  const sizes = sizesOf(random, random.pick([10, 1000, 200_000]))
  const channel = gateway.remoteExec<Item>(producer, {
    count: Math.min(count, 20_000_000 / Math.max(...sizes)) | 0,
    sizes,
  })
  const all = Math.min(count, 20_000_000 / Math.max(...sizes)) | 0
  const sequence = new Sequence(scene, 'downstream')
  await drink(scene, channel, (item) => {
    sequence.take(item[0])
    check(scene, item[1].length === sizes[item[0] % 7], () => `an item of ${item[1].length} bytes`)
  })
  sequence.end(all)
}

const consumer = `
n = 0
for item in channel:
    if item[0] != n:
        raise AssertionError('disorder: %r in the place of %d' % (item[0], n))
    n += 1
channel.send(n)
`

async function upstream(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const channel = gateway.remoteExec<number, Item>(consumer)
  const sizes = sizesOf(random, random.pick([10, 1000, 200_000]))
  const count = Math.min(random.size(3000), 20_000_000 / Math.max(...sizes)) | 0
  scene.at('sends')
  if (random.chance(0.3)) {
    const writer = channel.writable.getWriter()
    for (let i = 0; i < count; i++) await writer.write([i, new Uint8Array(sizes[i % 7] ?? 0)])
    await writer.close()
  } else {
    for (let i = 0; i < count; i++) {
      const sent = channel.send([i, new Uint8Array(sizes[i % 7] ?? 0)])
      if (random.chance(0.5)) await sent
    }
    channel.sendEnd()
  }
  scene.at('waits for the count')
  const got = await channel.receive()
  scene.at('waits for the end')
  await channel.waitClose()
  check(scene, got === count, () => `upstream: a clean end there after ${got} of ${count}`)
}

async function echo(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const channel = gateway.remoteExec<number, number>('for item in channel:\n    channel.send(item)')
  const count = random.size(300)
  for (let i = 0; i < count; i++) {
    await channel.send(i)
    const back = await channel.receive()
    check(scene, back === i, () => `echo: ${String(back)} in the place of ${i}`)
  }
  channel.sendEnd()
  await channel.waitClose()
}

async function big(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const bytes = random.bytes(random.size(8 * MIB, 100_000))
  const channel = gateway.remoteExec<Uint8Array, Uint8Array>('channel.send(channel.receive())')
  scene.at('sends')
  await channel.send(bytes)
  scene.at('receives')
  const back = await channel.receive()
  check(scene, isSame(back, bytes), () => 'a big item has come back changed')
  await channel.waitClose()
}

async function manyChannels(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const channels = Array.from({ length: random.size(60) }, () => gateway.newChannel<number, number>())
  const count = random.size(100)
  const task = gateway.remoteExec(
    'for i in range(count):\n    for c in channels:\n        c.send(i)\nfor c in channels:\n    c.close()',
    { channels, count },
  )
  await Promise.all([
    task.waitClose(),
    ...channels.map(async (channel) => {
      const sequence = new Sequence(scene, 'one of many channels')
      for await (const item of channel) sequence.take(item)
      sequence.end(count)
    }),
  ])
}

async function made(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const count = random.size(500)
  const channel = gateway.remoteExec<Channel<number>>(
    'c = channel.gateway.newchannel()\nchannel.send(c)\nfor i in range(count):\n    c.send(i)\nc.close()',
    { count },
  )
  const sequence = new Sequence(scene, 'a channel of the worker')
  const other = await channel.receive()
  for await (const item of other) sequence.take(item)
  sequence.end(count)
  await channel.waitClose()
}

async function callbacks(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const count = random.size(200)
  const sequence = new Sequence(scene, 'callbacks')
  const call = (i: number): number => {
    sequence.take(i)
    return i * 2
  }
  const sum = await gateway.eval<number>('sum(f(i) for i in range(n))', { f: call, n: count })
  sequence.end(count)
  check(scene, sum === count * (count - 1), () => `callbacks: the sum is ${sum}`)
}

async function exposed(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const count = random.size(100)
  const name = `double_${random.below(2 ** 31)}`
  using _names = gateway.expose({ [name]: (i: number) => i * 2 })
  const got = await gateway.eval<number[]>(`[controller.${name}(i) for i in range(n)]`, { n: count })
  check(scene, got.length === count && got.every((each, i) => each === 2 * i), () => 'exposed: other results')
}

async function calls(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const results = Array.from({ length: random.size(200) }, async (_, i) => {
    const got = await gateway.call<number>('divmod', [i * 10 + 3, 10])
    check(scene, Array.isArray(got) && got[0] === i && got[1] === 3, () => `a call came to ${String(got)}`)
  })
  await everyone(results)
}

/** All of them, so that none is forgotten; then the first failure. */
async function everyone(promises: readonly Promise<unknown>[]): Promise<void> {
  const failures = (await Promise.allSettled(promises)).flatMap((each) =>
    each.status === 'rejected' ? [each.reason] : [],
  )
  const worst = failures.find((failure) => failure instanceof Violation) ?? failures[0]
  if (worst !== undefined) throw worst
}

class Aborted extends Error {}

async function aborts(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const count = random.size(20)
  const all = Array.from({ length: count }, async (_, i) => {
    const controller = new AbortController()
    const reason = new Aborted()
    const timer = setTimeout(() => controller.abort(reason), random.size(300))
    const options = random.chance(0.7) ? { signal: controller.signal } : { timeout: random.size(300) }
    const what = random.pick(['call', 'eval', 'exec', 'steps'] as const)
    try {
      if (what === 'call') await gateway.call('time.sleep', [random.size(400) / 1000], null, options)
      else if (what === 'eval') await gateway.eval('sum(range(n))', { n: random.size(3_000_000) }, options)
      else if (what === 'exec')
        await gateway.remoteExec('import time\nfor i in range(30):\n    time.sleep(0.01)', {}, options).waitClose()
      else
        for await (const each of await gateway.eval<AsyncIterable<number>>('iter(range(20000))', {}, options)) void each
    } catch (error) {
      if (error !== reason) throw error
    } finally {
      clearTimeout(timer)
    }
    return i
  })
  await everyone(
    all.map((each) =>
      each.catch((error: unknown) => {
        if (error instanceof Error && error.name === 'TimeoutError') return
        throw error
      }),
    ),
  )
}

async function iterators(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const count = random.size(20_000)
  const text = random.pick(['iter(range(n))', '(i for i in range(n))', 'iter([i for i in range(n)])'])
  const items = await gateway.eval<AsyncIterable<number>>(text, { n: count })
  const sequence = new Sequence(scene, 'an iterator')
  for await (const item of items) sequence.take(item)
  sequence.end(count)
}

async function objects(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const dict = await gateway.new('collections.OrderedDict').ref()
  const count = random.size(100)
  const setting = Array.from({ length: count }, (_, i) => dict.$setItem(i, i))
  await everyone([...setting])
  const length = await dict.$length()
  check(scene, length === count, () => `an object has ${String(length)} of ${count}`)
  const sequence = new Sequence(scene, 'keys of an object')
  for await (const key of dict) sequence.take(key)
  sequence.end(count)
  await dict[Symbol.asyncDispose]()
}

async function chains(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const { datetime } = gateway.modules
  for (let i = random.size(40); i > 0; i--) {
    const got = await datetime.date(2020, 1, 31).replace(2021).isoformat().split('-')
    check(scene, Array.isArray(got) && got[0] === '2021', () => `a chain came to ${String(got)}`)
  }
}

async function services(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const service = await gateway.service<{
    double(i: number): Promise<number>
    count(n: number): AsyncIterable<number>
  }>('def double(i):\n    return i * 2\ndef count(n):\n    return iter(range(n))\n', { expose: ['double', 'count'] })
  const count = random.size(200)
  for (let i = 0; i < count; i++) {
    const got = await service.double(i)
    check(scene, got === 2 * i, () => `a service came to ${String(got)}`)
  }
}

/** A folder with files that say what they are. */
function makeTree(folder: string, random: Random): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>()
  for (let i = random.size(80); i > 0; i--) {
    const path = `${random.pick(['', 'a/', 'a/b/', 'c/'])}file-${i}`
    files.set(path, random.bytes(random.size(random.pick([100, 100, 300_000]))))
  }
  for (const [path, bytes] of files) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), bytes)
  }
  return files
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

/** What was copied there is all or nothing, whatever became of the copy. */
function checkTree(scene: Scene, target: string, files: Map<string, Uint8Array>, isDone: boolean): void {
  if (!existsSync(target)) return check(scene, !isDone, () => 'a copy that came to its end is not there')
  const there = filesOf(target)
  check(scene, there.length === files.size, () => `a copied tree has ${there.length} of ${files.size} files`)
  for (const path of there) {
    const bytes = files.get(path) ?? new Uint8Array()
    check(scene, isSame(readFileSync(join(target, path)), bytes), () => `a copied file, ${path}, differs`)
  }
}

async function put(scene: Scene): Promise<void> {
  const { gateway, random, folder } = scene
  const files = makeTree(join(folder, 'from'), random)
  const target = join(folder, 'to')
  let isDone = false
  try {
    await gateway.put(join(folder, 'from'), target)
    isDone = true
  } finally {
    if (isDone) checkTree(scene, target, files, isDone)
    else scene.later(() => checkTree(scene, target, files, false))
  }
}

async function get(scene: Scene): Promise<void> {
  const { gateway, random, folder } = scene
  const files = makeTree(join(folder, 'from'), random)
  const target = join(folder, 'to')
  let isDone = false
  try {
    await gateway.get(join(folder, 'from'), target)
    isDone = true
  } finally {
    checkTree(scene, target, files, isDone)
  }
}

async function putBytes(scene: Scene): Promise<void> {
  const { gateway, random, folder } = scene
  const bytes = random.bytes(random.size(3 * MIB))
  const target = join(folder, 'file')
  const source = random.chance(0.5)
    ? bytes
    : (async function* pieces() {
        for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
      })()
  const look = (): void => {
    if (existsSync(target)) check(scene, isSame(readFileSync(target), bytes), () => 'half a file was put')
  }
  try {
    await gateway.put(source, target)
    look()
    check(scene, existsSync(target), () => 'a file that was put is not there')
  } catch (error) {
    scene.later(look)
    throw error
  }
}

async function readFile(scene: Scene): Promise<void> {
  const { gateway, random, folder } = scene
  const bytes = random.bytes(random.size(6 * MIB))
  const path = join(folder, 'file')
  writeFileSync(path, bytes)
  const chunks: Uint8Array[] = []
  for await (const chunk of gateway.readFile(path)) chunks.push(chunk)
  check(
    scene,
    isSame(Buffer.concat(chunks), bytes),
    () => `readFile came to a clean end after ${Buffer.concat(chunks).length} of ${bytes.length}`,
  )
}

async function provide(scene: Scene): Promise<void> {
  const { gateway, random, folder } = scene
  const name = `provided_${random.below(2 ** 31)}`
  const many = random.size(60)
  mkdirSync(join(folder, name))
  writeFileSync(
    join(folder, name, '__init__.py'),
    `from . import ${Array.from({ length: many }, (_, i) => `part_${i}`).join(', ')}\ndef total():\n    return ${Array.from({ length: many }, (_, i) => `part_${i}.value`).join(' + ')}\n`,
  )
  for (let i = 0; i < many; i++)
    writeFileSync(join(folder, name, `part_${i}.py`), `# ${'x'.repeat(random.size(20_000))}\nvalue = 1\n`)
  gateway.provide({ roots: [folder] })
  const got = await gateway.call<number>(`${name}.total`)
  check(scene, got === many, () => `provided modules came to ${got}`)
}

/** A transfer over a forward: what the far end has sent must have come in whole when its end comes. */
async function forwards(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const bytes = random.bytes(random.size(8 * MIB, 1000))
  const held = new Set<Socket>()
  const hold = (socket: Socket): Socket => {
    held.add(socket)
    socket.on('error', () => undefined)
    return socket
  }
  const mode = random.pick(['down', 'up', 'both'] as const)
  const ended: Promise<void>[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    hold(socket)
    if (mode === 'down') socket.resume()
    else {
      const end = watch(scene, socket, bytes, `a forward, ${mode}, at the server`)
      end.catch(() => undefined) // it is awaited below
      ended.push(end)
    }
    if (mode === 'up') socket.end('ok')
    else socket.end(bytes)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  let whole: Promise<void>[] = []
  const errors: unknown[] = []
  try {
    scene.at('listen')
    const where = random.chance(0.5) ? { localListen: 0 } : { remoteListen: 0 }
    const forward = await gateway.forward({ ...where, to: port, onError: (error) => void errors.push(error) })
    scene.at(`transfers, ${Object.keys(where)[0]} ${mode}`)
    whole = Array.from({ length: random.size(4) }, async () => {
      const client = hold(connect({ port: forward.port, host: '127.0.0.1', allowHalfOpen: true }))
      const expected = mode === 'up' ? Buffer.from('ok') : bytes
      if (mode === 'down') client.end('x')
      else client.end(bytes)
      await watch(scene, client, expected, `a forward, ${Object.keys(where)[0]} ${mode}, at the client`)
    })
    if (random.chance(0.2)) setTimeout(() => void forward.close(), random.size(400))
    await everyone(whole)
    scene.at('the ends of the server')
    await everyone(ended)
    scene.at('close')
    await forward.close()
  } finally {
    for (const socket of held) socket.destroy()
    server.close()
    await everyone(ended)
  }
  for (const error of errors)
    if (!(error instanceof Error && 'code' in error)) throw new Violation(`onError was told ${String(error)}`)
}

/** Resolves when the connection is over; a proper end must stand behind all bytes. */
function watch(scene: Scene, socket: Socket, expected: Uint8Array, what: string): Promise<void> {
  let count = 0
  let { remotePort } = socket
  socket.once('connect', () => {
    remotePort = socket.remotePort
  })
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      if (scene.isFaithful && !isSame(chunk, expected.subarray(count, count + chunk.length)))
        reject(new Violation(`${what}: other bytes at ${count}`))
      count += chunk.length
    })
    socket.on('end', () => {
      const isKnown = remotePort !== undefined // else it was over before it was taken
      if (count !== expected.length && scene.isFaithful && isKnown && errorBehind(socket) === undefined)
        reject(new Violation(`${what}: a proper end after ${count} of ${expected.length} bytes`))
      else resolve()
    })
    socket.on('close', () => resolve())
  })
}

async function questions(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  for (let i = random.size(20); i > 0; i--) {
    const what = random.below(5)
    scene.at(`question ${what}`)
    if (what === 0) await gateway.remoteStatus()
    else if (what === 1) await gateway.info()
    else if (what === 2) await gateway.stats()
    else if (what === 3) await gateway.stacks()
    else await gateway.postMortem()
  }
}

async function logs(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  const count = random.size(100)
  const name = `log.n${random.below(2 ** 31)}`
  const sequence = new Sequence(scene, 'log records')
  const subscription = await gateway.onLog((record) => sequence.take(Number(record.message)), { logger: name })
  await gateway.execute(
    `import logging\nfor i in range(${count}):\n    logging.getLogger(${JSON.stringify(name)}).warning(str(i))`,
  )
  await subscription.close()
  if (gateway.isReceiving) sequence.end(count) // else closing it is just that
}

async function prints(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  await gateway.remoteExec('for i in range(n):\n    print(i)', { n: random.size(5000) }).waitClose()
}

async function failures(scene: Scene): Promise<void> {
  const { gateway, random } = scene
  for (let i = random.size(10); i > 0; i--) {
    const error: unknown = await gateway.eval('1 / 0').catch((caught: unknown) => caught)
    if (!(error instanceof Error) || error.name !== 'RemoteError') throw error
  }
}

const works = {
  downstream,
  upstream,
  echo,
  big,
  manyChannels,
  made,
  callbacks,
  exposed,
  calls,
  aborts,
  iterators,
  objects,
  chains,
  services,
  put,
  get,
  putBytes,
  readFile,
  provide,
  forwards,
  questions,
  logs,
  prints,
  failures,
} satisfies Record<string, Work>

export type WorkName = keyof typeof works
export const workNames = ['forwards', 'forwards', 'forwards', ...Object.keys(works)] as [WorkName, ...WorkName[]] // an object's keys are of its type
export const workOf = (name: WorkName): Work => works[name]
