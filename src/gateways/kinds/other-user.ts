/** Gateways with the rights of another user of the same machine: `sudo=root`, `su=ci`. */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { AuthenticationError } from '../../errors.js'
import type { XSpec } from '../../specs/xspec.js'
import { checkName } from '../../specs/xspec-keys.js'
import { openAsking } from '../../transports/asking.js'
import { ConnectFault, type Question } from '../../transports/connecting.js'
import type { Origin } from '../../transports/origin.js'
import type { TransportEnd } from '../../transports/transport.js'
import { tellOfZombies } from '../first-process.js'
import { withoutValues } from '../hidden-variables.js'
import type { GatewayKind, KindContext, Opened } from '../kind.js'
import { missingProgram, quoted } from '../program-fault.js'
import { remotePython, remoteWords } from '../remote-python.js'
import { laterVariables } from '../variables.js'

export const sudo: GatewayKind = {
  key: 'sudo',
  keys: [],
  summary: 'another user of this machine, by sudo',
  open: (spec, context) => {
    const { sudo: user = '' } = spec
    checkName('sudo', user, 'user', spec.shown)
    const { argv, tried } = remoteWords(spec, context.loaderLine)
    // In the prompt %p is whose password it is, %h the host.
    const mark = `tendril-${randomBytes(8).toString('hex')}`
    const words = ['sudo', '-H', '-S', '-p', `${mark} %p@%h:`, '-u', user, '--', 'sh', '-c']
    return openAs(user, spec, context, {
      words: ['sudo', '-u', user],
      tried,
      argv: (line) => [...words, `${line};"$@";exit $?`, 'sh', ...argv],
      questionIn: (said) => {
        const [, from] = new RegExp(`${mark} (.+):$`).exec(said) ?? []
        if (from !== undefined) return passwordOf(from)
        const text = promptIn(said)
        return text === undefined ? undefined : { kind: 'answer', from: nameOf(user, context), text, echo: false }
      },
      withoutPassword: `have sudo ask none (NOPASSWD in sudoers)`,
    })
  },
}

export const su: GatewayKind = {
  key: 'su',
  keys: [],
  summary: 'another user of this machine, by su',
  open: (spec, context) => {
    const { su: user = '' } = spec
    checkName('su', user, 'user', spec.shown)
    const { tried } = remotePython(spec, context.loaderLine)
    // Where -s is refused the login shell gets the line, which all of them can read.
    const words = (line: string): string[] => ['su', '-s', '/bin/sh', '-c', line, user]
    return openAs(user, spec, context, {
      words: ['su', user],
      tried,
      argv: (line) => words(remotePython(spec, context.loaderLine, { first: [line], waits: true }).command),
      questionIn: (said) => {
        const text = promptIn(said)
        if (text === undefined) return undefined
        const question = passwordOf(nameOf(user, context))
        return /^password$/i.test(text) ? question : { ...question, text }
      },
      withoutPassword: 'start this as root',
    })
  },
}

/** How one of the two is used. */
interface Change {
  /** The words for people. */
  readonly words: readonly string[]
  readonly tried: readonly string[]
  /**
   * The words to start, of which a shell runs that line first, and then waits for the interpreter: both programs stop themselves when
   * what they started is stopped, and nobody would be told of its end.
   */
  argv(line: string): string[]
  questionIn(said: string): Question | undefined
  /** How to do without a password, in words. */
  readonly withoutPassword: string
}

function openAs(user: string, spec: XSpec, { origin, connecting }: KindContext, change: Change): Opened {
  tellOfZombies(origin)
  const [program = ''] = change.words
  // In two halves, so that it is not in what the program quotes of its command line.
  const halves = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')]
  const stuck = `${program} neither let us be ${user} nor said why. ${byHand(program, user)}`
  connecting.enter('authenticate', `${user} by ${program}`, stuck)
  const transport = openAsking(
    origin.start({ argv: change.argv(`printf %s%s ${halves.join(' ')} >&2`), env: {} }),
    {
      marker: halves.join(''),
      questionIn: change.questionIn,
      declined: ({ text, from }) =>
        refusal(
          `${program} asked for the ${text} (${from}), and nobody answered. Give a prompt, ${change.withoutPassword}, or log in as ${user}`,
        ),
      refused: (end, said) => refusedBy(program, user, origin, { end, said: withoutValues(said, spec.env) }),
      onStarted: () => connecting.enter('python', spec.python),
    },
    connecting,
  )
  return { transport, tried: [...change.words, ...change.tried], variables: laterVariables(spec.env) }
}

function byHand(program: string, user: string): string {
  return `Try it by hand: ${program} ${program === 'sudo' ? '-u ' : ''}${user}`
}

function nameOf(user: string, { origin }: KindContext): string {
  return `${user}@${origin.carrier ?? hostname()}`
}

function passwordOf(from: string): Question {
  return { kind: 'password', from, text: `password of ${from.replace(/@.*/, '')}`, echo: false }
}

/** What stands at the end, when it looks like a question; the beginning of a complaint does not. */
function promptIn(said: string): string | undefined {
  const line = said.slice(said.lastIndexOf('\n') + 1).trimEnd()
  const text = /[:?：]$/.test(line) ? line.slice(0, -1).trimEnd() : ''
  return ['', 'sudo', 'su'].includes(text) ? undefined : text
}

const advices: readonly (readonly [RegExp, string])[] = [
  [/not allowed|not in the sudoers|may not run/i, 'Allow it in sudoers; "sudo -l" shows what is allowed'],
  [/incorrect password|authentication failure|no password was provided|try again/i, 'Check the password'],
  [/unknown user|does not exist|no passwd entry/i, 'Check the name of the user'],
  [/have a tty|from a terminal|terminal is required/i, 'It wants a terminal: switch requiretty off for this user'],
  [/setuid|effective uid|no new privileges|nosuid/i, 'No program gains rights there, as in many containers'],
]

/** It ended, and has started nothing. */
function refusedBy(
  program: string,
  user: string,
  origin: Origin,
  { end, said }: { end: TransportEnd; said: string },
): ConnectFault | undefined {
  const advice = 'Install it, or log in as that user'
  const missing = missingProgram(end, { program, phase: 'authenticate', origin, advice })
  if (end.error !== undefined) return missing
  const [, todo = byHand(program, user)] = advices.find(([says]) => says.test(said)) ?? []
  const why = said.trim() === '' ? `it ended (${end.signal ?? `exit code ${end.exitCode}`})` : quoted(said)
  return refusal(`${program} did not let us be ${user}: ${why}. ${todo}`)
}

function refusal(message: string): ConnectFault {
  return new ConnectFault('authenticate', message, (full) => new AuthenticationError(full))
}
