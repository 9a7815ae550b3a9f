"""`_tendril.session`: what the controller calls here (PROTOCOL.md section 12; twin: session.ts beside it).

Requests come on one channel and are begun in their order; what must not wait behind them comes on another, and is acted on by
whoever reads. A request is a list: an operation and its arguments. Its number is its place among the requests.
"""
import select
import sys
import time

from _tendril import DATA, ITEM_OVERHEAD, NAMES, PLAIN, PROTOCOL, PY2, SCALARS, BytesIO, DumpError, Mailbox, Unpickler, _thread, channel, dumps, loads
from _tendril import pickle, worker
from _tendril.scheduling import Scheduler


class Operations(dict):
    def __missing__(self, name):
        __import__('_tendril.' + name.partition('.')[0])  # it says what it can do
        if name not in self:
            raise KeyError(name)
        return self[name]


operations = Operations()  # by name: function(call, *arguments), called in the thread that performs the request
commands = {}    # by name: function(*arguments), called by whoever reads: it must not wait
session = None


class Reader(object if PY2 else Unpickler):
    """What `loads` is, for what is short and comes often: a class costs less than a hook."""

    def find_class(self, module, name):
        if module == '_tendril' and name != 'Channel':
            raise KeyError(name)  # what counts how often it is read is not read in vain
        return channel.channel_with if module == '_tendril' else NAMES[module, name]


def read(entry):
    """The value of an entry of a mailbox."""
    payload = entry[0]
    if payload is None:
        return entry[2]
    if PY2 or len(payload) > 256 or type(payload) is list:
        return loads(payload, channel.channel_with)
    try:
        # What refers to nothing needs no guard: whoever calls may have anything called.
        return Reader(BytesIO(payload)).load() if b'_tendril' in payload else pickle.loads(payload)
    except Exception:
        return loads(payload, channel.channel_with)


class Inbox(Mailbox):
    """Stands in for the mailbox of a channel: whoever reads hands what arrives to `take` at once."""

    def __init__(self, take):
        Mailbox.__init__(self)
        self.take, self.lock, self.has_come = take, _thread.allocate_lock(), False

    def put(self, entry):
        self.has_come = True
        if entry is not channel.ENDED:
            with self.lock:
                self.take(entry)


class Call(int):
    """A request that is being performed. Among the worker's tasks it stands where channels do, as channel 0: what it prints has none."""

    def __new__(cls, number):
        call = int.__new__(cls)
        call.number = number
        call.thread = _thread.get_ident()  # None while it is awaited
        return call

    cancel = None        # while it is awaited, a function that cancels it
    interrupted = False  # somebody has asked to end it before its time (`_tendril.interrupting`)
    channel = None       # that ends with it

    def __eq__(self, other):
        return self is other

    __hash__ = object.__hash__


class Session(object):
    """The calls of one gateway. `waiting` has the numbers of requests that have come, `running` the calls of those that were begun."""

    def __init__(self, requests, control, answers):
        self.requests, self.control, self.answers = requests, control, answers
        control._sent = float('inf')  # what is told has no window, and comes from any thread
        self.arrived, self.waiting, self.running = 0, set(), {}
        self.ahead = set()  # numbers of requests that were taken back before they came
        self.scheduler = Scheduler(self.perform)
        self.printed = None
        if hasattr(select, 'poll'):
            poll = select.poll()
            for stream in worker.output.streams:
                poll.register(stream, select.POLLIN)
            self.printed = poll.poll

    def open(self):
        divert(self.requests, Inbox(self.take_request))
        divert(self.control, Inbox(self.take_command))

    # What arrives.

    def take_request(self, entry):
        self.arrived += 1
        if self.arrived not in self.ahead:
            self.waiting.add(self.arrived)
        self.scheduler.take((entry, self.arrived))

    def take_command(self, entry):
        command = read(entry)
        self.control._return(entry[1])
        commands[command[0]](*command[1:])

    def tell(self, item):
        """Says something on the control channel; from any thread, and without waiting."""
        payload = dumps(item, channel.channel_id)
        worker.post(DATA, self.control.id, payload)

    # What is performed.

    def perform(self, entry, number):
        if number is None:  # a turn of an iterator (`_tendril.iterators`)
            return entry()
        call = self.running[number] = Call(number)
        worker.executing[call] = call
        try:
            self.waiting.remove(number)
        except KeyError:
            return self.forget(call, entry)
        reply = None
        try:
            try:
                value = self.outcome(call, entry)
                reply = [number, value] if type(value) in PLAIN else self.reply_with(call, value)
            except BaseException:
                reply = [number, None, worker.describe_failure()]
            if reply is not None:
                del self.running[number]
            if call.interrupted:
                self.settle(call)
        except KeyboardInterrupt:  # it was meant for this call, and has come late
            reply = self.settle_late(call, reply)
        if call.channel is not None:
            reply = self.close(call, reply)
        if call.thread == worker.main:
            self.scheduler.is_main_stuck = False
        if reply is not None:
            self.finish(call, reply)

    def reply_with(self, call, value):
        """The reply for a value that may be one that goes on; None when it comes later."""
        kind = type(value)
        if not isinstance(value, channel.Channel):
            if hasattr(kind, '__await__'):
                from _tendril.coroutines import wait_for
                return wait_for(self, call, value)
            if hasattr(kind, '__anext__'):
                from _tendril.coroutines import AsyncIteration
                return [call.number, AsyncIteration(self, value).channel, None, 'items']
            if hasattr(kind, 'next' if PY2 else '__next__'):
                from _tendril.iterators import Iteration
                return [call.number, Iteration(self, value).channel, None, 'items']
        return [call.number, value]

    def finish(self, call, reply):
        self.running.pop(call.number, None)
        worker.executing.pop(call, None)
        self.reply(reply)
        if worker.leaving:
            worker.tasks.put(None)

    def forget(self, call, entry):
        """It has been taken back. It is read all the same, for the references in it."""
        del self.running[call.number], worker.executing[call]
        self.ahead.discard(call.number)
        try:
            read(entry)
        except Exception:  # nobody wants to know what is wrong with it
            pass
        self.requests._return(entry[1])

    def outcome(self, call, entry):
        try:
            request = read(entry)
        except Exception:
            if '_tendril.references' in worker.sources:
                from _tendril import references
                references.salvage(entry[0])
            raise
        if entry[1] - self.requests._returned >= worker.window // 4:
            self.requests._return(entry[1])
        return operations[request[0]](call, *request[1:])

    def reply(self, reply):
        try:
            self.drain()
            if type(reply[1]) in SCALARS and len(reply) == 2 and type(reply[1]) is not bytes:
                return self.send(pickle.dumps(reply, PROTOCOL))
            try:
                self.requests.send(reply)
            except DumpError as e:
                self.requests.send([reply[0], None, unsendable(e)])
        except IOError:  # the gateway is gone, and with it whoever wanted to know
            pass

    def send(self, payload):
        """What `channel.send` does with the payload of a short item."""
        requests = self.requests
        if requests._sent - requests._given_back >= worker.window:
            return requests.send(loads(payload))
        with requests._sending:
            requests._sent += len(payload) + ITEM_OVERHEAD
            worker.write_frame(DATA, 0, requests.id, payload, requests)

    def drain(self):
        """What was printed until now goes ahead of the reply."""
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except Exception:  # there may be none, and user code may have put anything in its place
            pass
        try:
            is_silent = self.printed is not None and not self.printed(0)
        except RuntimeError:  # another thread is asking
            is_silent = False
        if not is_silent:
            worker.output.drain()


def unsendable(error, place='[1]', name='result'):
    """The failure for what a call gave that cannot be sent; `place` is where that is in the item that was to be sent."""
    found = getattr(error, 'path', '')
    path = name + found[len(place):]
    text = str(error).replace('item' + found, path, 1)
    return {'type': 'DumpError', 'module': '_tendril', 'message': text, 'args': (text, path), 'traceback': text, 'frames': [], 'cause': None}


def aside(own, module, function, *args):
    """Has a function of a module of ours called in a thread of its own, whatever the others do; it speaks on a channel of its own."""
    def run():
        failure = None
        try:
            __import__('_tendril.' + module)
            getattr(sys.modules['_tendril.' + module], function)(own, *args)
        except BaseException:
            failure = worker.describe_failure()
        own._close(failure)

    worker.start_thread(run)


commands['aside'] = aside


def divert(source, inbox):
    """Has an inbox take what arrives on a channel, after what has arrived already."""
    with inbox.lock:
        mailbox, source._items = source._items, inbox
        while not inbox.has_come and source._arrived != (mailbox.items[-1][1] if mailbox.items else 0):
            time.sleep(0)  # whoever reads is about to put an item where it would have gone before
        while mailbox.items:
            inbox.take(mailbox.items.popleft())


def install(requests, control, answers):
    """Turns the worker into one that performs requests beside its tasks."""
    global session
    if not PY2:
        from _tendril import reading
        reading.install()

    class CallingWorker(worker.__class__):
        def run(self, channel, payload):
            if channel is session.scheduler:
                channel.run(payload)
            else:
                super(CallingWorker, self).run(channel, payload)

    worker.__class__ = CallingWorker
    session = Session(requests, control, answers)
