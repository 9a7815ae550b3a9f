/** Standard input that cannot be read. */
import { fstatSync } from 'node:fs'
import { UsageError } from './exit-codes.js'

/** @throws {@link UsageError} when it is a folder, which Node would take for an input that is empty. */
export function checkStandardInput(): void {
  if (isFolder(0)) throw unreadableInput('it is a folder')
}

/** The error that says why. */
export function unreadableInput(why: string): UsageError {
  return new UsageError(`cannot read standard input: ${why}`)
}

function isFolder(fd: number): boolean {
  try {
    return fstatSync(fd).isDirectory()
  } catch {
    return false // it is closed, or this program may not ask
  }
}
