/** Ways to a Python over SSH, for the suites: with either engine, to a real server, in each of the places where a worker may be started. */
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
    const spec = specOf(sshd, engine, python)
    // ssh has one exit code for all that is no exit.
    const codeOfSignals = engine === 'openssh' ? { codeOfSignals: 255 } : {}
    return { spec, startFolder: sshd.home, stop: sshd.stop, ...codeOfSignals }
  }
}

/** All sessions that the server gives are taken: the workers are started by the supervisor. */
export function supervised(engine: Engine): FindWay {
  return async (python) => {
    const sshd = await startSshd({ config: [`MaxSessions ${fewSessions}`] })
    const spec = specOf(sshd, engine, python)
    const before = Array.from({ length: fewSessions }, () => spec)
    return { spec, before, startFolder: sshd.home, stop: sshd.stop }
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
      startFolder: sshd.home,
      stop: sshd.stop,
    }
  }
}

/**
 * Sessions of the other implementation that is widely used. The login shell is bash, which is replaced by its last command: a
 * shell that waits for it instead, as dash does, makes an exit code of the signal that a worker died of (134 of SIGABRT).
 * And dropbear closes stderr the moment the process that it started has ended: the worker's guard, which then passes on what was
 * still in its pipes, often comes too late. No client can do anything about either.
 */
export function dropbear(engine: Engine): FindWay {
  return async (python) => {
    const server = await startDropbear({ account: { name: 'bed', shell: '/bin/bash' } })
    const startFolder = `${server.folder}/home/bed`
    return { spec: specOf(server, engine, python), startFolder, losesLastWords: true, stop: server.stop }
  }
}

// The suites hold some ten gateways at a time.
const manySessions = 100
const fewSessions = 2

function specOf({ spec }: ClientFiles, engine: Engine, python: string): string {
  return `${spec}//engine=${engine}//python=${python}`
}
