// What grows with files, modules, connections, gateways and specs.
import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { dumps, Group, loads, XSpec } from 'tendril'
import { each, range, together } from './steps.mjs'

let made = 0

/** A new folder, filled: `write` is given n names in it. */
function tree(folder, n, write) {
  const at = join(folder, `tree${made++}`)
  mkdirSync(at)
  for (let i = 0; i < n; i++) write(join(at, `file ${i}`), i)
  return at
}

const file = (path) => writeFileSync(path, 'a few bytes\n')

/** Copies a tree, and removes both sides afterwards. */
const copying = (fill, copy) => async (it, n) => {
  const from = fill(it.folder, n)
  const to = `${from} copied`
  const run = await copy(it, from, to)
  return async () => {
    await run()
    return () => {
      for (const path of [from, to]) rmSync(path, { recursive: true, force: true })
    }
  }
}
const files = (folder, n) => tree(folder, n, file)
const put =
  ({ gateway }, from, to) =>
  () =>
    gateway.put(from, to)
const get =
  ({ gateway }, from, to) =>
  () =>
    gateway.get(from, to)
const kibibytes = (folder, n) => {
  const at = join(folder, `long${made++}`)
  writeFileSync(at, Buffer.alloc(n * 4096, 'x'))
  return at
}

/** One after the other, one inside the other. */
const deep = (folder, n) =>
  tree(folder, Math.ceil(n / 50), (path) => {
    mkdirSync(join(path, ...range(50, () => 'd')), { recursive: true })
  })

/** A server of this side that sends back what it gets, and a forward there that leads to it. */
async function echoBehind(gateway) {
  const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const forward = await gateway.forward({ localListen: 0, to: server.address().port, onError: () => undefined })
  const close = async () => {
    await forward.close()
    server.close()
  }
  return { port: forward.port, close }
}

/** Sends so many bytes, and gets them back. */
function echo(port, bytes) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(Buffer.alloc(bytes, 'x')))
    socket.on('error', reject).on('end', resolve).resume()
  })
}

const forwarding =
  (run) =>
  async ({ gateway }, n) => {
    const { port, close } = await echoBehind(gateway)
    return async () => {
      await run(port, n)
      return close
    }
  }

/** Modules that only this side has, for a gateway of its own. */
const providing =
  (write, source) =>
  async ({ group, spec, folder }, n) => {
    const root = join(folder, `root${made++}`)
    mkdirSync(root)
    write(root, n)
    utimesSync(root, 0, 0) // nobody writes to it
    const gateway = await group.makeGateway(spec)
    gateway.provide({ roots: [root] })
    return async () => {
      await gateway.remoteExec(source, { n }).waitClose()
      return async () => {
        await gateway.terminate()
        rmSync(root, { recursive: true })
      }
    }
  }

export const copies = {
  'files that are put': copying(files, put),
  'files that are got': copying(files, get),
  'files that are put where they are already': copying(files, async (it, from, to) => {
    await it.gateway.put(from, to)
    return put(it, from, to)
  }),
  'pages of a file that is put': copying(kibibytes, put),
  'pages of a file that is got': copying(kibibytes, get),
  'folders in each other that are put': copying(deep, put),
  'folders in each other that are got': copying(deep, get),
  'links that are put': copying((folder, n) => tree(folder, n, (path) => symlinkSync('file 0', path)), put),
  'files put one by one': ({ gateway, folder }, n) => {
    const at = tree(folder, 0)
    return () => each(n, (i) => gateway.put(Buffer.from('a few bytes'), join(at, `file ${i}`)))
  },
  'pages of a file that is read': ({ gateway, folder }, n) => {
    const at = kibibytes(folder, n)
    return async () => {
      for await (const _chunk of gateway.readFile(at));
      return () => rmSync(at)
    }
  },
}

export const others = {
  'bytes through a forward, in pages': forwarding((port, n) => echo(port, n * 4096)),
  'connections through a forward, one after the other': forwarding((port, n) => each(n, () => echo(port, 10))),
  'connections through a forward at once': forwarding((port, n) =>
    each(Math.ceil(n / 64), () => together(Math.min(n, 64), () => echo(port, 10))),
  ),
  'modules that are provided': providing(
    (root, n) => range(n, (i) => writeFileSync(join(root, `m${i}.py`), 'x = 1\n')),
    'for i in range(n): __import__("m%d" % i)',
  ),
  'modules that import each other': providing(
    (root, n) =>
      range(n, (i) =>
        writeFileSync(join(root, `m${i}.py`), `import m${i + 1}\n`.repeat(i + 1 < n && (i + 1) % 50 ? 1 : 0)),
      ),
    'for i in range(0, n, 50): __import__("m%d" % i)',
  ),
  'lines of a module that is provided': providing(
    (root, n) => writeFileSync(join(root, 'long.py'), 'x = 1\n'.repeat(n)),
    'import long',
  ),
  'bytes through a carrier, in pages': async ({ group, gateway, spec }, n) => {
    const inner = await group.makeGateway(`${spec}//via=${gateway.id}`)
    const channel = inner.remoteExec('for item in channel: channel.send(len(item))')
    return async () => {
      await channel.send(Buffer.alloc(n * 4096))
      await channel.receive()
      return () => inner.terminate()
    }
  },
  'gateways whose ids are asked for': (_, n) => () => {
    const group = new Group()
    for (let i = 0; i < n; i++) group.allocateId(XSpec.parse('popen'))
  },
  'keys of a spec': (_, n) => {
    const text = `popen${range(n, (i) => `//env:NAME_${i}=value`).join('')}`
    return () => void String(XSpec.parse(text))
  },
  'characters of a value of a spec': (_, n) => {
    const text = `popen//chdir=${'a:/'.repeat(n * 10)}`
    return () => void String(XSpec.parse(text))
  },
  'blanks of a spec': (_, n) => {
    const text = `popen//chdir=x${' '.repeat(n * 10)}x`
    return () => void String(XSpec.parse(text))
  },
  'specs that are expanded': (_, n) => () => {
    for (let i = 0; i < n; i++) XSpec.parse(XSpec.expand('2*popen//nice=5')[0])
  },
  'members of what is dumped and loaded': (_, n) => {
    const value = range(n, (i) => ({ id: i }))
    return () => void loads(dumps(value))
  },
}
