/** Programs that stand in for those of the machine: a folder that comes first on PATH. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Writes scripts of sh into a folder. @returns The PATH on which they are found first. */
export function writePrograms(folder: string, scripts: Readonly<Record<string, string>>): string {
  mkdirSync(folder, { recursive: true })
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  return `${folder}${delimiter}${process.env['PATH'] ?? ''}`
}

/** Has this process, and what it starts, find them. @returns Undoes it. */
export function usePath(path: string): () => void {
  const before = process.env['PATH']
  process.env['PATH'] = path
  return () => {
    process.env['PATH'] = before
  }
}
