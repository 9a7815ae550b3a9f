/** A Python file as commands run it: read as Python reads it, with its words in `sys.argv`. */
import { addAbortSignal } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { readSource } from '../core.js'
import type { Channel, Gateway, Source } from '../index.js'
import { UsageError } from './exit-codes.js'
import { checkStandardInput, unreadableInput } from './standard-input.js'

/** A file that was read. */
export interface Program {
  /** Runs it, with those words behind its own name, and with names in scope. */
  run(gateway: Gateway, words: readonly string[], kwargs: Readonly<Record<string, unknown>>): Channel
}

/** Runs a task as if it were alone, with sys.argv as `python FILE ARG…` has it. Its own line is left out of tracebacks, as all of ours are. */
const WITH_ARGV = {
  name: '<tendril>/program.py',
  text: `
import sys
sys.argv[:] = argv
channel.gateway.execute(channel, task)`,
}

/**
 * Reads a file, or standard input for `-`.
 *
 * @param signal - Gives up what somebody has not typed to its end.
 * @throws {@link SourceError} for a file that cannot be read; {@link UsageError} for such an input, and for what is no text.
 */
export async function readProgram(file: string, signal?: AbortSignal): Promise<Program> {
  const source = await read(file, signal)
  return {
    run: (gateway, words, kwargs) =>
      gateway.remoteExec(WITH_ARGV, { argv: [file, ...words], task: { ...source, kwargs } }),
  }
}

async function read(file: string, signal = new AbortController().signal): Promise<ReturnType<typeof readSource>> {
  if (file === '-') checkStandardInput()
  try {
    const source: Source =
      file === '-' ? { text: await buffer(addAbortSignal(signal, process.stdin)), name: '<stdin>' } : { file }
    return readSource(source)
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(error.message)
    if (!(error instanceof Error && 'syscall' in error && 'code' in error)) throw error
    throw unreadableInput(error.message)
  }
}
