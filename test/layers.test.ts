// The imports of src point down, never round: DESIGN's table of layers, read off the files. Beside it the limits of
// the house that no linter knows: the length of a file, and words that must not be in one.
import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => /\.(ts|py)$/.test(path) && !path.endsWith('.d.ts'))
const modules = new Map(sources.filter((path) => path.endsWith('.ts')).map((path) => [path, importsOf(path)]))

const layers = new Map([
  ['remote-failure.ts', 0],
  ['remote-error.ts', 0],
  ['tendril-error.ts', 0],
  ['one-line.ts', 0],
  ['errors.ts', 0],
  ['thrown.ts', 0],
  ['timer.ts', 0],
  ['protocol', 1],
  ['channels', 2],
  ['transports', 3],
  ['specs', 3.5],
  ['gateways', 4],
  ['core.ts', 5],
  ['gateway.ts', 6.5],
  ['group.ts', 6.6],
  ['compositions', 6.8],
  ['index.ts', 7],
  ['cli', 8],
])
const featureLayer = 6
const featuresOf = new Map([['features/proxies', ['features/calls']]])

/** Lines of a file. A file that has good reasons to be longer gets a row below, which a reviewer sees. */
const aim = 300
const budget: Record<string, number> = {
  'bootstrap.py': 750, // aim 600: what no worker can do without, in one file; its bytes are limited in bootstrap.test.ts
  'src/features/calls/session.ts': 440, // aim 300: requests, their replies and their ends; its channels are in link.ts
  'src/features/calls/session.py': 330, // its twin
  'src/gateways/gateway.ts': 335, // where connection, codec, transport and channels meet
  'src/gateway.ts': 356, // a method for everything that features do, with its documentation
  'src/channels/channel.ts': 345, // all that users do with a channel, with its documentation
  'src/protocol/codec/machine.ts': 380, // what every opcode does to one stack, and what it costs
  'src/transports/socket/serve.py': 725, // a program of one file, which is copied to hosts
}

function layerOf(path: string): number {
  const layer = path.startsWith('features/') ? featureLayer : layers.get(unitOf(path))
  if (layer === undefined) throw new Error(`src/${path} is in no layer: give its folder a row in \`layers\``)
  return layer
}

/** The folder of a layer or feature, or the file itself where it is a layer of its own. */
function unitOf(path: string): string {
  const [folder = path, feature] = path.split('/')
  return folder === 'features' ? `${folder}/${feature}` : folder
}

function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** What a file imports, types and dynamic imports too; files of src by their path, packages by their name. */
function importsOf(path: string): string[] {
  return ts
    .preProcessFile(textOf(`src/${path}`), true, true)
    .importedFiles.map(({ fileName }) =>
      fileName.startsWith('.') ? posix.join(posix.dirname(path), fileName).replace(/\.js$/, '.ts') : fileName,
    )
}

/** Why a file may not import another, if so. */
function complaintAbout(from: string, to: string): string | undefined {
  const edge = `${from} imports ${to}`
  const isNode = to.startsWith('node:') || builtinModules.includes(to)
  if (isNode && layerOf(from) <= 1) return `${edge}: this layer runs without Node`
  if (isNode || !to.endsWith('.ts')) return undefined
  if (!modules.has(to)) return `${edge}: there is no such file in src`
  if (unitOf(from) === unitOf(to)) return undefined
  if (layerOf(to) > layerOf(from)) return `${edge}: it points up`
  if (unitOf(from) === 'cli' && to !== 'index.ts' && to !== 'core.ts')
    return `${edge}: commands import index.ts, and core.ts for what users do not get`
  return layerOf(from) === featureLayer ? complaintAboutFeature(from, to, edge) : undefined
}

function complaintAboutFeature(from: string, to: string, edge: string): string | undefined {
  if (to === 'core.ts' || to === 'errors.ts') return undefined
  if (featuresOf.get(unitOf(from))?.includes(unitOf(to))) return undefined
  return `${edge}: a feature imports only core.ts and errors.ts`
}

/** The first cycle met from a file, as the path along it. */
function cycleFrom(path: string, trail: readonly string[], done: Set<string>): string | undefined {
  if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path].join(' → ')
  if (done.has(path)) return undefined
  for (const next of modules.get(path) ?? []) {
    const cycle = cycleFrom(next, [...trail, path], done)
    if (cycle !== undefined) return cycle
  }
  done.add(path)
  return undefined
}

describe('the imports of src', () => {
  it('point down, and only where the layer may look', () => {
    const edges = [...modules].flatMap(([from, imports]) => imports.map((to) => complaintAbout(from, to)))
    expect(edges.filter((complaint) => complaint !== undefined)).toEqual([])
  })

  it('have no cycle', () => {
    const done = new Set<string>()
    expect([...modules.keys()].map((path) => cycleFrom(path, [], done)).filter(Boolean)).toEqual([])
  })
})

/** Python that runs in workers, by the name of its module: what it imports, and what it asks `extra` for when that is needed. */
const workerModules = new Map(
  ['../bootstrap.py', ...sources.filter((path) => path.endsWith('.py') && !path.startsWith('transports/'))].map(
    (path) => {
      const text = textOf(`src/${path}`)
      const imports = [
        ...text.matchAll(/^ *(?:from _tendril\.(\w+) import|from _tendril import (.+(?:\n {10,}.+)*))/gm),
      ]
      const imported = imports.flatMap(([, module, names = '']) =>
        module === undefined ? names.match(/\w+/g) : [module],
      )
      const asked = [...text.matchAll(/\bextra\('(\w+)'\)/g)].map(([, module]) => module)
      return [posix.basename(path, '.py'), { path, imported, asked }] as const
    },
  ),
)

/** The core of a worker is one unit: its parts are in four folders because they lie beside their twins. */
function workerUnitOf(path: string): string {
  return /^(?:\.\.|protocol|channels|worker)\//.test(path) ? 'the core' : unitOf(path)
}

function complaintAboutModule(from: string, to: string | undefined): string | undefined {
  const target = workerModules.get(to ?? '')?.path
  if (target === undefined) return undefined
  const [unit, other] = [workerUnitOf(from), workerUnitOf(target)]
  const isBelow = other === 'the core' || (other === 'gateways' && unit !== 'the core') || unit === 'cli'
  if (unit === other || isBelow || featuresOf.get(unit)?.includes(other)) return undefined
  return `${from}: ${to}`
}

/** Features that are asked for by name from below, for what only they can do: each is there only once it has been pushed. */
const doors = [
  'worker/threads.py: loans', // what a task was lent that is refused
  'features/calls/session.py: references', // what was to come of a request that is not performed
  'features/calls/refusing.py: references',
  'features/calls/targets.py: controller', // what makes exposed functions callable
]

describe('the Python of workers', () => {
  it('imports what is below or beside it, and nothing round', () => {
    const modules = [...workerModules.values()]
    expect(
      modules
        .flatMap(({ path, imported }) => imported.map((to) => complaintAboutModule(path, to ?? '')))
        .filter(Boolean),
    ).toEqual(
      ['../bootstrap.py: elastic'], // the finder of modules, once it has been pushed
    )
    const rounds = [...workerModules].flatMap(([name, { imported }]) =>
      [...reachableFrom(imported)].filter((to) => to === name),
    )
    expect(rounds).toEqual([])
  })

  it('asks for features only through doors', () => {
    const asked = [...workerModules.values()].flatMap(({ path, asked: all }) =>
      all.map((to) => complaintAboutModule(path, to)),
    )
    expect([...new Set(asked.filter((complaint) => complaint !== undefined))].sort()).toEqual([...doors].sort())
  })

  it('uses no private name of another object of ours', () => {
    const files = [...workerModules.values()].map(({ path }) => ({ path, text: textOf(`src/${path}`) }))
    const ours = new Set(
      files.flatMap(({ text }) =>
        [...text.matchAll(/self\.(_[a-z]\w*) =|def (_[a-z]\w*)/g)].map(([, one, other]) => one ?? other),
      ),
    )
    const uses = files.flatMap(({ path, text }) =>
      [...text.matchAll(/\b(?!self\b)(\w+)\.(_[a-z]\w*)/g)]
        .filter(([, , name]) => ours.has(name))
        .map(([use]) => `${path}: ${use}`),
    )
    expect(uses).toEqual(['channels/members.py: worker._trace']) // execnet's name for it
  })

  it('asks `extras` for its late files: in sys.modules stands what another thread is amid importing, too', () => {
    const asking = /sys\.modules(?:\.get\(|\[)'_tendril\.(?!channel').*|'_tendril\.\w+' in sys\.modules.*/g
    const found = sources
      .filter((path) => path.endsWith('.py'))
      .flatMap((path) => [...textOf(`src/${path}`).matchAll(asking)].map(([text]) => `${path}: ${text}`))
    expect(found).toEqual([])
  })

  it('has all that is not its own from `_tendril`, or from `originals`, which looks neither in the working directory nor at what user code patches', () => {
    const statement = /^ *(?:import (?!_tendril)|from (?!_tendril)\S+ import ).*/gm
    const ofTheirOwn = /^transports\// // programs, and what goes ahead of a worker
    // There before the working directory is searched, and so without a way to it.
    const early = /^(?:worker\/(?:output|guard|setup|outgoing|relay)|channels\/channel)\.py$/
    const patched =
      /\b(?:os|select|selectors|signal|_signal|time|thread|_thread|threading|queue|socket|ssl|subprocess)\b/
    const imports = sources
      .filter((path) => path.endsWith('.py') && !ofTheirOwn.test(path))
      .flatMap((path) => [...textOf(`src/${path}`).matchAll(statement)].map(([line]) => ({ path, line: line.trim() })))
      .filter(({ path, line }) => !early.test(path) || patched.test(line))
      .map(({ path, line }) => `${path}: ${line}`)
    // An array is sent to user code that has numpy, whichever it has.
    expect(imports).toEqual(['protocol/values.py: import numpy'])
  })
})

/** All that imports lead to, from these on. */
function reachableFrom(names: Iterable<string | undefined | null>, seen = new Set<string>()): Set<string> {
  for (const name of names) {
    if (name == null || seen.has(name)) continue
    const module = workerModules.get(name)
    if (module === undefined) continue
    seen.add(name)
    reachableFrom(module.imported, seen)
  }
  return seen
}

describe('the files of src', () => {
  it('have at most 300 lines, or what the budget gives to a file by its name', () => {
    const lengths = [...sources.map((path) => `src/${path}`), 'bootstrap.py']
      .map((path) => ({ path, lines: textOf(path).trimEnd().split('\n').length, limit: budget[path] ?? aim }))
      .sort((one, other) => other.lines - one.lines)
    const fullest = lengths.slice(0, 10).map(({ path, lines, limit }) => `${lines} of ${limit} ${path}`)
    process.stdout.write(`the ten longest files:\n  ${fullest.join('\n  ')}\n`)
    expect(lengths.filter(({ lines, limit }) => lines > limit)).toEqual([])
    expect(Object.keys(budget).filter((path) => !lengths.some((each) => each.path === path))).toEqual([])
  })

  it('leave nothing to do or to merge, and switch no check off', () => {
    const forbidden = /^(<{7}|>{7}) |\b(TODO|FIXME|XXX)\b|@ts-(ignore|nocheck|expect-error)|# *type: *ignore/m
    const files = [...sources.map((path) => `src/${path}`), 'bootstrap.py']
    expect(files.filter((path) => forbidden.test(textOf(path)))).toEqual([])
  })

  it('are exported to users by name: what is for features and commands alone is not among it', () => {
    expect(textOf('src/index.ts')).not.toMatch(/export \*/)
  })

  it('ask for the working directory, which may be gone, in one place', () => {
    const asking = sources.filter((path) => /process\.cwd\(/.test(readFileSync(join(root, 'src', path), 'utf8')))
    expect(asking).toEqual(['transports/working-directory.ts'])
  })

  it('are named for what they hold, in kebab-case', () => {
    const vague = /(^|\/)(utils?|helpers?|common|types|manager)\.(ts|py)$/
    const badlyNamed = sources.filter((path) => vague.test(path) || !/^[a-z0-9/_.-]+$/.test(path))
    expect(badlyNamed).toEqual([])
  })
})
