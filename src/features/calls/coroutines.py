"""`_tendril.coroutines`: what is awaited here, and asynchronous iterators. Imported when the first of them comes; Python 3.6 and later.

All of them share one event loop, in a thread of its own: what blocks it blocks the others, as in any program of asyncio.
"""
from _tendril import _thread, clock, extras, session, time, worker
from _tendril.failures import print_current
from _tendril.items import Items
from _tendril.iterators import GATHER
from _tendril.originals import common, own
from _tendril.worlds import anew

asyncio, WeakKeyDictionary = common('asyncio'), own('weakref').WeakKeyDictionary
try:
    ContextVar = common('contextvars').ContextVar
except ImportError:  # Python 3.6
    ContextVar = None


def make_loop():
    """Python's own, on our originals: the selectors of gevent need their own hub, and mocks stop the clock. One of another kind (uvloop) is left as it is."""
    try:
        loop = asyncio.new_event_loop()
    except Exception:  # of what stands in the place of its parts, such as of select.epoll
        loop = None
    if loop is None or type(loop) is asyncio.SelectorEventLoop:
        if loop is not None:
            loop.close()
        loop = asyncio.SelectorEventLoop(anew('selectors').DefaultSelector())
        loop.time = clock
    return loop


loop = make_loop()
thread = None  # the loop's
MACHINERY = tuple(module.__file__.rpartition(end)[0] for module, end in ((asyncio, '__init__'), (anew('selectors'), '.')))


def is_machinery(file):
    """Whether code of a file is part of what runs coroutines."""
    return file.startswith(MACHINERY)



def run_loop():
    """Goes on whatever a coroutine raises that ends loops, or if it stops this one: others wait here too."""
    global thread
    thread = _thread.get_ident()
    asyncio.set_event_loop(loop)
    while not loop.is_closed():
        try:
            loop.run_forever()
        except BaseException:  # SystemExit, which is for whoever awaits
            forked = extras.get('forked')
            if forked and forked.is_child():
                raise
            time.sleep(0.001)


worker.start_thread(run_loop)


class CurrentTasks(object):
    """In place of a ContextVar, where there is none: knows no tasks but ours."""

    def __init__(self):
        self.calls = WeakKeyDictionary()

    def set(self, call):
        self.calls[asyncio.Task.current_task(loop)] = call

    def get(self, default):
        task = asyncio.Task.current_task(loop) if _thread.get_ident() == thread else None
        return default if task is None else self.calls.get(task, default)


current = ContextVar('call') if ContextVar else CurrentTasks()


def awaited_call():
    """The call whose coroutine, or the channel whose iterator, or a task that one of these has made, runs in this thread."""
    return current.get(None)


def check(call, value):
    """Refuses what only the loop can go on with, when the loop's own thread waits until the call is over."""
    if session.session.performing.get(thread) is call:
        if hasattr(value, 'close'):
            value.close()
        raise RuntimeError("deadlock: a coroutine has called a function of the controller's, and so holds up the event loop that this one would run in. "
                           'Have it called in another thread: await asyncio.get_running_loop().run_in_executor(None, function)')


def wait_for(session, call, awaitable):
    """Has the loop await what a call gave, and reply."""
    async def reply():
        current.set(call)
        try:
            outcome = session.reply_with(call, await awaitable)
        except BaseException:
            outcome = [call.number, None, worker.describe_failure()]
        if outcome is not None:
            session.finish(call, outcome)

    def fail(failure):
        if hasattr(awaitable, 'close'):
            awaitable.close()
        session.finish(call, [call.number, None, failure])

    check(call, awaitable)
    if call.tells_begin:
        session.tell(['begun', call.number, True])
    tasks = []
    call.thread = None
    # Once more around: a task that is cancelled before its first step would never reply.
    call.cancel = lambda: loop.call_soon_threadsafe(lambda: loop.call_soon(tasks[0].cancel))
    loop.call_soon_threadsafe(lambda: tasks.append(begin(reply(), fail)))


def begin(coroutine, fail):
    """A task of the loop. When somebody cancels it before its first step, nothing of it runs."""
    def done(task):
        if task.cancelled():
            try:
                task.result()
            except BaseException:
                fail(worker.describe_failure())

    task = loop.create_task(coroutine)
    task.add_done_callback(done)
    return task


def go_on(chain, at, coroutine):
    """What awaits the result of a step of a chain (`_tendril.references`), and does those that follow."""
    async def rest():
        try:
            value = await coroutine
        except BaseException as e:
            error = e

            def value_of():
                raise error
        else:
            def value_of():
                chain.keep(value)
                return value
        result = chain.perform(at, value_of)
        return await result if asyncio.iscoroutine(result) else result

    check(chain.call, coroutine)
    return rest()


class AsyncIteration(Items):
    """One over an asynchronous iterator: a task of the loop."""

    def __init__(self, session, call, iterator):
        check(call, None)
        super().__init__(session, iterator)
        self.task = self.room = None

    def ring(self, _):
        loop.call_soon_threadsafe(self.answer)

    def answer(self):
        if self.is_over:
            return
        if self.task is None and not self.channel.is_closed:
            self.room = asyncio.Event()
            self.task = begin(self.produce(), self.end)
        elif self.channel.is_closed:
            self.is_over = True
            if self.task is not None:
                self.task.cancel()
        else:
            self.room.set()

    async def produce(self):
        current.set(self.channel)
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
        except BaseException as e:
            if not self.is_over:
                self.fail()
            elif not isinstance(e, asyncio.CancelledError):  # nobody else is told of it
                print_current()
        while not self.is_over:
            try:
                await self.send_all()
                if not self.is_over:
                    self.end(self.failure)
            except BaseException:  # CancelledError, of somebody who cancels all tasks that there are
                self.fail()
        await self.close(iterator)

    async def send_all(self):
        """Lets others have the loop, and waits while the window is full."""
        await asyncio.sleep(0)
        self.flush()
        while self.is_pending() and not self.channel.is_closed:
            self.room.clear()
            self.flush()
            if self.is_pending():
                await self.room.wait()

    async def close(self, iterator):
        if hasattr(iterator, 'aclose'):
            try:
                await iterator.aclose()
                self.closed()
            except BaseException:
                print_current()
