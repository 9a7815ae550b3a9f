// What package.json promises to bundlers: a program that was bundled behaves as one that was not.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const program = `
import { dumps, loads } from '${root}dist/index.js'
for (const value of [new URL('http://a/b'), /x+/g, new Error('of ours')]) console.log(String(loads(dumps(value))))
`
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tendril-bundle-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

it('a bundled program sends URLs, regular expressions and errors', async () => {
  writeFileSync(join(folder, 'program.mjs'), program)
  const bundle = await rolldown({ input: join(folder, 'program.mjs'), external: [/^[a-z@]/i], platform: 'node' })
  // Each file in a file of its own, so that they find the Python files beside them.
  const out = join(folder, 'out')
  const { output } = await bundle.write({ dir: out, preserveModules: true, preserveModulesRoot: root })
  for (const path of ['dist', 'bootstrap.py'])
    cpSync(join(root, path), join(out, path), { recursive: true, filter: (from) => !from.endsWith('.js') })
  symlinkSync(join(root, 'node_modules'), join(out, 'node_modules'))
  const entry = output.find((file) => file.type === 'chunk' && file.isEntry)?.fileName ?? ''
  const { stdout, stderr } = spawnSync(process.execPath, [join(out, entry)], { encoding: 'utf8' })
  expect([stdout, stderr]).toEqual(['http://a/b\n/x+/g\nError: of ours\n', ''])
})
