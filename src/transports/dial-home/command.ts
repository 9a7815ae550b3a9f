/** The command that brings a Python home: it fetches the program that dials, and runs it if it is the one that was meant. */
import { createHash } from 'node:crypto'
import { quoteWord } from '../shell-words.js'
import { readWorkerFile } from '../worker-file.js'
import { dialFile } from './dial-file.js'

const fetchers = {
  // Its own few words of HTTP: urllib takes longer to import than all else takes.
  tcp: ({ hostname, port }: URL) =>
    `import socket;c=socket.create_connection((${JSON.stringify(hostname.replace(/[[\]]/g, ''))},${Number(port)}));c.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n");s=c.makefile("rb").read().partition(b"\\r\\n\\r\\n")[2]`,
  http: (url: URL) =>
    `import urllib.request as u;s=u.urlopen(${JSON.stringify(`http://${url.host}${url.pathname}`)}).read()`,
  // What is fetched is known by its hash, whoever vouches for where it comes from.
  https: (url: URL) =>
    `import ssl,urllib.request as u;s=u.urlopen(${JSON.stringify(`https://${url.host}${url.pathname}`)},context=ssl._create_unverified_context()).read()`,
}

// Of two modules with one name the working directory's would be taken, and run before anything is checked. The worker searches it again.
const withoutDirectory = 'import sys;sys.path[:]=[p for p in sys.path if p]'

const fetcherOf = { 'tcp:': fetchers.tcp, 'tls:': fetchers.https, 'ws:': fetchers.http, 'wss:': fetchers.https }

/** The schemes of an address that can be dialed. */
export const schemes: readonly string[] = Object.keys(fetcherOf)

/**
 * Whether an address means the same in every shell, once it is in single quotes: it has no quote, no backslash, no blank, and is
 * ASCII. No URL needs others.
 */
export function isPlain(address: string): boolean {
  return /^[\x21\x23-\x26\x28-\x5b\x5d-\x7e]+$/.test(address)
}

/**
 * A line for sh, bash, zsh and fish, which takes its token from the variable TENDRIL_TOKEN over there.
 *
 * @param address - As dial.py wants it, and plain.
 * @param from - `-` for the first line of what comes on standard input instead.
 */
export function dialCommand(address: string, from?: '-'): string {
  const url = new URL(address)
  const fetcher = fetcherOf[url.protocol as keyof typeof fetcherOf]
  const hash = createHash('sha256').update(readWorkerFile(dialFile)).digest('hex')
  const check = `import hashlib;hashlib.sha256(s).hexdigest()=="${hash}"or sys.exit("tendril: that is not the program that was announced")`
  return `python3 -c ${quoteWord(`${withoutDirectory};${fetcher(url)};${check};exec(s)`)} '${address}'${from === undefined ? '' : ` ${from}`}`
}
