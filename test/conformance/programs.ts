/** Ways to a Python through programs that lead somewhere else, for the suites. */
import { tmpdir } from 'node:os'
import { password } from '../testbeds/accounts.js'
import { startContainers } from '../testbeds/containers.js'
import { startOtherUsers } from '../testbeds/other-users.js'
import type { FindWay } from './subject.js'

/** A command that takes words, and an empty environment: not even a PATH. */
export const byCommand: FindWay = (python) => ({ spec: `command=env -i {python}//python=${python}` })

/** A shell that reads a line and waits for what it starts. */
export const byShell: FindWay = (python) => ({ spec: `command=sh -c "{python}; exit $?"//python=${python}` })

/**
 * A container that sees the processes and the scratch files of this machine, as the suites do. Podman closes stderr the moment the
 * process that it started has ended: what the worker's guard then passes on comes too late.
 */
export const inContainer: FindWay = (python) => {
  const containers = startContainers()
  const args = ['--pid=host', '--volume', `${tmpdir()}:${tmpdir()}`]
  containers.run({ name: 'web', python, args })
  return { spec: `podman=web//python=${python}`, startFolder: '/', losesLastWords: true, stop: containers.stop }
}

/** The same behind a gateway. */
export const inContainerVia: FindWay = async (python) => {
  const way = await inContainer(python)
  return { ...way, spec: `${way.spec}//via=carrier`, before: [`popen//id=carrier//python=${python}`] }
}

/** Another user, for whom su asks a password. */
export const bySu: FindWay = (python) => {
  const users = startOtherUsers({ accounts: [{ name: 'twin', hasPassword: true, home: '/tmp' }] })
  return { spec: `su=twin//python=${python}`, prompt: () => password, stop: users.stop }
}

/** Root, whom sudo asks for no password. */
export const bySudo: FindWay = (python) => {
  const users = startOtherUsers({ rules: ['anne ALL=(root) NOPASSWD: ALL'] })
  return { spec: `sudo=root//python=${python}`, stop: users.stop }
}
