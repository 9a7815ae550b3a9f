/** Loops and Web streams over a channel's items. They keep no items of their own: a high-water mark of 0 leaves the channel's window in charge. */
import { asError, EndOfChannelError } from '../errors.js'

/** What a stream needs of a channel. */
interface ItemSource<R> {
  receiveNext(): Promise<R>
  close(error?: string): Promise<void>
}

interface ItemSink<S> {
  send(item: S): Promise<void>
  sendEnd(): void
  close(error?: string): Promise<void>
}

/** The items of a channel for a loop; leaving it early closes the channel. */
export function iteratorOf<R>(channel: ItemSource<R>): AsyncIterator<R, undefined> {
  return {
    next: async () => {
      try {
        return { done: false, value: await channel.receiveNext() }
      } catch (error) {
        if (error instanceof EndOfChannelError) return { done: true, value: undefined }
        throw error
      }
    },
    return: async () => {
      await channel.close()
      return { done: true, value: undefined }
    },
  }
}

/** The items of a channel as a Web stream; cancelling it closes the channel. */
export function readableOf<R>(channel: ItemSource<R>): ReadableStream<R> {
  return new ReadableStream<R>(
    {
      pull: async (controller) => {
        try {
          controller.enqueue(await channel.receiveNext())
        } catch (error) {
          if (!(error instanceof EndOfChannelError)) throw error
          controller.close()
        }
      },
      cancel: () => channel.close(),
    },
    { highWaterMark: 0 },
  )
}

/** A Web stream whose chunks are items to send; closing it ends only this direction. */
export function writableOf<S>(channel: ItemSink<S>): WritableStream<S> {
  return new WritableStream<S>(
    {
      write: (item) => channel.send(item),
      close: () => channel.sendEnd(),
      abort: (reason) => channel.close(textOf(reason)),
    },
    { highWaterMark: 1 },
  )
}

function textOf(reason: unknown): string {
  if (reason === undefined) return 'the stream was aborted'
  return asError(reason).message
}
