/**
 * The programs in our pages: every ```ts block of a page runs, and continues the blocks before it until one imports again;
 * so does every ```sh block that calls tendril. What a program prints stands beside it: `// → text`, in sh `# → text`, `…` for what varies.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const root: string = fileURLToPath(new URL('..', import.meta.url))

/** What stands in a page and can be run. */
export interface Program {
  /** The page and the line of its first block. */
  readonly title: string
  readonly language: 'ts' | 'sh'
  readonly text: string
  /** The lines that it prints; `…` stands for anything. */
  readonly expected: readonly string[]
}

/** What running came to; a line each, without the last line feed. */
export interface Outcome {
  readonly code: number | null
  readonly lines: readonly string[]
  readonly stderr: string
}

interface Block {
  readonly line: number
  readonly language: string
  readonly text: string
}

/** The fenced blocks of a page. A fence may be indented, as in a comment of TypeScript. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  for (const match of markdown.matchAll(/^([ \t*]*)```(\w+)\n([\s\S]*?)^[ \t*]*```/gm)) {
    const [, indent = '', language = '', body = ''] = match
    const text = body
      .split('\n')
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()))
    blocks.push({ line: markdown.slice(0, match.index).split('\n').length, language, text: text.join('\n') })
  }
  return blocks
}

/** The programs of a page, in their order. */
export function programsOf(page: string, markdown: string): Program[] {
  const programs: Program[] = []
  let open: Block | undefined
  const finish = (): void => {
    if (open !== undefined)
      programs.push({
        title: `${page}:${open.line}`,
        language: 'ts',
        text: open.text,
        expected: expectedIn(open.text, '//'),
      })
    open = undefined
  }
  for (const block of blocksOf(markdown)) {
    if (block.language === 'ts') {
      const starts = open === undefined || /^import /m.test(block.text)
      if (starts) finish()
      open = open === undefined ? block : { ...open, text: `${open.text}\n${block.text}` }
    } else if (block.language === 'sh' && /^tendril /m.test(block.text)) {
      programs.push({
        title: `${page}:${block.line}`,
        language: 'sh',
        text: block.text,
        expected: expectedIn(block.text, '#'),
      })
    }
  }
  finish()
  return programs
}

function expectedIn(text: string, comment: '//' | '#'): string[] {
  return [...text.matchAll(new RegExp(`${comment} → ?(.*)$`, 'gm'))].map(([, line = '']) => line)
}

/** Whether what was printed is what the page says. */
export function matches(expected: string, printed: string | undefined): boolean {
  const pattern = expected
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
  return printed !== undefined && new RegExp(`^${pattern}$`).test(printed)
}

/** A folder in which `tendril` can be imported and is a command, as where it has been installed. */
export class Workshop {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tendril-docs-'))
  #files = 0

  constructor() {
    mkdirSync(join(this.#folder, 'node_modules', '.bin'), { recursive: true })
    symlinkSync(root, join(this.#folder, 'node_modules', 'tendril'), 'junction')
    symlinkSync(join(root, 'dist', 'cli', 'bin.js'), join(this.#folder, 'node_modules', '.bin', 'tendril'))
    writeFileSync(join(this.#folder, 'package.json'), '{ "type": "module" }')
  }

  /** Runs TypeScript as Node runs it once its types are gone. */
  runTypeScript(text: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
    const { outputText } = ts.transpileModule(text, { compilerOptions })
    return run(process.execPath, [this.#write(outputText, '.mjs')], env)
  }

  /** Runs commands; what they say on stderr is read as well. */
  runShell(text: string, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    const path = `${join(this.#folder, 'node_modules', '.bin')}${delimiter}${env['PATH'] ?? process.env['PATH']}`
    return run('sh', ['-c', `exec 2>&1\n${text}`], { ...env, PATH: path })
  }

  /** What the compiler says of the programs, a line each: readers paste them into strict projects. */
  typeErrors(programs: readonly Program[]): string[] {
    const titles = new Map(programs.map(({ title, text }) => [this.#write(`export {}\n${text}`, '.ts'), title]))
    const program = ts.createProgram([...titles.keys()], {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      preserveSymlinks: true,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
    })
    return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
      return `${titles.get(file?.fileName ?? '') ?? file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #write(text: string, ending: string): string {
    const file = join(this.#folder, `program-${this.#files++}${ending}`)
    writeFileSync(file, text)
    return file
  }
}

/** Runs a command in the folder of the project, to its end. */
export function run(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) =>
      resolve({ code, stderr, lines: stdout === '' ? [] : stdout.replace(/\n$/, '').split('\n') }),
    )
  })
}
