"""`_tendril.controller`: the way back (PROTOCOL.md section 12; twin: callbacks.ts beside it).

What the controller exposes, and functions that it has passed, are called here by any thread. A call is an item on the channel of the
requests, with a negative number; its answer comes on a channel of its own: the answer, then the number.
"""
import _tendril
from _tendril import NAMES, DumpError, Mailbox, Unlocked, Worker, _thread, channel, count, deque, extras, reducing, session, sys, time, values, worker
from _tendril.draining import drain_python
from _tendril.inbox import Inbox, divert, read
from _tendril.originals import own
from _tendril.session import Call
from _tendril.targets import controller

weakref = own('weakref')
numbers = count(1)
callbacks = {}  # by number: Held; changed under the mutex only
gone = deque()  # of those, what nobody holds any more
mutex = _thread.allocate_lock()
EXECUTE = Worker.execute.__code__
ENDING = 'the gateway is ending: the controller does not answer any more'
ROOM = 60  # calls of ours, one within the other, that a call may take which is made in order to answer: without them its reply would be lost


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
        self.number, self.times = callback.number, [0]

    def take(self):
        """The number of times, for whoever comes first."""
        try:
            return self.times.pop()
        except IndexError:
            return 0


def dropped(held):
    """Runs wherever garbage is collected: it takes no lock."""
    gone.append(held)
    times = held.take()
    if times:
        session.session.tell(['dropped', held.number, times])


def count_callbacks():
    """How many callbacks are held."""
    with mutex:
        forget()
        return len(callbacks)


def forget():
    while gone:
        held = gone.popleft()
        if callbacks.get(held.number) is held:
            del callbacks[held.number]


def callback_with(number):
    opened()
    with mutex:
        forget()
        held = callbacks.get(number)
        callback = None if held is None else held()
        if callback is None:
            callback = Callback(number)
            before, held = held, Held(callback, dropped)
            callbacks[number] = held
            if before is not None:  # PyPy tells some time later that nobody holds it any more, or now that it has been replaced, never
                held.times[0] = before.take()
        held.times[0] += 1
        return callback


def opened():
    """The session, once it is open: the task that opens it may run beside this one."""
    with Unlocked():  # it may need an import
        while session.session is None:
            time.sleep(0.001)
    with mutex:
        if not isinstance(session.session.answers.items, Answers):
            divert(session.session.answers, Answers())
    return session.session


# Calls.

def ask(target, args, kwargs):
    """Calls an exposed function by its name, or a callback by its number."""
    waiter = Waiter(next(numbers))
    entry = waiter.ask(target, args, kwargs)
    answer = read(entry)
    if len(answer) == 1:
        return answer[0]
    if answer[1] == 'AttributeError':
        raise AttributeError(answer[2])
    raise ControllerError(*answer[1:])


def check_room(calls):
    """Raises RecursionError where the stack has no room for so many calls, one within the other."""
    if calls:
        check_room(calls - 1)


class Waiter(Mailbox):
    """A question to the controller, and who waits for its answer. Calls that it makes in order to answer are performed there."""

    def __init__(self, number):
        Mailbox.__init__(self)
        self.number, self.thread = number, _thread.get_ident()

    def ask(self, target, args, kwargs):
        check_room(ROOM)
        session = opened()
        drain_python(worker.output)
        self.asker = asking()
        session.questions[self.number] = self
        try:
            if worker.leaving:
                raise IOError(ENDING)
            try:
                session.requests.send([-self.number, target, args, kwargs, number_of(self.asker)])
            except DumpError as e:
                raise DumpError(str(e).replace('item[2]', 'args', 1).replace('item[3]', 'kwargs', 1))
            while True:
                entry = worker.wait(self)
                if entry is channel.ENDED:
                    raise IOError(ENDING)
                if type(entry) is tuple:
                    return entry
                entry.begin()
        finally:
            del session.questions[self.number]
            self.give_back(session)

    def take(self, call):
        """By whoever reads: a call that is made in order to answer, or what goes on with one. False when nobody waits for the answer any more."""
        self.put(call)
        if session.session.questions.get(self.number) is self:
            return True
        try:
            self.items.remove(call)
        except ValueError:  # who has waited has found it
            return True
        return False

    def give_back(self, session):
        """Calls that have come too late are requests like others."""
        while self.items:
            try:
                entry = self.items.popleft()
            except IndexError:  # whoever reads was faster
                return
            if type(entry) is not tuple and entry is not channel.ENDED:
                session.lane.take(entry)


def asking():
    """The call that this thread performs, or the channel of its task; None in a thread that user code has started."""
    call = session.session.performing.get(_thread.get_ident())
    if call is None and 'coroutines' in extras:
        call = extras['coroutines'].awaited_call()
    frame = sys._getframe()
    while call is None and frame is not None:
        if frame.f_code is EXECUTE:
            return frame.f_locals['channel']
        frame = frame.f_back
    return call


def number_of(asker):
    """As it is sent."""
    return asker.number if type(asker) is Call else None if asker is None or asker.is_closed else asker


class Answers(Inbox):
    """Gives answers to those who wait for them, as they came: reading one may take long, or wait."""

    def __init__(self):
        Inbox.__init__(self, self.deliver)
        self.answer = None

    def end(self):
        for waiter in list(session.session.questions.values()):
            waiter.put(channel.ENDED)

    def deliver(self, entry):
        session.session.answers.give_back(entry[1])  # at once: an answer that is longer than the window leaves no room for its number
        if self.answer is None:
            self.answer = entry
            return
        waiter = session.session.questions.get(read(entry))
        if waiter is not None:
            waiter.put(self.answer)
        self.answer = None


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
