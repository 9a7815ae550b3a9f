/** The environment of what this program starts. */

type Variables = Readonly<Record<string, string | undefined>>

/**
 * The variables of this process without those of tendril's own: a worker may be another user's, and a token (TENDRIL_TOKEN) that it
 * could read would make it whoever runs the server.
 *
 * @param more - Set beside them.
 * @returns An object that inherits nothing: Node takes that for variables, too.
 */
export function environmentForOthers(more: Variables = {}): NodeJS.ProcessEnv {
  const handedOn = Object.entries(process.env).filter(([name]) => !name.startsWith('TENDRIL_'))
  return Object.assign(Object.create(null), Object.fromEntries(handedOn), more)
}
