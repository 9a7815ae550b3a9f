"""`_tendril.awaiting`: what the function of a task gives, when it has not run by that: a coroutine is awaited, a generator is an error."""
from _tendril import PY2
from _tendril.originals import common


def finish(result):
    """Does what is left to do of a function's result: nothing of an ordinary one."""
    kind = type(result)
    if hasattr(kind, '__await__') and not PY2:
        run(result)
    elif kind.__name__ == 'async_generator' or kind.__name__ == 'generator' and is_new(result):
        raise TypeError('nothing of %s has run: it is a generator. The function of a task sends its items with channel.send; '
                        'to iterate over a generator, call its function' % getattr(result, '__qualname__', result.__name__))


def is_new(generator):
    """Whether nothing of it has run."""
    frame = generator.gi_frame
    return frame is not None and not getattr(generator, 'gi_suspended', frame.f_lasti >= 0)


def run(awaitable):
    """Awaits it in this thread, in an event loop of its own, and leaves as asyncio.run does, which Python 3.6 has not."""
    asyncio = common('asyncio')
    loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(awaitable)
    finally:
        try:
            cancel_all(asyncio, loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            if hasattr(loop, 'shutdown_default_executor'):
                loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def cancel_all(asyncio, loop):
    """Has the tasks that are left come to their end, and tells of those that fail."""
    all_tasks = asyncio.all_tasks if hasattr(asyncio, 'all_tasks') else asyncio.Task.all_tasks  # of Python 3.6
    tasks = [task for task in all_tasks(loop) if not task.done()]
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            loop.call_exception_handler({'message': 'a task failed while it was cancelled', 'exception': task.exception(), 'task': task})
