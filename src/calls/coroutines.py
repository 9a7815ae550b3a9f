"""`_tendril.coroutines`: what is awaited here, and asynchronous iterators. Imported when the first of them comes; Python 3.6 and later.

All of them share one event loop, in a thread of its own: what blocks it blocks the others, as in any program of asyncio.
"""
import asyncio
import time
import traceback

from _tendril import worker
from _tendril.iterators import GATHER, Items

loop = asyncio.new_event_loop()


def run_loop():
    asyncio.set_event_loop(loop)
    loop.run_forever()


worker.start_thread(run_loop)


def wait_for(session, call, awaitable):
    """Has the loop await what a call gave, and reply."""
    async def reply():
        try:
            outcome = session.reply_with(call, await awaitable)
        except BaseException:
            outcome = [call.number, None, worker.describe_failure()]
        if outcome is not None:
            session.finish(call, outcome)

    tasks = []
    call.thread = None
    # Once more around: a task that is cancelled before its first step would never reply.
    call.cancel = lambda: loop.call_soon_threadsafe(lambda: loop.call_soon(tasks[0].cancel))
    loop.call_soon_threadsafe(lambda: tasks.append(loop.create_task(reply())))


class AsyncIteration(Items):
    """One over an asynchronous iterator: a task of the loop."""

    def __init__(self, session, iterator):
        super().__init__(session, iterator)
        self.task = self.room = None

    def ring(self, _):
        loop.call_soon_threadsafe(self.answer)

    def answer(self):
        if self.is_over:
            return
        if self.task is None and not self.channel._closed:
            self.room = asyncio.Event()
            self.task = loop.create_task(self.produce())
        elif self.channel._closed:
            self.is_over = True
            if self.task is not None:
                self.task.cancel()
        else:
            self.room.set()

    async def produce(self):
        iterator = self.iterator
        try:
            async for item in iterator:
                self.gathered.append(item)
                now = time.time()
                if len(self.gathered) == 1:
                    self.begun = now
                    loop.call_later(GATHER, self.flush)
                if now - self.begun > GATHER:
                    await self.send_all()
        except BaseException:
            if not self.is_over:
                self.fail()
        if not self.is_over:
            await self.send_all()
            if not self.is_over:
                self.end(self.failure)
        await self.close(iterator)

    async def send_all(self):
        """Lets others have the loop, and waits while the window is full."""
        await asyncio.sleep(0)
        self.flush()
        while self.gathered and not self.channel._closed:
            self.room.clear()
            self.flush()
            if self.gathered:
                await self.room.wait()

    async def close(self, iterator):
        if hasattr(iterator, 'aclose'):
            try:
                await iterator.aclose()
            except BaseException:
                traceback.print_exc()
