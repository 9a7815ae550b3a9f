/**
 * What workers ask and we have not answered (PROTOCOL.md §12). The questions that some code runs in order to answer, the innermost last, go with it
 * wherever its asynchronous context goes: a request that it makes of the gateway that asked says for which question it is.
 */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'

interface Question {
  readonly asker: object
  readonly number: number
  readonly outer: Question | undefined
  isOpen: boolean
}

const innermost = new AsyncLocalStorage<Question>()
/** By the channels of tasks and of asynchronous iterators: where they were asked for. */
const contexts = new WeakMap<object, AsyncResource>()

/** What is asked amid the work that ends with a channel is answered in the asynchronous context that there is now. */
export function keepContextFor(channel: object): void {
  contexts.set(channel, new AsyncResource('TendrilChannel'))
}

export function contextFor(channel: object): AsyncResource | undefined {
  return contexts.get(channel)
}

/**
 * Runs what answers a question.
 *
 * @param asker - Whoever asks: what {@link openQuestionOf} finds it by.
 * @param context - The asynchronous context of the request amid which it is asked.
 * @param run - Calls `close` when the answer is known: what is asked from then on is not for this question any more.
 */
export function answerWithin(
  asker: object,
  number: number,
  context: AsyncResource | undefined,
  run: (close: () => void) => void,
): void {
  const answer = (): void => {
    const question: Question = { asker, number, outer: innermost.getStore(), isOpen: true }
    innermost.run(question, run, () => {
      question.isOpen = false
    })
  }
  if (context === undefined) answer()
  else context.runInAsyncScope(answer)
}

/** The innermost question of an asker that the code which runs now is to answer; undefined when there is none. */
export function openQuestionOf(asker: object): number | undefined {
  for (let at = innermost.getStore(); at !== undefined; at = at.outer) {
    if (at.asker === asker && at.isOpen) return at.number
  }
  return undefined
}
