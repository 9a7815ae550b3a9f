/** Ways to a Python over SSH, for the suites: with either engine, to a real server, in each of the places where a worker may be started. */
import { homedir } from 'node:os'
import type { ClientFiles } from '../testbeds/client-config.js'
import { startDropbear } from '../testbeds/dropbear.js'
import { startSshd } from '../testbeds/sshd.js'
import type { FindWay } from './subject.js'

/** The two ways to speak SSH. */
export type Engine = 'ssh2' | 'openssh'

/** A session of its own for every gateway. */
export function direct(engine: Engine): FindWay {
  return async (python) => {
    const sshd = await startSshd({ config: [`MaxSessions ${manySessions}`] })
    return { spec: specOf(sshd, engine, python), startFolder: homedir(), stop: sshd.stop }
  }
}

/** All sessions that the server gives are taken: the workers are started by the supervisor. */
export function supervised(engine: Engine): FindWay {
  return async (python) => {
    const sshd = await startSshd({ config: [`MaxSessions ${fewSessions}`] })
    const spec = specOf(sshd, engine, python)
    const before = Array.from({ length: fewSessions }, () => spec)
    return { spec, before, startFolder: homedir(), stop: sshd.stop }
  }
}

/** Children of a gateway that was reached over SSH. */
export function carried(engine: Engine): FindWay {
  return async (python) => {
    const sshd = await startSshd()
    const carrier = `${specOf(sshd, engine, python)}//id=carrier`
    return {
      spec: `popen//via=carrier//python=${python}`,
      before: [carrier],
      startFolder: homedir(),
      stop: sshd.stop,
    }
  }
}

/** Sessions of the other implementation that is widely used. */
export function dropbear(engine: Engine): FindWay {
  return async (python) => {
    const server = await startDropbear()
    return { spec: specOf(server, engine, python), startFolder: `${server.folder}/home/bed`, stop: server.stop }
  }
}

// The suites hold some ten gateways at a time.
const manySessions = 100
const fewSessions = 2

function specOf({ spec }: ClientFiles, engine: Engine, python: string): string {
  return `${spec}//engine=${engine}//python=${python}`
}
