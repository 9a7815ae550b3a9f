// tendril's side of the imports over a slow link: a package that only the controller has. `target` is the bed: { spec }.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Group } from 'tendril'

// Of pure Python, with 150 modules and more that `import` runs.
const PACKAGE = 'django'
const MODULE = 'django.db.models'
const folder = fileURLToPath(new URL('./.venv/packages', import.meta.url))

const IMPORT = `
  import time
  start = time.time()
  import ${MODULE}
  took = time.time() - start
  from _tendril.shelf import shelf
  channel.send([1000 * took, shelf.asked, len(shelf.sources)])
`

/** Milliseconds of the first import, the round trips that it asked for, and how many modules it was. */
export async function farImport(python, { spec }) {
  const root = prepare(python)
  const group = new Group()
  try {
    const gateway = await group.makeGateway(`${spec}//python=${python}`)
    gateway.provide({ roots: [root] })
    const [ms, trips, modules] = await gateway.remoteExec(IMPORT).receive()
    const ahead = await group.makeGateway(`${spec}//python=${python}`)
    ahead.provide({ roots: [root], packages: [PACKAGE, 'asgiref', 'sqlparse'] })
    const [, aheadTrips] = await ahead.remoteExec(IMPORT).receive()
    return { ms, trips, modules, aheadTrips }
  } finally {
    await group.terminate()
  }
}

/** Milliseconds of the same import from this disk, by a Python that has to compile it as well. */
export function diskImport(python) {
  const source = `import sys, time; sys.path.insert(0, ${JSON.stringify(prepare(python))}); start = time.time(); import ${MODULE}; print(1000 * (time.time() - start))`
  return { ms: Number(execFileSync(python, ['-B', '-c', source], { encoding: 'utf8' })) }
}

/** The package by pip, for that interpreter, once; without compiled files, which would be another import. */
function prepare(python) {
  const made = join(folder, 'made-by')
  if (existsSync(made) && readFileSync(made, 'utf8') === python) return folder
  rmSync(folder, { recursive: true, force: true })
  const args = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--no-compile',
    '--target',
    folder,
    PACKAGE,
  ]
  const { status, stderr } = spawnSync(python, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`pip install ${PACKAGE} failed: ${stderr.trim().split('\n').at(-1)}`)
  writeFileSync(made, python)
  return folder
}
