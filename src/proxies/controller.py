"""`_tendril.controller`: the way back (PROTOCOL.md section 12; twin: callbacks.ts beside it).

What the controller exposes, and functions that it has passed, are called here by any thread. A call is an item on the channel of the
requests, with a negative number; its answer comes on a channel of its own: the answer, then the number.
"""
import itertools
import time
import weakref

import _tendril
from _tendril import NAMES, DumpError, Mailbox, _thread, channel, reducing, session, values, worker
from _tendril.session import Inbox, divert, read
from _tendril.targets import controller

numbers = itertools.count(1)
waiting = {}    # by number: the Waiter of a call
callbacks = {}  # by number: Held
mutex = _thread.allocate_lock()
ENDING = 'the gateway is ending: the controller does not answer any more'


class ControllerError(Exception):
    """What a function of the controller threw: `name`, `message` and `stack` are the error's own."""

    def __init__(self, name, message, stack='', number=0):
        Exception.__init__(self, name, message, stack, number)
        self.name, self.message, self.stack = name, message, stack

    def __str__(self):
        return '%s: %s' % (self.name, self.message) if self.message else self.name


def exposed(name):
    return lambda *args, **kwargs: ask(name, args, kwargs)


class Callback(object):
    """A function of the controller. It lives there for as long as this does."""

    def __init__(self, number):
        self.number = number

    def __call__(self, *args, **kwargs):
        return ask(self.number, args, kwargs)

    def __repr__(self):
        return '<function %d of the controller>' % self.number


class Held(weakref.ref):
    """Says how often a callback was read, once nobody holds it any more."""

    def __init__(self, callback, dropped):
        weakref.ref.__init__(self, callback, dropped)
        self.number, self.times = callback.number, 0


def dropped(held):
    """Runs wherever garbage is collected: it takes no lock."""
    if callbacks.get(held.number) is held:
        del callbacks[held.number]
    session.session.tell(['dropped', held.number, held.times])


def callback_with(number):
    opened()
    with mutex:
        held = callbacks.get(number)
        callback = None if held is None else held()
        if callback is None:
            callback = Callback(number)
            held = callbacks[number] = Held(callback, dropped)
        held.times += 1
        return callback


def opened():
    """The session, once it is open: the task that opens it may run beside this one."""
    while session.session is None:
        time.sleep(0.001)
    with mutex:
        if not isinstance(session.session.answers._items, Answers):
            divert(session.session.answers, Answers())
    return session.session


# Calls.

def ask(target, args, kwargs):
    """Calls an exposed function by its name, or a callback by its number."""
    number, waiter = next(numbers), Waiter()
    waiting[number] = waiter
    try:
        entry = waiter.ask([-number, target, args, kwargs])
    finally:
        del waiting[number]
    answer = read(entry)
    if len(answer) == 1:
        return answer[0]
    if answer[1] == 'AttributeError':
        raise AttributeError(answer[2])
    raise ControllerError(*answer[1:])


class Waiter(Mailbox):
    """A call of the controller, and who waits for its answer."""

    on_main = False

    def ask(self, request):
        opened().drain()
        is_main = _thread.get_ident() == worker.main
        self.on_main = is_main and worker.execmodel == 'main_thread_only'
        if not self.on_main and is_main:
            session.session.scheduler.is_main_stuck = True
        if worker.leaving:
            raise IOError(ENDING)
        try:
            session.session.requests.send(request)
        except DumpError as e:
            raise DumpError(str(e).replace('item[2]', 'args', 1).replace('item[3]', 'kwargs', 1))
        entry = self.take_on_main() if self.on_main else worker.wait(self)
        if entry is channel.ENDED:
            raise IOError(ENDING)
        return entry

    def put(self, entry):
        Mailbox.put(self, entry)
        if self.on_main:
            worker.tasks.put(None)

    def take_on_main(self):
        """There is no other thread for what the controller asks before it answers."""
        aside, scheduler = [], session.session.scheduler
        try:
            while not self.items:
                task = worker.wait(worker.tasks)
                if task is not None and task[0] is scheduler:
                    scheduler.run(task[1])
                elif task is not None:
                    aside.append(task)
        finally:
            worker.tasks.items.extendleft(reversed(aside))
            if worker.leaving:
                worker.tasks.put(None)
        return self.items.popleft()


class Answers(Inbox):
    """Gives answers to those who wait for them, as they came: reading one may take long, or wait."""

    def __init__(self):
        Inbox.__init__(self, self.deliver)
        self.answer = None

    def put(self, entry):
        Inbox.put(self, entry)
        if entry is channel.ENDED:
            for waiter in list(waiting.values()):
                waiter.put(entry)

    def deliver(self, entry):
        if self.answer is None:
            self.answer = entry
            return
        waiter = waiting.get(read(entry))
        if waiter is not None:
            waiter.put(self.answer)
        self.answer = None
        session.session.answers._return(entry[1])


# What it is called, here and on the wire.

def controller_with(number):
    return controller


for function, name in (callback_with, 'Callback'), (controller_with, 'Controller'):
    function.__module__, function.__name__, function.__qualname__ = '_tendril', name, name
    setattr(_tendril, name, function)
    NAMES['_tendril', name] = function
    values.OURS.append(function)
for kind in ControllerError, Callback:
    kind.__module__ = 'tendril'
reducing.REDUCERS['tendril', 'Callback'] = lambda callback: (callback_with, (callback.number,))
