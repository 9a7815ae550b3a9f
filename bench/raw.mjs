// The raw pipe: the same interpreter behind the same kind of stdio, with nothing of ours on either side. What it takes
// is what no library between Node and Python can go below.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dumps } from 'tendril'
import { median, passed, residentMib, timed } from './figures.mjs'

const HEADER_BYTES = 10
const SMALL = Buffer.alloc(16, 1) // a small int is a frame of about this size

/** Bytes that an item takes on the wire. */
export function wireSize(item) {
  return HEADER_BYTES + dumps(item).length
}

/** Microseconds of an echo. */
export async function roundTrips(python, { ROUND_TRIPS, WARM_UP }) {
  const child = start(python, 'import os\nwhile 1: os.write(1, os.read(0, 65536))')
  const measure = async () => ((await timed(() => echo(child, ROUND_TRIPS))) * 1e3) / ROUND_TRIPS
  try {
    const cold = await measure()
    await echo(child, WARM_UP)
    return { cold, awaited: await measure() }
  } finally {
    child.kill()
  }
}

/** So many echoes of 16 bytes, one after the other. */
export function echo({ stdin, stdout }, times) {
  return new Promise((resolve) => {
    let left = times
    stdout.removeAllListeners('data')
    stdout.on('data', () => {
      if (--left > 0) stdin.write(SMALL)
      else resolve()
    })
    stdin.write(SMALL)
  })
}

/** Milliseconds to send so many bytes, until the other side says that it has them. */
export async function toWorker(python, bytes) {
  return bulk(
    python,
    bytes,
    'while 1:\n n = int(os.read(0, 20))\n os.write(1, b"r")\n while n > 0: n -= len(os.read(0, 65536))\n os.write(1, b"d")',
    async ({ stdin, stdout }, item) => {
      const done = once(stdout, 'data')
      stdin.write(item)
      await done
    },
  )
}

/** Milliseconds until so many bytes have arrived. */
export async function toController(python, bytes) {
  const source =
    'while 1:\n n = int(os.read(0, 20))\n b = memoryview(bytes(n))\n os.write(1, b"r")\n os.read(0, 1)\n while b: b = b[os.write(1, b):]'
  return bulk(python, bytes, source, ({ stdin, stdout }) => {
    return new Promise((resolve) => {
      let left = bytes
      const onData = (chunk) => {
        left -= chunk.length
        if (left > 0) return
        stdout.off('data', onData)
        resolve()
      }
      stdout.on('data', onData)
      stdin.write('g')
    })
  })
}

async function bulk(python, bytes, source, move) {
  const child = start(python, `import os\n${source}`)
  const item = Buffer.alloc(bytes, 'x')
  const figures = []
  try {
    for (let i = 0; i < 5; i++) {
      const ready = once(child.stdout, 'data')
      child.stdin.write(String(bytes))
      await ready
      figures.push(await timed(() => move(child, item)))
    }
    return median(figures)
  } finally {
    child.kill()
  }
}

/** Milliseconds of `python -c pass`. */
export async function startUp(python) {
  const figures = []
  for (let i = 0; i < 5; i++) figures.push(await startUps(python, 1))
  return median(figures)
}

/** Milliseconds of so many `python -c pass` at the same time. */
export function startUps(python, count) {
  return timed(async () => {
    await Promise.all(Array.from({ length: count }, () => once(spawn(python, ['-c', 'pass']), 'exit')))
  })
}

/** MiB of an interpreter that does nothing. */
export async function idle(python) {
  const child = spawn(python, ['-c', 'import time; print(1, flush=True); time.sleep(60)'])
  try {
    await once(child.stdout, 'data')
    await passed(100)
    return { worker: residentMib(child.pid) }
  } finally {
    child.kill()
  }
}

function start(python, source) {
  return spawn(python, ['-S', '-c', source], { stdio: ['pipe', 'pipe', 'inherit'] })
}
