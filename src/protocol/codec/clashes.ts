/**
 * Numbers whose hashes clash. V8 hashes a bigint by its lowest 64 bits alone, and other numbers in a way that anybody can turn round: a Map or
 * Set of them may take a step for every pair. IPv6 networks do, without any malice. Text is hashed with a seed, objects by chance.
 */

// Below this the steps of all pairs are few.
const MIN_KEYS = 256
// One of so many keys is looked at, nobody knows which: of keys that clash as many are as of any others.
const SAMPLED = 8
// What any numbers may take, a key.
const STEPS_A_KEY = 64
/** What clashes may take beside that, in an item that somebody takes: some 100 ms. */
export const CLASH_STEPS: number = 2 ** 25
/** In one that nobody has asked for. */
export const FEW_CLASH_STEPS: number = 2 ** 22

/** Why a container is not read whose keys clash more than that. */
export const CLASH = 'it has numbers as keys that JavaScript cannot tell apart fast enough'

/** How many of the keys of one container that were looked at have come to each hash. */
interface Table {
  readonly counts: Uint32Array
}

type Container = ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>

const double = new Float64Array(1)
const bigint = new BigUint64Array(double.buffer)
const halves = new Uint32Array(double.buffer)

/** Those of one payload. */
export class Clashes {
  /** Of large containers, which few payloads have. */
  #tables: WeakMap<Container, Table> | undefined
  #stepsLeft: number

  constructor(steps: number) {
    this.#stepsLeft = steps
  }

  /**
   * Counts what is about to be put into a container: every so-manieth of `stack`, from `start` to before `end`, is a key.
   *
   * @returns Whether that would take too long.
   */
  add(container: Container, stack: readonly unknown[], start: number, end: number, every = 1): boolean {
    const size = container.size + (end - start) / every
    if (size < MIN_KEYS) return false
    this.#tables ??= new WeakMap()
    let table = this.#tables.get(container)
    if (table === undefined || table.counts.length * SAMPLED < size) {
      table = tableOf(container, size)
      this.#tables.set(container, table)
    }
    for (let at = start + every * randomStart(); at < end; at += every * SAMPLED) {
      const key = stack[at]
      if (typeof key === 'number' || typeof key === 'bigint')
        this.#stepsLeft += (STEPS_A_KEY - count(table, key) * SAMPLED) * SAMPLED
      if (this.#stepsLeft < 0) return true
    }
    return false
  }
}

/** With room for twice as many. */
function tableOf(container: Container, size: number): Table {
  const table = { counts: new Uint32Array(2 ** Math.ceil(Math.log2((2 * size) / SAMPLED))) }
  let at = randomStart()
  for (const key of container.keys())
    if (at++ % SAMPLED === 0 && (typeof key === 'number' || typeof key === 'bigint')) count(table, key)
  return table
}

function randomStart(): number {
  return Math.floor(Math.random() * SAMPLED)
}

function count(table: Table, key: number | bigint): number {
  const place = hashOf(key) & (table.counts.length - 1)
  const before = table.counts[place] ?? 0
  table.counts[place] = before + 1
  return before
}

/** As V8 hashes it. */
function hashOf(key: number | bigint): number {
  if (typeof key === 'bigint') bigint[0] = key
  else if ((key | 0) === key) return hash32(key)
  else double[0] = key
  return hash64(halves[1] ?? 0, halves[0] ?? 0)
}

function hash32(key: number): number {
  let hash = ~key + (key << 15)
  hash ^= hash >>> 12
  hash += hash << 2
  hash ^= hash >>> 4
  hash = Math.imul(hash, 2057)
  return (hash ^ (hash >>> 16)) & 0x3fffffff
}

/** Of 64 bits in two halves: each product below is exact, as no factor has more than 18 bits. */
function hash64(keyHigh: number, keyLow: number): number {
  let product = keyLow * 0x3ffff - 1
  let low = product | 0
  let high = (Math.imul(keyHigh, 0x3ffff) + Math.floor(product / 2 ** 32)) | 0
  low = product >= 0 ? low32(product) : -1
  low ^= (low >>> 31) | (high << 1)
  high ^= high >>> 31
  product = (low >>> 0) * 21
  low = low32(product)
  high = (Math.imul(high, 21) + Math.floor(product / 2 ** 32)) | 0
  low ^= (low >>> 11) | (high << 21)
  high ^= high >>> 11
  product = (low >>> 0) * 65
  low = low32(product)
  high = (Math.imul(high, 65) + Math.floor(product / 2 ** 32)) | 0
  return (low ^ ((low >>> 22) | (high << 10))) & 0x3fffffff
}

function low32(product: number): number {
  return (product % 2 ** 32) | 0
}
