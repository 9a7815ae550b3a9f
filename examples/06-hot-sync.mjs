// Keeps a folder on another machine equal to one here, while it is being edited: only what changed travels, over one channel.
//
//   node examples/06-hot-sync.mjs [FOLDER [SPEC [REMOTE FOLDER]]]
//
// Without arguments it shows itself what it does, on two folders that it makes. With a folder it goes on until Ctrl-C.
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeGateway } from 'tendril'

const remoteCode = { file: fileURLToPath(new URL('hot_sync.py', import.meta.url)), function: 'mirror' }

function digestsOf(root) {
  const paths = readdirSync(root, { recursive: true }).filter((path) => statSync(join(root, path)).isFile())
  const digest = (path) =>
    createHash('sha256')
      .update(readFileSync(join(root, path)))
      .digest('hex')
  return Object.fromEntries(paths.map((path) => [path, digest(path)]))
}

async function sync(channel, root) {
  await channel.send(digestsOf(root))
  for (const path of await channel.receive()) await channel.send(readFileSync(join(root, path)))
  const { written, removed } = await channel.receive()
  console.log(`written: ${written.join(', ') || '-'} | removed: ${removed.join(', ') || '-'}`)
}

const [folder, spec = 'popen', remoteFolder = mkdtempSync(join(tmpdir(), 'mirror-'))] = process.argv.slice(2)
const root = folder ?? mkdtempSync(join(tmpdir(), 'original-'))
const gateway = await makeGateway(spec)
const channel = gateway.remoteExec(remoteCode, { root: remoteFolder })
try {
  if (folder === undefined) {
    for (const name of ['a.py', 'b.py', 'c.py']) writeFileSync(join(root, name), `name = '${name}'\n`)
    await sync(channel, root)
    writeFileSync(join(root, 'b.py'), "name = 'B'\n")
    rmSync(join(root, 'c.py'))
    await sync(channel, root)
    await sync(channel, root)
  } else {
    await sync(channel, root)
    let syncing = Promise.resolve()
    watch(root, { recursive: true }, () => {
      syncing = syncing.then(() => sync(channel, root))
    })
    await gateway.closed
  }
} finally {
  await gateway.terminate()
  if (folder === undefined) for (const made of [root, remoteFolder]) rmSync(made, { recursive: true })
}
