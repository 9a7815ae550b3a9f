/** Answers that cost a process: whoever asks the same at the same time shares one, and it is kept for a moment. */
import { monotonicMs } from '../../../timer.js'
import { unlessAborted } from '../../../transports/unless-aborted.js'

// What an answer depends on may change unseen (included files, what `Match exec` says): none is older than this.
const MAX_AGE_MS = 10_000

interface Answer<T> {
  readonly at: number
  readonly value: Promise<T>
  readonly abort: AbortController
  waiting: number
  isSettled: boolean
}

/** Answers by question. Failures are not kept: what was wrong may be put right at once. */
export class SharedAnswers<T> {
  readonly #answers: Map<string, Answer<T>> = new Map()

  /**
   * The answer to a question.
   *
   * @param key - All that the answer depends on.
   * @param find - Finds it out; its signal is aborted when nobody waits any more.
   * @param signal - Gives up waiting, for this caller only.
   */
  async get(key: string, find: (signal: AbortSignal) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted()
    const answer = this.#kept(key) ?? this.#ask(key, find)
    answer.waiting++
    try {
      return await (signal === undefined ? answer.value : unlessAborted(answer.value, signal))
    } finally {
      answer.waiting--
      if (answer.waiting === 0 && !answer.isSettled) answer.abort.abort()
    }
  }

  #kept(key: string): Answer<T> | undefined {
    const now = monotonicMs()
    for (const [other, { at, isSettled }] of this.#answers) {
      if (isSettled && now - at > MAX_AGE_MS) this.#answers.delete(other)
    }
    const answer = this.#answers.get(key)
    return answer?.abort.signal.aborted === true ? undefined : answer
  }

  #ask(key: string, find: (signal: AbortSignal) => Promise<T>): Answer<T> {
    const abort = new AbortController()
    const answer: Answer<T> = { at: monotonicMs(), value: find(abort.signal), abort, waiting: 0, isSettled: false }
    this.#answers.set(key, answer)
    const settle = () => {
      answer.isSettled = true
    }
    answer.value.then(settle, () => {
      settle()
      if (this.#answers.get(key) === answer) this.#answers.delete(key)
    })
    return answer
  }
}
