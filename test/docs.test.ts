// What the pages say is what happens: their programs run and print what stands beside them, their tables and figures
// are those of the code, and their links lead somewhere.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { deflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootstrapSize, deflatedWorker, loaderLine, readCore, STAGE_SIZE } from '../src/gateways/bootstrap.js'
import { lateExtras } from '../src/gateways/extras.js'
import * as tendril from '../src/index.js'
import { xspecKeys } from '../src/specs/xspec-keys.js'
import { blocksOf, matches, type Program, programsOf, root, Workshop } from './code-blocks.js'
import { startContainers } from './testbeds/containers.js'
import { startNamedHosts } from './testbeds/named-hosts.js'
import { noContainers, noOtherUsers, noSlurm, noSshd, titled } from './testbeds/needs.js'
import { startOtherUsers } from './testbeds/other-users.js'
import { Slurm } from './testbeds/slurm.js'

const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
)
const programs = pages.flatMap((page) => programsOf(page, textOf(page)))
const workshop = new Workshop()
afterAll(() => workshop.remove())

function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** What programs may need of a machine, by the kinds of gateway in them. */
const beds: readonly Bed[] = [
  { title: 'hosts', needs: /\bssh=/, reason: noSshd, start: startNamedHosts },
  { title: 'containers', needs: /\b(docker|podman|kubectl)=/, reason: noContainers, start: startNamedContainers },
  { title: 'nodes of a cluster', needs: /\bslurm=/, reason: noSlurm, start: () => Slurm.start() },
  { title: 'other users', needs: /\b(sudo|su)=/, reason: noOtherUsers, start: startNamedUsers },
]

interface Bed {
  readonly title: string
  readonly needs: RegExp
  readonly reason: string | undefined
  start(): Started | Promise<Started>
}

interface Started extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>
}

/** The containers that a page may name. */
function startNamedContainers(): Started {
  const containers = startContainers()
  for (const name of ['web', 'db']) containers.run({ name, args: ['--hostname', name] })
  containers.run({ name: 'prod.shop-0.main', args: ['--hostname', 'shop-0'] })
  return containers
}

/** Root may be become with a password, and the user `ci` without. */
function startNamedUsers(): Started {
  const accounts = [{ name: 'ci', uid: 4712, hasPassword: true }]
  return startOtherUsers({ rules: ['anne ALL=(root) ALL', 'anne ALL=(ci) NOPASSWD: ALL'], accounts })
}

async function expectToPrint({ language, text, expected }: Program, env: Readonly<Record<string, string>> = {}) {
  const { code, lines, stderr } = await (language === 'ts'
    ? workshop.runTypeScript(text, env)
    : workshop.runShell(text, env))
  const differs = lines.length !== expected.length || expected.some((line, index) => !matches(line, lines[index]))
  expect({ code, stderr, lines: differs ? lines : expected }).toEqual({ code: 0, stderr: '', lines: expected })
}

for (const { title, needs, reason, start } of beds) {
  describe.skipIf(reason)(titled(`programs in the pages that reach ${title}`, reason), () => {
    let started: Started | undefined
    beforeAll(async () => {
      started = await start()
    })
    afterAll(() => started?.[Symbol.asyncDispose]())

    const own = programs.filter(({ text }) => needs.test(text))
    it.each(own.map((program) => [program.title, program] as const))(
      '%s prints what stands beside it',
      async (_, program) => expectToPrint(program, started?.env),
    )
  })
}

describe('programs in the pages', () => {
  it.each(
    programs
      .filter(({ text }) => !beds.some(({ needs }) => needs.test(text)))
      .map((program) => [program.title, program] as const),
  )('%s prints what stands beside it', async (_, program) => expectToPrint(program))

  it('compile in a strict project', () => {
    expect(workshop.typeErrors(programs.filter(({ language }) => language === 'ts'))).toEqual([])
  })
})

describe('examples in the comments of the source', () => {
  it.each(sourceExamples())('%s:%d gives what stands beside it', async (file, _line, text) => {
    const { code, stderr } = await workshop.runTypeScript(await exampleProgram(file, text))
    expect(stderr).toBe('')
    expect(code).toBe(0)
  })
})

function sourceExamples(): [file: string, line: number, text: string][] {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /(?<!\.d)\.ts$/.test(file),
  )
  return files
    .sort()
    .flatMap((file) =>
      blocksOf(textOf(join('src', file))).map(({ line, text }): [string, number, string] => [
        `src/${file}`,
        line,
        text,
      ]),
    )
}

/** An example stands where its names are known: those of its module and of the package, and a gateway and a channel that echoes. */
async function exampleProgram(file: string, text: string): Promise<string> {
  const url = pathToFileURL(join(root, file.replace(/^src/, 'dist').replace(/\.ts$/, '.js'))).href
  const names = new Set([...Object.keys(tendril), ...Object.keys((await import(url)) as object)])
  const used = [...names].filter((name) => new RegExp(`\\b${name}\\b`).test(text))
  const needsGateway = /\b(gateway|channel)\b/.test(text) && !/\bgateway = /.test(text)
  return `import { deepStrictEqual } from 'node:assert'
import * as tendril from 'tendril'
import * as own from '${url}'
const { ${used.join(', ')} } = { ...own, ...tendril }
const group = new tendril.Group()
${needsGateway ? "const gateway = await group.makeGateway(); const channel = gateway.remoteExec('for item in channel: channel.send(item)')" : ''}
{
${text.split('\n').map(withAssertion).join('\n')}
}
await group.terminate()
await tendril.defaultGroup.terminate()`
}

/** `expression // value` asserts the value; a comment in words asserts nothing, and what is sent has no value here. */
function withAssertion(line: string): string {
  const [, expression, value] =
    /^(?!const |let |await using |await channel\.send)(.+) \/\/ (['"[{\d-].*|new .*|true|false|null|undefined)$/.exec(
      line,
    ) ?? []
  return expression === undefined ? line : `deepStrictEqual(${expression}, ${value})`
}

describe('figures and tables', () => {
  const readme = textOf('README.md')

  it('README says how many bytes a worker is', () => {
    const said = (pattern: RegExp): number => Number(pattern.exec(readme)?.[1])
    expect(said(/a worker of (\d+) KiB/)).toBe(Math.round(bootstrapSize() / 1024))
    expect(said(/([\d.]+) KiB compressed/)).toBeCloseTo(deflateSync(readCore(), { level: 9 }).length / 1024, 0)
    expect(Number(/(\d+) characters/.exec(readme)?.[1])).toBe(loaderLine('linux').length)
  })

  it.each([
    ['loader', loaderLine('linux').length],
    ['stage', STAGE_SIZE],
    ['worker', deflatedWorker().length],
    ['late extras', lateExtras().length],
  ])('docs/bootstrap.md says within a seventh how many bytes the %s has', (part, bytes) => {
    const said = Number(new RegExp(`^\\| ${part} \\| (\\d+) \\|`, 'm').exec(textOf('docs/bootstrap.md'))?.[1])
    expect(Math.abs(said - bytes) / bytes, `${bytes} bytes`).toBeLessThan(1 / 7)
  })

  it('README justifies every dependency, and no other', () => {
    const { dependencies } = JSON.parse(textOf('package.json')) as { dependencies: Record<string, string> }
    const justified = [...readme.matchAll(/^- `([\w-]+)`[^:]*:/gm)].map(([, name]) => name)
    expect(justified.sort()).toEqual(Object.keys(dependencies).sort())
  })

  it('README has at most 200 lines', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(200)
  })

  it('docs/gateways.md has every key of an xspec, as the code reads it', () => {
    const page = textOf('docs/gateways.md')
    const rows = [...xspecKeys].map(([key, { takes, summary }]) => `| \`${key}\` | ${takesText(takes)} | ${summary} |`)
    expect(page.split('\n').filter((line) => /^\| `\w+` \| (nothing|text|integer|duration|`)/.test(line))).toEqual(rows)
  })

  it('docs/errors.md has every error class with its code', () => {
    const rows = [...textOf('docs/errors.md').matchAll(/^\| `(\w+Error)` \| `(ERR_\w+)` \|/gm)].map(
      ([, name, code]) => `${name} ${code}`,
    )
    const classes = [
      ...(textOf('src/errors.ts') + textOf('src/remote-error.ts')).matchAll(
        /^export class (\w+Error) [\s\S]*?readonly code = '(ERR_\w+)'/gm,
      ),
    ]
    expect(rows.sort()).toEqual(classes.map(([, name, code]) => `${name} ${code}`).sort())
  })
})

function takesText(takes: string | readonly string[]): string {
  return typeof takes === 'string' ? takes : takes.map((choice) => `\`${choice}\``).join(' or ')
}

it.each(pages)('the links of %s lead to files that are there', (page) => {
  const links = [...textOf(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link = '']) => link)
  expect(links.filter((link) => !existsSync(join(root, dirname(page), link)))).toEqual([])
})
