/** Addresses of forwards: `host:port`, `[::1]:port`, a port alone, or the path of a Unix socket. */

/** Where to listen, or where to connect: `host:port`, a port of loopback, or the path of a Unix socket. */
export type ForwardAddress = string | number

/** A port of a host, or a Unix socket, whose path then is the host. */
export interface Place {
  readonly host: string
  readonly port: number | undefined
}

/**
 * Reads an address.
 *
 * @param loopback - The host of a port alone.
 * @param minPort - 0 where any free port will do.
 * @throws {@link RangeError} when it is none.
 */
export function readPlace(address: ForwardAddress, loopback: string, minPort: 0 | 1): Place {
  const text = String(address)
  if (typeof address === 'string' && address.includes('/')) return { host: address, port: undefined }
  const [, bracketed, plain, digits] = /^(?:(?:\[([^\]]+)\]|([^:\s]+)):)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (port >= minPort && port <= 65_535) return { host: bracketed ?? plain ?? loopback, port }
  throw new RangeError(
    `"${text}" is no address: write host:port, [::1]:port, a port from ${minPort} to 65535, or the path of a Unix socket`,
  )
}

/** What `readPlace` reads. */
export function placeText({ host, port }: Place): string {
  if (port === undefined) return host
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
