import { readFileSync } from 'node:fs'

/**
 * What goes ahead of the loader line where the interpreter has a WebSocket for its stdin and stdout (twin: link.py).
 *
 * @param bootstrapBytes - How much the loader will read.
 * @param masks - Whether the interpreter is the client of the WebSocket.
 */
export function linkLine(bootstrapBytes: number, masks: boolean): string {
  source ??= readFileSync(new URL('./link.py', import.meta.url), 'utf8')
  // A literal of JSON is one of Python, too; the empty entry of sys.path goes for the reason that the loader line has.
  return [
    'import sys',
    'p=sys.path',
    'p[:]=filter(None,p)',
    "m=sys.modules['tendril_link']=type(sys)('tendril_link')",
    `exec(compile(${JSON.stringify(source)},'<tendril>/link.py','exec'),m.__dict__)`,
    `m.open_link(${bootstrapBytes},${masks ? 'True' : 'False'})`,
    '',
  ].join(';')
}

let source: string | undefined
