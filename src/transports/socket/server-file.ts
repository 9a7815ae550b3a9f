import { fileURLToPath } from 'node:url'

/**
 * The path of the server that `socket=HOST:PORT` reaches: one Python file, standard library only, Python 2.7 and 3.6 or newer. Copy
 * it to a host that has no Node, and run it there: `python3 serve.py --help` tells how.
 */
export const socketServerFile: string = fileURLToPath(new URL('./serve.py', import.meta.url))
