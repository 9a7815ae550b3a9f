/** Who runs this process, for whatever is read on his behalf. */
import { homedir, userInfo } from 'node:os'

/** Who runs this process, as the system's table of users says: OpenSSH does not ask `HOME` or `USER` either. */
export function localUser(): { readonly name: string; readonly home: string; readonly uid: number } {
  try {
    const { username, homedir: home, uid } = userInfo()
    return { name: username, home, uid }
  } catch {
    return {
      name: process.env['USER'] ?? process.env['USERNAME'] ?? '',
      home: homedir(),
      uid: process.getuid?.() ?? -1,
    } // a user without an entry
  }
}

/** `~` and `~/…`; the folders of other users are not looked up. */
export function expandTilde(path: string): string {
  return path.replace(/^~(?=$|[/\\])/, () => localUser().home)
}
