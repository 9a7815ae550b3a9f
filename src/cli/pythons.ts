/** What a Python of this machine is called, the likeliest first. */
export const PYTHONS: readonly string[] = process.platform === 'win32' ? ['python', 'py'] : ['python3', 'python']
