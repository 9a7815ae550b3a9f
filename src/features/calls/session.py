"""`_tendril.session`: what the controller calls here (PROTOCOL.md section 12; twin: session.ts beside it).

Requests come on one channel and are begun in their order; what must not wait behind them comes on another, and is acted on by
whoever reads. A request is a list: an operation and its arguments. Its number is its place among the requests. Ahead of one may come where
it is to begin: the number of the question for which it is asked, a service's number below 0, or 0 when it is a task. In a tuple, which may
be empty, it asks that the beginning is told.
"""
from _tendril import DATA, PLAIN, PROTOCOL, PY2, SCALARS, DumpError, _thread, channel, dump_parts, dumps, extra, pickle, worker
from _tendril.draining import drain_python
from _tendril.inbox import Inbox, divert, read
from _tendril.scheduling import Lane, put_for_main

SHORT = 24        # bytes: what is not a request, but says where the next one is to begin, is shorter
LATER = object()  # what an operation gives that will call `finish` when it has come to something


class Operations(dict):
    def __missing__(self, name):
        extra(name.partition('.')[0])  # it says what it can do
        if name not in self:
            raise KeyError(name)
        return self[name]


operations = Operations()  # by name: function(call, *arguments), called in the thread that performs the request
commands = {}    # by name: function(*arguments), called by whoever reads: it must not wait
session = None


class Call(object):
    """A request. While it is performed it stands among the worker's tasks, where channels do, as channel 0: what it prints has none."""

    number = entry = None  # the arguments come in an entry of a mailbox
    lane = place = None  # where it waits, and its place there; a call that is made for a question begins in the thread that asks
    thread = None        # in which it is performed; None also while it is awaited
    question = None      # that it is asked for
    outer = None         # the call amid which it is performed, in the same thread
    cancel = None        # while it is awaited, a function that cancels it
    tells_begin = False  # the controller wants to know
    interrupted = False  # somebody has asked to end it before its time (`_tendril.interrupting`)
    channel = None       # that ends with it
    is_aside = False     # as of a channel
    is_over = False      # its reply is on its way

    def begin(self):
        try:
            session.perform(self)
        except BaseException:  # a signal handler of user code raised it just after its own code had ended
            if session.performing.get(self.thread) is self:
                session.performing.pop(self.thread)
                if self.outer is not None:
                    session.performing[self.thread] = self.outer
            if not self.is_over:
                session.finish(self, [self.number, None, worker.describe_failure()])

    def refuse(self):
        extra('refusing').refuse(session, self)

    def free(self):
        """What is the user's has been done: what follows may begin."""
        if self.lane is not None:
            self.lane.free(self)

    def __index__(self):
        return 0


class TaskLane(object):
    """Where requests are tasks of the user's: in the main thread when that is free, else in a thread of their own."""

    def take(self, call):
        call.lane = self
        if worker.execmodel == 'thread' and worker.main_holder.setdefault(None, call) is not call:
            try:
                return worker.start_thread(worker.run, call, None)
            except Exception:  # there are no more
                return call.refuse()
        put_for_main(call)

    def free(self, call):
        worker.free_main(call)

    def holder(self):
        return None


class Session(object):
    """The calls of one gateway. `waiting` has those that have come, by their numbers, `running` those that were begun."""

    def __init__(self, requests, control, answers, threads):
        self.requests, self.control, self.answers = requests, control, answers
        control.sent = float('inf')  # what is told has no window, and comes from any thread
        self.arrived, self.waiting, self.running = 0, {}, {}
        self.performing = {}  # by thread: the innermost call that it performs
        self.questions = {}   # by number: what the controller was asked and has not answered (`_tendril.controller`)
        self.ahead = set()    # numbers of requests that were taken back before they came
        self.where = None     # what came ahead of the next request
        self.lane, self.tasks, self.lanes = Lane(threads), TaskLane(), {}  # those of services with threads by their numbers

    def open(self):
        divert(self.requests, Inbox(self.take_request))
        divert(self.control, Inbox(self.take_command))

    # What arrives.

    def take_request(self, entry):
        payload = entry[0]
        if payload is None or type(payload) is bytes and len(payload) < SHORT:  # else it may be one that could not be held
            value = read(entry)
            if type(value) is not list:
                self.where = value
                return
        number = self.arrived = self.arrived + 1
        call = Call()
        call.number, call.entry = number, entry
        if number not in self.ahead:
            self.waiting[number] = call
        where = self.where
        if where is None:
            return self.lane.take(call)
        self.where = None
        if type(where) is tuple:
            call.tells_begin, where = True, where[0] if where else None
        if where is None:
            self.lane.take(call)
        elif where == 0:
            self.tasks.take(call)
        elif where < 0:
            self.lanes.get(-where, self.lane).take(call)
        else:
            call.question = where
            if where not in self.questions or not self.questions[where].take(call):
                self.lane.take(call)  # it has been answered meanwhile

    def take_command(self, entry):
        command = read(entry)
        self.control.give_back(entry[1])
        commands[command[0]](*command[1:])

    def tell(self, item):
        """Says something on the control channel; from any thread, and without waiting."""
        payload = dumps(item, channel.channel_id)
        worker.post(DATA, self.control.id, payload)

    # What is performed.

    def perform(self, call):
        number, thread = call.number, _thread.get_ident()
        call.thread = thread
        self.running[number] = worker.executing[call] = call
        if self.waiting.pop(number, None) is None:
            return self.forget(call)
        outer = call.outer = self.performing.get(thread)
        self.performing[thread] = call
        reply = None
        try:
            try:
                value = self.outcome(call)
                reply = [number, value] if type(value) in PLAIN else self.reply_with(call, value)
            except BaseException:
                reply = [number, None, worker.describe_failure()]
            if reply is not None:
                del self.running[number]
            if call.interrupted:
                self.settle(call)
        except BaseException:  # it was meant for this call, and has come late
            reply = self.settle_late(call, reply)
        if outer is None:
            del self.performing[thread]
        else:
            self.performing[thread] = outer
        if call.channel is not None:
            reply = self.close(call, reply)
        if reply is not None:
            self.finish(call, reply)
        else:
            call.free()

    def reply_with(self, call, value):
        """The reply for a value that may be one that goes on; None when it comes later."""
        kind = type(value)
        if value is LATER:
            return None
        if not isinstance(value, channel.Channel):
            if hasattr(kind, '__await__'):
                return extra('coroutines').wait_for(self, call, value)
            if hasattr(kind, '__anext__'):
                return [call.number, extra('coroutines').AsyncIteration(self, call, value).channel, None, 'stream']
            if hasattr(kind, 'next' if PY2 else '__next__'):
                return [call.number, extra('iterators').Iteration(self, call, value).channel, None, 'items']
        return [call.number, value]

    def finish(self, call, reply):
        """Frees what the call held, and replies. In this order: whoever has the reply may ask for what the call held."""
        self.running.pop(call.number, None)
        parts = parts_of(reply)
        call.free()
        try:
            drain_python(worker.output)  # what was printed until now goes ahead of the reply
            call.is_over = True
            try:
                self.requests.send_parts(parts)
            except DumpError as e:  # it is longer than any item may be
                failure = extra('failures').fitting(reply[2], 0) if len(reply) == 3 else unsendable(e)
                self.requests.send_parts(dump_parts([reply[0], None, failure], channel.channel_id))
        except IOError:  # the gateway is gone, and with it whoever wanted to know
            pass
        finally:
            worker.executing.pop(call, None)
        if worker.leaving:
            worker.tasks.put(None)

    def forget(self, call):
        """It has been taken back. It is read all the same, for the references in it."""
        del self.running[call.number], worker.executing[call]
        self.ahead.discard(call.number)
        try:
            read(call.entry)
        except Exception:  # nobody wants to know what is wrong with it
            pass
        if '_tendril.references' in worker.sources:
            extra('references').salvage(call.entry, extra('refusing').taken_back, True)
        call.is_over = True
        call.free()
        self.requests.give_back(call.entry[1])

    def outcome(self, call):
        entry, call.entry = call.entry, None
        try:
            if call.tells_begin:
                self.tell(['begun', call.number, False])
            request = read(entry)
        except BaseException:
            if '_tendril.references' in worker.sources:
                extra('references').salvage(entry, worker.describe_failure)
            raise
        finally:
            if entry[1] - self.requests.returned >= worker.window // 4:
                self.requests.give_back(entry[1])
        return operations[request[0]](call, *request[1:])


def parts_of(reply):
    """The payload of a reply, in parts."""
    if type(reply[1]) in SCALARS and len(reply) == 2 and type(reply[1]) is not bytes:
        return [pickle.dumps(reply, PROTOCOL)]
    try:
        return dump_parts(reply, channel.channel_id)
    except DumpError as e:
        return dump_parts([reply[0], None, unsendable(e)], channel.channel_id)
    except BaseException:  # by code of the user's, which was asked what the value is: SystemExit and the like
        return dump_parts([reply[0], None, worker.describe_failure()], channel.channel_id)


def unsendable(error, place='[1]', name='result'):
    """The failure for what a call gave that cannot be sent; `place` is where that is in the item that was to be sent."""
    payload_of = extra('failures').payload_of
    found = getattr(error, 'path', '')
    path = name + found[len(place):]
    text = str(error).replace('item' + found, path, 1)
    return {'type': 'DumpError', 'module': '_tendril', 'message': text, 'args': (payload_of(text), payload_of(path)), 'traceback': text, 'frames': [], 'cause': None}


def aside(own, module, function, *args):
    """Has a function of a module of ours called in a thread of its own, whatever the others do; it speaks on a channel of its own."""
    def run():
        failure = None
        try:
            getattr(extra(module), function)(own, *args)
        except BaseException:
            failure = worker.describe_failure()
        own.finish(failure)

    try:
        worker.start_thread(run)
    except Exception:  # the system has no more
        extra('threads').refuse(own)


def waits(question):
    """Says which calls, and tasks, wait behind the one that asks, which may be in vain."""
    waiter, lane = session.questions.get(question), session.lane
    asker = getattr(waiter, 'asker', None)
    while isinstance(asker, Call) and asker.outer is not None:
        asker = asker.outer
    is_holder = getattr(waiter, 'thread', None) == worker.main if lane.is_all_main else isinstance(asker, Call) and asker is lane.holder()
    numbers = [number_of(turn) for turn in lane.waiting() if number_of(turn) in session.waiting or number_of(turn) < 0] if is_holder else []
    session.tell(['waits', question, number_of(asker), numbers[:100]])


def number_of(turn):
    """That of a call; of a task, its channel's below 0; 0 of anything else."""
    return turn.number if isinstance(turn, Call) else -turn.id if isinstance(turn, channel.Channel) else 0


commands['aside'] = aside
worker.users.add(Session.outcome.__code__)
commands['waits'] = waits
commands['ping'] = lambda: session.tell(['pong'])
commands['forget'] = lambda number: worker.sources.pop('_tendril.templates.%d' % number, None)
commands['awake'] = lambda: None  # the answer to `wake`: that it comes is enough


def install(requests, control, answers, threads):
    """Turns the worker into one that performs requests beside its tasks."""
    global session
    if not PY2:
        extra('reading').install()
    session = Session(requests, control, answers, threads)
