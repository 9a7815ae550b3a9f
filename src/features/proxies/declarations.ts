/** Types for a module of the worker, written from its signatures and annotations. Twin: declarations_remote.py. */
import type { BaseGateway } from '../../core.js'
import { checkDeclarations } from './declaration-reader.js'

/**
 * Writes the declarations of a Python module: an interface with its functions, classes and constants, for `gateway.modules as Remote<Modules>`.
 *
 * @param module - Its dotted name. It is imported on the worker, which must be Python 3.6 or newer.
 * @returns The text of a `.d.ts` file. What Python does not say is `unknown` in it.
 * @throws {@link RemoteError} when the module cannot be imported; {@link ProtocolError} when the worker answers with anything but types.
 * @example
 * ```ts
 * const text = await declarationsOf(gateway, 'colorsys')
 * text.includes('export interface ColorsysModule') // true
 * ```
 */
export async function declarationsOf(gateway: BaseGateway, module: string): Promise<string> {
  const file = new URL('./declarations_remote.py', import.meta.url)
  return checkDeclarations(await gateway.remoteExec({ file, function: 'write' }, { path: module }).receive())
}
