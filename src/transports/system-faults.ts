/** What the system's error codes mean on the way to another machine, in words; the system's own text stays beside them. */

const texts: ReadonlyMap<unknown, string> = new Map([
  ['ECONNRESET', 'the other side reset the connection'],
  ['ECONNABORTED', 'the connection was given up'],
  ['EPIPE', 'the other side closed the connection'],
  ['ETIMEDOUT', 'the other side does not answer'],
  ['ECONNREFUSED', 'nothing listens there, the connection was refused'],
  ['EHOSTUNREACH', 'the host cannot be reached'],
  ['EHOSTDOWN', 'the host is down'],
  ['ENETUNREACH', 'the network of the host cannot be reached'],
  ['ENETDOWN', 'the network is down'],
  ['ENOTFOUND', 'no host of that name is known'],
  ['EAI_AGAIN', 'the name server did not answer'],
  ['ERR_ACCESS_DENIED', 'this program may not do so, see --allow-child-process and --allow-fs-read of Node'],
  ['E2BIG', 'its variables and its words are more than this system lets a program start with'],
  ['EMFILE', 'this process may not open more files, see ulimit -n'],
])

const unreachable: ReadonlySet<unknown> = new Set([
  'ETIMEDOUT',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** What happened, without a full stop: `the other side reset the connection (read ECONNRESET)`. */
export function faultText(error: Error): string {
  const meaning = texts.get(codeOf(error))
  const said = error.message.replace(/\.$/, '')
  return meaning === undefined ? said : `${meaning} (${said})`
}

/** Whether nobody was there who could have answered. */
export function meansUnreachable(error: Error): boolean {
  return unreachable.has(codeOf(error))
}

function codeOf(error: Error): unknown {
  return 'code' in error ? error.code : undefined
}
