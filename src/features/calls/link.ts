/** The channels of a session and its half in the worker: how they are opened, and what is told of what arrives (PROTOCOL.md §12). */
import { type BaseGateway, type Channel, equip, LoadError, messages, ProtocolError, type Tuple } from '../../core.js'
import type { Reply } from './performer.js'

/** What the worker needs for it, in the order of their imports. */
const modules = [
  'scheduling',
  'skeleton',
  'session',
  'refusing',
  'targets',
  'sources',
  'items',
  'iterators',
  'coroutines',
  'interrupting',
]
const INSTALL = `
from _tendril import session
session.install(requests, control, answers, threads)
from _tendril import targets, sources, interrupting
session.session.open()`

/** Ahead of a request, where it is to begin: as a task is. A question's number is above it, a service's is below. */
export const asTask = 0

/** The channels of a session that is open. */
export interface Link {
  readonly requests: Channel
  readonly control: Channel
  readonly answers: Channel
  readonly installing: Channel
}

/** What the worker asks; its number is below 0. */
export type Question = messages.Of<typeof messages.question>

// Bytes of what nobody has asked for: of a message of ours, and of one that is read although nobody waits for it, as it may say what is to be done.
const MOST_UNASKED = 64 * 1024
const MOST_READ = 4096

/** Who is told of what the worker says, once that has been held against its row in messages.ts. */
export interface LinkEvents {
  /** Whether anybody waits for a reply, or could be asked. */
  isAwaiting(): boolean
  /** Whether somebody waits for the reply, or can answer the question, of a number. */
  isAwaited(number: number): boolean
  onReply(reply: Reply): void
  /** @param consume - To be called when it is performed: until then it keeps its room in the window. */
  onQuestion(question: Question, consume: () => void): void
  /** A question that cannot be read, by its number. */
  onUnread(question: number, why: LoadError): void
  /** An item of the control channel. */
  onTold(told: ReturnType<typeof messages.readTold>): void
  /** The worker performs requests. */
  onOpen(): void
  /** Nothing will be replied any more. When the worker could not do its part, this is why: another session may come to more. */
  onEnd(failure?: Error): void
}

/** Opens a session's channels, and has the worker perform what comes on them. */
export function openLink(gateway: BaseGateway, events: LinkEvents): Link {
  equip(gateway, import.meta.url, modules)
  const requests = gateway.ownChannel(() => (events.isAwaiting() ? Number.POSITIVE_INFINITY : MOST_UNASKED))
  const control = gateway.ownChannel(() => MOST_UNASKED)
  const answers = gateway.ownChannel(() => MOST_UNASKED)
  const threads = gateway.spec.threads ?? 1
  const installing = gateway.execAside(INSTALL, { requests, control, answers, threads })
  let isOver = false
  const end = (failure?: Error): void => {
    if (isOver) return
    isOver = true
    events.onEnd(failure)
    if (failure !== undefined || !gateway.isReceiving) return
    // It says that nothing will be replied, or told, or is read, and is still there: what is asked until it is gone would never be settled.
    gateway.fail(new ProtocolError('the worker ended a channel of its calls'))
    void gateway.closed.then(() => events.onEnd())
  }
  let isInstalling = true
  const installed = installing
    .waitClose()
    .then(events.onOpen, (error: Error) => {
      end(error)
      for (const channel of [requests, control, answers]) channel.close().catch(() => undefined)
    })
    .finally(() => {
      isInstalling = false
    })
  // Whoever fails to install it lets go of the channels, and the end of that says why.
  const onChannelEnd = (): void => {
    if (isInstalling && gateway.isReceiving) void installed.then(() => end())
    else end()
  }
  requests.listen({
    takesAll: () => events.isAwaiting(),
    onItem: () => take(requests, events),
    onEnd: onChannelEnd,
  })
  control.listen({
    takesAll: () => true,
    onItem: () => {
      const item = control.takeNow()
      if (item !== undefined) events.onTold(messages.readTold(item[0]))
    },
    onEnd: onChannelEnd,
  })
  answers.listen({ onItem: () => undefined, onEnd: onChannelEnd })
  return { requests, control, answers, installing }
}

/** The next reply or question. One that cannot be read has its number all the same: its call fails, and no other. */
function take(requests: Link['requests'], events: LinkEvents): void {
  try {
    const { oldest } = requests
    if (oldest === undefined) return
    const number = (oldest.size ?? 0) > MOST_READ ? oldest.number : undefined
    if (number !== undefined && !events.isAwaited(number)) {
      requests.skip()
      if (number < 0) events.onUnread(-number, new LoadError('cannot load a question: nobody here can be asked'))
      return
    }
    const taken = requests.takeHeld()
    if (taken === undefined) return
    const { item, consume } = taken
    if (isQuestion(item)) return events.onQuestion(messages.read(messages.question, item), consume)
    consume()
    events.onReply(messages.read(messages.reply, item))
  } catch (error) {
    if (!(error instanceof LoadError) || !Number.isSafeInteger(error.firstMember)) throw error
    const number = Number(error.firstMember)
    if (number < 0) events.onUnread(-number, error)
    else events.onReply([number, null, error])
  }
}

function isQuestion(item: unknown): boolean {
  return Array.isArray(item) && typeof item[0] === 'number' && item[0] < 0
}

/** Says where the next request is to begin; in a tuple, which may be empty, that this is to be told. */
export function place(requests: Link['requests'], where: number | Tuple): void {
  const taken = requests.sendNow(where)
  if (taken !== true) taken.catch(() => undefined)
}
