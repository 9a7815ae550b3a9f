import { readWorkerFile } from '../worker-file.js'

/** What a connection has above plain bytes, at the worker's end: TLS that the worker speaks itself, and the side of a WebSocket that it is. */
export type LinkLayers = readonly ('tls' | 'server' | 'client')[]

/**
 * What goes ahead of the loader line where the interpreter's stdin and stdout are a connection over a network (twin: link.py). With `tls` it
 * expects the socket of Python's `ssl` under the name `stream`.
 *
 * @param bootstrapBytes - How much the loader will read.
 */
export function linkLine(bootstrapBytes: number, layers: LinkLayers): string {
  source ??= readWorkerFile(new URL('./link.py', import.meta.url))
  // A literal of JSON is one of Python, too; the empty entry of sys.path goes for the reason that the loader line has.
  return [
    'import sys',
    'p=sys.path',
    'p[:]=filter(None,p)',
    "m=sys.modules['tendril_link']=type(sys)('tendril_link')",
    `exec(compile(${JSON.stringify(source)},'<tendril>/link.py','exec'),m.__dict__)`,
    `m.open_link(${[bootstrapBytes, JSON.stringify(layers), ...(layers.includes('tls') ? ['stream'] : [])].join(',')})`,
    '',
  ].join(';')
}

let source: string | undefined
