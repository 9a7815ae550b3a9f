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
  ['errors.ts', 0],
  ['protocol', 1],
  ['channels', 2],
  ['transports', 3],
  ['gateways', 4],
  ['core.ts', 5],
  ['gateway.ts', 6.5],
  ['group.ts', 6.6],
  ['index.ts', 7],
  ['cli', 8],
])
const featureLayer = 6
const featuresOf = new Map([
  ['testrun', ['pool', 'rsync']],
  ['proxies', ['calls']],
])

function layerOf(path: string): number {
  return layers.get(unitOf(path)) ?? featureLayer
}

/** The folder of a layer or feature, or the file itself where it is one of its own. */
function unitOf(path: string): string {
  return path.split('/')[0] ?? path
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
  if (unitOf(from) === 'cli' && to !== 'index.ts') return `${edge}: commands import only index.ts`
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

function hasAny(node: ts.Node): boolean {
  return node.kind === ts.SyntaxKind.AnyKeyword || ts.forEachChild(node, hasAny) === true
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

describe('the files of src', () => {
  it('have at most 300 lines, bootstrap.py 600, the server 710', () => {
    const limits: Record<string, number> = { 'bootstrap.py': 600, 'src/transports/socket/serve.py': 710 }
    const lengths = [...sources.map((path) => `src/${path}`), 'bootstrap.py'].map((path) => ({
      path,
      lines: textOf(path).trimEnd().split('\n').length,
    }))
    expect(lengths.filter(({ path, lines }) => lines > (limits[path] ?? 300))).toEqual([])
  })

  it('leave nothing to do, and switch no check off', () => {
    const forbidden = /\b(TODO|FIXME|XXX)\b|@ts-(ignore|nocheck|expect-error)|# *type: *ignore/
    const files = [...sources.map((path) => `src/${path}`), 'bootstrap.py']
    expect(files.filter((path) => forbidden.test(textOf(path)))).toEqual([])
  })

  it('have no any', () => {
    const files = [...modules.keys()].filter((path) =>
      hasAny(ts.createSourceFile(path, textOf(`src/${path}`), ts.ScriptTarget.ES2022, true)),
    )
    expect(files).toEqual([])
  })

  it('are named for what they hold, in kebab-case', () => {
    const vague = /(^|\/)(utils?|helpers?|common|types|manager)\.(ts|py)$/
    const badlyNamed = sources.filter((path) => vague.test(path) || !/^[a-z0-9/_.-]+$/.test(path))
    expect(badlyNamed).toEqual([])
  })
})
