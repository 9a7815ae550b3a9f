import { fileURLToPath } from 'node:url'

/**
 * The path of the program that brings a Python to a controller that listens: one Python file, standard library only, Python 2.7 and
 * 3.6 or newer. `group.listen` tells a command that fetches it; copied to a host, it comes back by itself: `python3 dial.py --help`.
 */
export const dialFile: string = fileURLToPath(new URL('./dial.py', import.meta.url))
