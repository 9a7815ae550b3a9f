/** URLs, also those of another realm or of a package such as whatwg-url. */
import { isTagged } from '../protocol/realms.js'

/** Whether it is one, whosever: they have no slot that can be asked for. */
export function isUrl(value: unknown): value is URL {
  return value instanceof URL || (isTagged(value, 'URL') && 'href' in value && typeof value.href === 'string')
}
