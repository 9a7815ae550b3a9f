// Rules for the files of this folder that no linter knows.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { fast } from '../vitest.config.js'

const folder = fileURLToPath(new URL('.', import.meta.url))
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(`${folder}/${path}`, 'utf8') }))

const argument = String.raw`\((?:[^()]|\([^()]*\))*\)`
const forms = {
  // vitest 4.1.12 runs what `describe.skipIf(true).for(…)` holds; what `describe.skipIf(true).each(…)` holds it skips.
  'say skipIf(…).each, since skipIf(…).for does not skip': new RegExp(
    String.raw`\.(skipIf|runIf)${argument}\s*\.for\b`,
  ),
  // A test that fails one time in fifty has found a fault, of its own or of tendril.
  'retry nothing': /\bretry\s*:/,
}

describe('the files of test', () => {
  it.each(Object.entries(forms))('%s', (_, form) => {
    const others = files.filter(({ path }) => path !== 'test-files.test.ts')
    expect(others.filter(({ text }) => form.test(text)).map(({ path }) => path)).toEqual([])
  })

  it('would be caught', () => {
    const [skips] = Object.values(forms)
    for (const text of ['describe.skipIf(a).for([1])', 'it.runIf(f(x, "y") ?? z)\n  .for(all)', 'it.skipIf(a).for`x`'])
      expect(text).toMatch(skips!)
    expect('describe.skipIf(a).each([1]); x.for(y)').not.toMatch(skips!)
  })
})

describe('the fast tier', () => {
  const page = readFileSync(`${folder}/../docs/architecture.md`, 'utf8')

  it.each(fast)('%s is there, and the page of architecture names it', (pattern) => {
    const [path = ''] = pattern.replace(/^test\//, '').split('/**')
    expect(files.filter((file) => file.path.startsWith(path))).not.toEqual([])
    expect(page).toContain(`\`${path}\``)
  })

  it('is what npm run test:fast runs', () => {
    const { scripts } = JSON.parse(readFileSync(`${folder}/../package.json`, 'utf8')) as {
      scripts: Record<string, string>
    }
    expect(scripts['test:fast']).toBe(`${scripts['test']} --mode fast`)
  })

  it('runs on one Python', async () => {
    vi.stubEnv('TENDRIL_ONE_PYTHON', '1')
    vi.resetModules()
    const { anyInterpreter, findInterpreter, interpreters } = await import('./interpreters.js')
    expect(interpreters()).toEqual([anyInterpreter()])
    expect(findInterpreter('CPython 2.7')).toBeUndefined()
    vi.unstubAllEnvs()
  })
})
