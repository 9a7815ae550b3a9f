// `tendril types`, as a user runs it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { anyInterpreter } from '../interpreters.js'
import { tendril } from './command.js'

const folder = mkdtempSync(join(tmpdir(), 'tendril-types-'))
afterAll(() => rmSync(folder, { recursive: true }))
const tx = ['--tx', `popen//python=${anyInterpreter().command}`]

describe('tendril types', () => {
  it('writes declarations to standard output, or to a file', () => {
    const { status, stdout } = tendril(['types', 'os.path', ...tx])
    expect(status).toBe(0)
    expect(stdout).toMatch(/^\/\/ What tendril types found in os.path of CPython 3/)
    expect(stdout).toContain('readonly os: { readonly path: OsPathModule }')
    const file = join(folder, 'json.d.ts')
    expect(tendril(['types', 'json', ...tx, '-o', file])).toMatchObject({ status: 0, stdout: '' })
    expect(readFileSync(file, 'utf8')).toContain('export interface JsonModule {')
  })

  it('says what is wrong', () => {
    expect(tendril(['types', 'nosuch', ...tx])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("No module named 'nosuch'"),
    })
    expect(tendril(['types', 'a/b', ...tx])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('"a/b" is not the name of a module'),
    })
    expect(tendril(['types', 'json', '--tx', '2*popen'])).toMatchObject({ status: 2 })
    expect(tendril(['types', 'json', ...tx, '-o', join(folder, 'no', 'such')])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('cannot write'),
    })
  })
})
