/** `tendril repl`: Python's prompt on the far end of a gateway. */
import { type Gateway, GatewayClosedError, Group } from '../index.js'
import { exitCodeOf, interrupted, UsageError } from './exit-codes.js'
import { Keyboard } from './keyboard.js'
import { Progress } from './progress.js'
import { RemotePrompt } from './remote-prompt.js'
import { Screen } from './screen.js'
import { specsOf } from './specs.js'
import { checkStandardInput } from './standard-input.js'
import { terminalPrompt } from './terminal.js'

/** Runs what is typed, or what comes by a pipe; resolves to the exit code. */
export async function repl(texts: readonly string[]): Promise<number> {
  const specs = specsOf(texts)
  const [spec] = specs
  if (spec === undefined || specs.length > 1) throw new UsageError(`repl takes one gateway, not ${specs.length}`)
  checkStandardInput()
  const screen = new Screen()
  const progress = new Progress(screen, specs)
  const group = new Group({
    onOutput: ({ gateway, stream, text }) => screen.print(stream, `[${gateway}] ${text}`),
    onPhase: progress.onPhase,
    prompt: terminalPrompt(screen),
  })
  const giveUp = (): void => void group.terminate({ timeout: 0 })
  process.once('SIGINT', giveUp)
  try {
    const gateway = group.launchGateway(spec)
    await gateway.ready
    progress.stop()
    process.off('SIGINT', giveUp)
    return await converse(gateway)
  } catch (error) {
    if (!(error instanceof GatewayClosedError)) return progress.exitCodeOf(error)
    process.stderr.write(`tendril: ${error.message}\n`)
    return exitCodeOf(error)
  } finally {
    progress.stop()
    process.off('SIGINT', giveUp)
    await group.terminate()
  }
}

async function converse(gateway: Gateway): Promise<number> {
  const keyboard = new Keyboard()
  const { isTerminal, colors } = keyboard
  const conversation = new Conversation(gateway, keyboard)
  const prompt = await RemotePrompt.open(gateway, {
    isOneScreen: process.stdout.isTTY && process.stderr.isTTY,
    colors: colors && process.stderr.isTTY,
    onOutput: (stream, text) => keyboard.show(stream, text),
  })
  try {
    if (isTerminal) keyboard.print(await bannerOf(gateway))
    return await Promise.race([conversation.run(prompt), conversation.abandoned, endOf(gateway), keyboard.unreadable])
  } finally {
    keyboard.close()
  }
}

async function bannerOf(gateway: Gateway): Promise<string> {
  const { implementation, versionInfo, platform } = await gateway.info()
  const version = versionInfo.slice(0, 3).join('.')
  return `${implementation} ${version} on ${platform}, gateway ${gateway}. Ctrl-C interrupts what runs, Ctrl-D leaves.`
}

/** @throws {@link GatewayClosedError} when the worker ends by itself. */
async function endOf(gateway: Gateway): Promise<never> {
  await gateway.closed
  await gateway.remoteStatus()
  throw new GatewayClosedError('the worker has ended')
}

/** Lines go there until there are no more; Ctrl-C is for what runs. */
class Conversation {
  readonly #gateway: Gateway
  readonly #keyboard: Keyboard
  readonly abandoned: Promise<number>
  #abandon: (code: number) => void = () => undefined
  #running: AbortController | undefined
  #prompt: RemotePrompt | undefined
  #interrupts = 0
  #needsMore = false

  constructor(gateway: Gateway, keyboard: Keyboard) {
    this.#gateway = gateway
    this.#keyboard = keyboard
    this.abandoned = new Promise((resolve) => {
      this.#abandon = resolve
    })
    keyboard.onInterrupt = () => this.#interrupt()
  }

  async run(prompt: RemotePrompt): Promise<number> {
    this.#prompt = prompt
    const { isTerminal } = this.#keyboard
    this.#keyboard.complete = (line) => prompt.complete(line)
    while (true) {
      const line = await this.#keyboard.line(this.#needsMore ? '... ' : '>>> ')
      if (line === undefined && isTerminal) return 0
      const { state, code } = await this.#perform((signal) =>
        line === undefined ? prompt.finish(signal) : prompt.push(line, signal),
      )
      this.#needsMore = state === 'more'
      if (state === 'exit' || (state === 'failed' && !isTerminal)) return this.#interrupts > 0 ? interrupted : code
      if (line === undefined) return 0
    }
  }

  async #perform<T>(perform: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#interrupts = 0
    this.#running = new AbortController()
    try {
      return await perform(this.#running.signal)
    } finally {
      this.#running = undefined
    }
  }

  #interrupt(): void {
    if (this.#running === undefined) {
      void this.#prompt?.reset().catch(() => undefined) // the end of the gateway is told elsewhere
      this.#keyboard.print('KeyboardInterrupt')
      this.#needsMore = false
      return this.#keyboard.restart('>>> ')
    }
    this.#interrupts++
    this.#running.abort()
    void this.#prompt?.interruptChildren().catch(() => undefined) // the end of the gateway is told elsewhere
    if (this.#interrupts === 2)
      this.#keyboard.print('(it was interrupted and has not ended: Ctrl-C once more ends the worker)')
    if (this.#interrupts === 3) {
      void this.#gateway.terminate({ timeout: 0 })
      this.#abandon(interrupted)
    }
  }
}
