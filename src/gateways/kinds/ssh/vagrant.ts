/**
 * The ssh settings of a Vagrant machine, as `vagrant ssh-config` tells them. They become options of the target, so no
 * file has to be written for them, nor removed again.
 */
import { HostNotFoundError, XSpecError } from '../../../errors.js'
import { parseTarget, type SshTarget } from '../../../specs/ssh-target.js'
import { ConnectFault } from '../../../transports/connecting.js'
import { quoteWord } from '../../../transports/shell-words.js'
import { workingDirectory } from '../../../transports/working-directory.js'
import { runProgram } from './program.js'
import { SharedAnswers } from './shared-answers.js'

/** What else is asked of the machine. */
export interface VagrantOptions {
  /** The value of `ssh_config=`: it adds what Vagrant does not set. */
  readonly configFile?: string | undefined
  /** Ends vagrant, which takes seconds. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The target that a machine of the Vagrantfile here is, or of any by its global id.
 *
 * @throws {@link XSpecError} for a name that vagrant would take for an option.
 * @throws {@link ConnectFault} in phase `resolve` when there is no vagrant, or it knows no such machine that runs.
 */
export async function vagrantTarget(name: string, options: VagrantOptions = {}): Promise<SshTarget> {
  if (name.startsWith('-') || /\p{Cc}/u.test(name)) {
    throw new XSpecError(
      `"${name}" is no name of a Vagrant machine: write vagrant_ssh=NAME as "vagrant status" lists it`,
    )
  }
  const key = JSON.stringify([name, workingDirectory(), process.env])
  const config = await answers.get(key, (signal) => sshConfigOf(name, signal), options.signal)
  const lines = config.split(/\r?\n/).map((line) => line.replaceAll('\t', ' ').trim())
  const [host, ...settings] = lines.filter((line) => line !== '' && !line.startsWith('#'))
  // A machine that is asked for by its global id has a name of its own in there.
  const [, destination] = /^Host\s+"?([^\s"]+)/i.exec(host ?? '') ?? []
  if (destination === undefined)
    throw fault(`"vagrant ssh-config ${name}" printed no settings. Look at "vagrant status"`)
  const words = settings.map((line) => `-o ${quoteWord(line)}`).join(' ')
  // Like `vagrant ssh`, which leaves the user's own configuration out.
  return parseTarget(`${words} -- ${quoteWord(destination)}`, { configFile: options.configFile ?? 'none' })
}

const answers = new SharedAnswers<string>()

async function sshConfigOf(name: string, signal: AbortSignal): Promise<string> {
  const outcome = await runProgram(['vagrant', 'ssh-config', name], signal)
  if (outcome === undefined) throw fault('there is no vagrant on PATH. Install it, or reach the machine with ssh=')
  const { exitCode, stdout, stderr } = outcome
  if (exitCode === 0) return stdout
  const said = stderr.trim().split('\n').slice(-3).join(' ')
  throw fault(`"vagrant ssh-config ${name}" exited with code ${exitCode}: "${said}". Run "vagrant up ${name}" first`)
}

function fault(message: string): ConnectFault {
  return new ConnectFault('resolve', message, (full) => new HostNotFoundError(full, { phase: 'resolve' }))
}
