// Compiles src into dist and mirrors the Python files beside their modules, so that
// `new URL('./x.py', import.meta.url)` names the same file from src and from dist.
// With --clean, dist is emptied first: what is published holds nothing of an older build.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const from = join(root, 'src')
const to = join(root, 'dist')

if (process.argv.includes('--clean')) rmSync(to, { recursive: true, force: true })

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)

for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
  if (file.endsWith('.py')) cpSync(join(from, file), join(to, file))
}

// npm makes a bin executable when it installs a package; this is for those who run it from a checkout.
const bin = join(to, 'cli', 'bin.js')
if (existsSync(bin)) chmodSync(bin, 0o755)
