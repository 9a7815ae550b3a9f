/**
 * The calls of one gateway (PROTOCOL.md §12): requests that are numbered by their order, and their replies. It is opened with the
 * first request, in the same write. Twin: session.py.
 */
import { AsyncResource } from 'node:async_hooks'
import {
  type BaseGateway,
  Channel,
  type Delivery,
  EndOfChannelError,
  messages,
  ProtocolError,
  RemoteError,
  saysItIsOver,
  Tuple,
} from '../../core.js'
import { type Over, sendAbortable } from './aborting.js'
import { runAside } from './aside.js'
import { Asked } from './asked.js'
import { errorOfReply, errorOfRequest, withDelivery } from './call-errors.js'
import { type CallOptions, canBeAborted } from './call-options.js'
import { collect } from './collect.js'
import { GivenUp, type GivenUpCall } from './given-up.js'
import { type Link, openLink, place, type Question } from './link.js'
import { notBegun, notSent, Pending, titleOf } from './pending.js'
import type { Performer, Reply, SendOptions } from './performer.js'
import { Pings } from './pings.js'
import { keepContextFor, openQuestionOf } from './questions.js'
import { RemoteIterator, type Steps } from './remote-iterator.js'
import { Stalled } from './stalled.js'

/** Who is told of requests: whatever keeps what they refer to. */
export interface RequestWatcher {
  /** A request is about to be encoded. */
  begin(): void
  /** It has been, and what this returns is called when it was answered; or it could not be. */
  end(wasSent: boolean): (() => void) | undefined
  /** The error of one that failed, with what is known of it here. */
  explain(error: Error): Error
}

// Of those that wait to be written.
const MAX_AWAKE = 64

/** One gateway's. */
export class Session implements Performer {
  /** What was aborted and still runs. */
  readonly givenUp: GivenUp = new GivenUp()
  readonly pings: Pings = new Pings(() => this.command('ping'))
  readonly #gateway: BaseGateway
  readonly #pending = new Pending()
  #link: Link | undefined
  /** Channels that end with the session if it cannot be opened; nothing any more when it is open. */
  #carried: Parameters<Performer['carry']>[0][] | undefined
  #sent = 0
  #asked = 0
  #release: (() => void) | undefined
  #watcher: RequestWatcher | undefined
  readonly #listeners = new Map<string, (...args: readonly unknown[]) => void>()
  #onQuestion: (question: Question, onAnswered: () => void) => void = (_, onAnswered) => onAnswered()
  #canBeAsked = (): boolean => false
  readonly #questions = new Asked({ isFull: () => this.#link?.answers.isStuck === true })
  /** What waits behind the request for which the worker is killed. */
  #notBegun: ReadonlySet<number> = new Set()
  /** What requests that were taken back had waited behind, by their numbers. */
  readonly #behind = new Map<number, string>()
  readonly #stalled = new Stalled({
    look: (question) => this.command('waits', question),
    titleOf: (number) => this.#pending.titleOf(number),
    say: (text) => this.#gateway.say(text),
  })

  constructor(gateway: BaseGateway) {
    this.#gateway = gateway
    this.on('dequeued', (number, behind) => {
      if (behind !== null && this.#pending.has(number)) this.#behind.set(number, this.#pending.titleOf(behind))
      this.drop(number)
    })
    this.on('waits', (question, asker, requests) =>
      this.#stalled.onTold(
        question,
        asker,
        requests.filter((request) => request < 0 || this.#pending.has(request)),
      ),
    )
    this.on('interrupted', (number) => this.#settle(number, [number, null]))
    this.on('pong', () => this.pings.onPong())
    this.on('wake', () => {
      if ((this.#link?.control.unsent ?? 0) < MAX_AWAKE) this.command('awake') // that one comes is enough
    })
    this.on('begun', (number, isAwaited) => this.#pending.learn(number, { hasBegun: true, isAwaited }))
    this.on('deaf', (number, obstacle) => this.#pending.learn(number, { obstacle }))
  }

  /**
   * Has an operation performed.
   *
   * @returns What it came to.
   * @throws {@link RemoteError} when it raised; {@link DumpError} when an argument cannot be sent: nothing is, then.
   * @throws {@link GatewayClosedError} when the gateway ended before it answered.
   */
  request(...request: readonly [operation: string, ...args: readonly unknown[]]): Promise<unknown> {
    return this.#request(request)
  }

  /** As {@link Session.requestWith}; `where` says where it is to begin, `subject` what it is about, for errors. */
  async requestAt(
    where: number | undefined,
    options: CallOptions | undefined,
    subject: unknown,
    ...request: readonly unknown[]
  ): Promise<unknown> {
    return this.#begin(options, () => titleOf(request[0], subject), request, where)
  }

  /** As {@link Session.request}; what `options` say may end it before its time. */
  requestWith(
    options: CallOptions | undefined,
    ...request: readonly [operation: string, ...args: readonly unknown[]]
  ): Promise<unknown> {
    return canBeAborted(options) ? this.requestAt(undefined, options, request[1], ...request) : this.#request(request)
  }

  async #request(request: readonly unknown[]): Promise<unknown> {
    const link = this.#open()
    const reply = await new Promise<Reply | undefined>((resolve) => {
      this.send(request, resolve)
    })
    return this.#outcome(link, reply, () => titleOf(request[0], request[1]))
  }

  /** As {@link Session.requestWith}, but what cannot be sent is thrown at once. @param titleOf - Says what it is, for errors. */
  requestNow(
    options: CallOptions | undefined,
    titleOf: () => string,
    ...request: readonly unknown[]
  ): Promise<unknown> {
    return this.#begin(options, titleOf, request, undefined)
  }

  #begin(
    options: CallOptions | undefined,
    titleOf: () => string,
    request: readonly unknown[],
    where: number | undefined,
  ): Promise<unknown> {
    const link = this.#open()
    let settle: (over: Over) => void = () => undefined
    const sent = new Promise<Over>((resolve) => {
      settle = resolve
    })
    if (canBeAborted(options))
      sendAbortable({ gateway: this.#gateway, performer: this, title: titleOf(), where }, options, request, settle)
    else this.send(request, (reply) => settle({ reply, why: undefined }), { where, title: titleOf })
    return (async () => {
      const { reply, why } = await sent
      if (why !== undefined) {
        closeIterator(reply)
        throw why()
      }
      return this.#outcome(link, reply, titleOf, options?.signal, where)
    })()
  }

  /** Opens it ahead of the first request. */
  readonly open = (): void => void this.#open()

  /** How many requests were not answered yet. */
  get size(): number {
    return this.#pending.size
  }

  /** Has somebody told of all requests. */
  watch(watcher: RequestWatcher): void {
    this.#watcher = watcher
  }

  /** Has somebody called with what the worker tells under a word. */
  on<Word extends keyof messages.Told>(word: Word, listener: (...args: messages.Told[Word]) => void): void {
    this.#listeners.set(word, listener as (...args: readonly unknown[]) => void) // what follows the word has been checked
  }

  /**
   * Has somebody called with what the worker asks; it calls back when it has answered.
   *
   * @param canBeAsked - Whether there is anything here that the worker may call.
   */
  onQuestion(listener: (question: Question, onAnswered: () => void) => void, canBeAsked: () => boolean): void {
    this.#onQuestion = listener
    this.#canBeAsked = canBeAsked
  }

  /** Answers what the worker asked. @throws {@link DumpError} when the answer cannot be sent: another may be, then. */
  answer(number: number, answer: readonly unknown[]): void {
    const { answers } = this.#open()
    for (const item of [answer, number]) {
      const taken = answers.sendNow(item) // the worker reads the number only: the answer is for the thread that waits for it
      if (taken !== true) taken.then(() => this.#questions.goOn()).catch(() => undefined)
    }
  }

  #outcome(link: Link, reply: Reply | undefined, title: () => string, signal?: AbortSignal, where?: number): unknown {
    if (reply === undefined) return this.#explainEnd(link, 'unknown')
    if (reply === notSent) return this.#explainEnd(link, 'not-sent')
    if (reply === notBegun) return this.#explainEnd(link, 'not-sent', `; ${title()} had not begun`)
    if (reply.length === 3) return this.#fail(this.#errorOf(reply), 'unknown')
    return reply.length === 4 ? this.#iterator(reply, title(), where).endedBy(signal) : reply[1]
  }

  #errorOf(reply: Reply): Error {
    const error = errorOfReply(reply[2], this.#gateway.id)
    return this.#watcher?.explain(error) ?? error
  }

  #iterator([number, items, , kind]: Reply, source: string, where: number | undefined): RemoteIterator {
    if (!(items instanceof Channel) || items.gateway !== this.#gateway)
      throw new ProtocolError(`the worker answered ${source} with an iterator that has no channel`)
    const title = `a step of the iterator of ${source}`
    const ask = (count: number, onDone: () => void): number => {
      const onReply = (reply: Reply | undefined): void => {
        if (reply !== undefined && reply[0] !== 0) onStep(reply, onDone)
      }
      this.send(['iterators.step', number, count], onReply, { title, where })
      return this.#asked
    }
    const onStep = (reply: Reply, onDone: () => void): void => {
      const [, last] = reply
      if (reply.length === 3) {
        items.onEnd(() => this.#errorOf(reply))
        void items.close()
      } else if (Array.isArray(last)) items.onItem({ decode: () => last, consume: () => undefined })
      onDone()
    }
    const steps: Steps = { ask, asked: () => this.#asked }
    if (kind === 'stream') keepContextFor(items) // a step of any other is a request of its own
    return new RemoteIterator(items, kind === 'items' ? steps : undefined)
  }

  async #explainEnd({ installing, requests }: Link, delivery: Delivery, note?: string): Promise<never> {
    for (const channel of [installing, requests]) {
      await channel.waitClose().catch((error: unknown) => this.#fail(error, delivery, note))
    }
    throw new EndOfChannelError('the session was closed by the worker')
  }

  /** What code there raises because the worker leaves is told as the end of the gateway. */
  async #fail(error: unknown, delivery: Delivery, note?: string): Promise<never> {
    throw withDelivery(error instanceof RemoteError ? await this.#gateway.explain(error) : error, delivery, note)
  }

  /** Sends a request, and gives its number. */
  send(
    request: readonly unknown[],
    onReply: (reply: Reply | undefined) => void,
    { isQuiet = false, where = openQuestionOf(this), title, tellsBegin = false }: SendOptions = {},
  ): number {
    const { requests } = this.#open()
    this.#watcher?.begin()
    const ahead = tellsBegin ? new Tuple(...(where === undefined ? [] : [where])) : where
    const taken = this.#encode(requests, request, ahead)
    const onAnswered = this.#watcher?.end(true)
    const number = ++this.#sent
    if (!isQuiet) {
      this.#asked++
      this.#release ??= requests.hold()
    }
    const answered =
      onAnswered &&
      ((reply: Reply | undefined) => {
        onAnswered()
        onReply(reply)
      })
    this.#pending.add(number, {
      onReply: answered ?? onReply,
      title,
      operation: request[0],
      subject: request[1],
      context: new AsyncResource('TendrilRequest'),
      isQuiet,
      isPlaced: ahead !== undefined,
      isInLane: where === undefined,
    })
    if (taken !== true) taken.catch(() => this.drop(number))
    return number
  }

  /** Says what must not wait behind requests. */
  command(...command: readonly unknown[]): void {
    try {
      const taken = this.#open().control.sendNow(command)
      if (taken !== true) taken.catch(() => undefined)
    } catch (error) {
      if (!saysItIsOver(error)) throw error // the requests have ended, too
    }
  }

  carry(channel: Parameters<Performer['carry']>[0]): void {
    this.#carried?.push(channel)
  }

  /** Nobody waits for the reply to a request any more. */
  drop(number: number): void {
    this.#settle(number, undefined)
  }

  /** Whether anything of the user's runs there beside what was given up; resolves when the worker has answered, or ended. */
  othersRun(number: number): Promise<boolean> {
    const numbers = [...this.givenUp.numbers, number]
    const others = runAside(this.#gateway, this, import.meta.url, ['inspecting', 'others'], numbers)
    return new Promise((resolve) => {
      const onItem = (): void => {
        const item = others.takeNow()
        resolve(item !== undefined && messages.read(messages.running, item[0]) > 0)
      }
      others.listen({ onItem, onEnd: () => resolve(false) }) // no `receive`: whether they run keeps no program alive
    })
  }

  /** What was aborted and still runs, with the threads that it runs in. */
  async listGivenUp(): Promise<GivenUpCall[]> {
    if (this.givenUp.size === 0) return []
    const name = ['inspecting', 'threads_of'] as const
    const threads = runAside(this.#gateway, this, import.meta.url, name, this.givenUp.numbers)
    const names = await collect(threads, {})
    return this.givenUp.list(names.map((name) => messages.read(messages.thread, name)))
  }

  /** In what asynchronous context a request was made that was not answered yet. */
  contextOf(number: number): AsyncResource | undefined {
    return this.#pending.contextOf(number)
  }

  /** Looks after a question of the worker's that is being answered. @returns Stops that. */
  watchQuestion(question: number): () => void {
    return this.#stalled.watch(question)
  }

  /** What a request that was taken back had waited behind, as far as the worker knows. */
  takeBehind(number: number): string | undefined {
    const behind = this.#behind.get(number)
    this.#behind.delete(number)
    return behind
  }

  /** Why a request will not be interrupted, as far as the worker knows. */
  obstacleTo(number: number): string | undefined {
    return this.#pending.knownOf(number).obstacle
  }

  /** Whether the worker has said that a request has begun; only of those that `tellsBegin` is asked for. */
  hasBegun(number: number): boolean {
    return this.#pending.knownOf(number).hasBegun === true
  }

  /** Ends the worker for the sake of a request. */
  killFor(number: number, error: Error): void {
    if ((this.#gateway.spec.threads ?? 1) === 1) this.#notBegun = this.#pending.behind(number)
    this.#gateway.fail(error)
  }

  /** Sends it. A getter in it may send others ahead of it, so that what is said of it is said when it has been encoded. */
  #encode(
    requests: Link['requests'],
    request: readonly unknown[],
    ahead: number | Tuple | undefined,
  ): ReturnType<Link['requests']['sendNow']> {
    try {
      return requests.sendNow(request, ahead === undefined ? undefined : () => place(requests, ahead))
    } catch (error) {
      this.#watcher?.end(false)
      throw errorOfRequest(error, request)
    }
  }

  #settle(number: number, reply: Reply | undefined): void {
    this.#pending.settle(number, reply)
    if (!this.#pending.isIdle) return
    this.#release?.()
    this.#release = undefined
  }

  #open(): Link {
    if (this.#link !== undefined) return this.#link
    try {
      this.#carried = []
      this.#link = openLink(this.#gateway, {
        isAwaiting: () => this.#pending.size > 0 || this.#canBeAsked(),
        isAwaited: (number) => (number < 0 ? this.#canBeAsked() : this.#pending.has(number)),
        onReply: (reply) => {
          if (this.givenUp.has(reply[0]) || !this.#pending.has(reply[0])) closeIterator(reply) // nobody will ask it
          this.#settle(reply[0], reply)
        },
        onQuestion: (question, consume) =>
          this.#questions.add({ perform: (onAnswered) => this.#onQuestion(question, onAnswered), consume }),
        onUnread: (question, { message }) => this.#refuse(question, message),
        onTold: ([word, ...args]) => this.#listeners.get(word)?.(...args),
        onOpen: () => {
          this.#carried = undefined
        },
        onEnd: (failure) => {
          this.#settleAll(failure instanceof RemoteError)
          if (failure !== undefined) this.#giveUp(failure)
        },
      })
      return this.#link
    } catch (error) {
      throw withDelivery(error, 'not-sent')
    }
  }

  #refuse(question: number, message: string): void {
    const perform = (onAnswered: () => void): void => {
      this.answer(question, [null, 'LoadError', message, '', 0])
      onAnswered()
    }
    this.#questions.add({ perform, consume: () => undefined })
  }

  /** It could not be opened: with the next request it is opened anew. */
  #giveUp(failure: Error): void {
    this.#link = undefined
    this.#sent = this.#asked = 0
    this.pings.clear()
    for (const channel of this.#carried ?? []) {
      channel.onEnd(() => failure)
      channel.close().catch(() => undefined)
    }
  }

  #settleAll(isUnread: boolean): void {
    const sent = isUnread ? 0 : this.#pending.lastSent(this.#sent, this.#link?.requests.unsent ?? 0)
    for (const number of this.#pending.numbers)
      this.#settle(number, number > sent ? notSent : this.#notBegun.has(number) ? notBegun : undefined)
  }
}

/** Of a reply that nobody wants any more: an iterator would wait there for somebody who asks. */
function closeIterator(reply: Reply | undefined): void {
  if (reply?.length === 4 && reply[1] instanceof Channel) void reply[1].close()
}
