/** A module's file as it is now: its bytes, what tells whether it has changed, and what it imports. */
import { createHash } from 'node:crypto'
import { type ImportStatement, importsIn } from './import-scan.js'
import type { Located } from './module-index.js'

/** What was read. */
export interface SourceFile {
  readonly bytes: Buffer
  readonly hash: string
  readonly imports: readonly ImportStatement[]
}

// By content: the same files go to many gateways, and only the scan is worth keeping. So many modules are a large project's.
const MAX_SCANS = 10_000
const scans = new Map<string, readonly ImportStatement[]>()

/** @throws When the file is gone, or leads out of its root. */
export function readSourceFile({ root, path }: Located): SourceFile {
  const bytes = root.read(path)
  const hash = createHash('sha256').update(bytes).digest('base64')
  let imports = scans.get(hash)
  if (imports === undefined) {
    imports = importsIn(bytes.toString('utf8')) // of another encoding only names outside ASCII are misread, and then asked for
    if (scans.size >= MAX_SCANS) scans.clear()
    scans.set(hash, imports)
  }
  return { bytes, hash, imports }
}
