"""`_tendril.references`: objects that the controller holds (PROTOCOL.md section 12; twin: references.ts beside it).

The controller chooses their numbers, so that what it asks of an object may leave before the object is there. Whoever needs one
that is being made waits for it.
"""
from _tendril import NAMES, LoadError, Mailbox, _thread, extra, extras, session, sys, worker
from _tendril.failures import is_news, say
from _tendril.originals import own
from _tendril.refusing import refusals
from _tendril.scheduling import put_for_main
from _tendril.session import operations
from _tendril.targets import import_and_walk

operator, types = own('operator'), own('types')
table = {}       # by number: the object, or the Failure that it came to
performing = {}  # by thread: the numbers that it is making, a range for each request that it performs
waiters = {}     # by number: mailboxes of threads that wait for it
mutex = _thread.allocate_lock()
MISSING = object()
TEXT, COROUTINE = (str, type(u'')), getattr(types, 'CoroutineType', None)


class Failure(object):
    """What stands in the table for an object that could not be made."""

    def __init__(self, description):
        self.description, self.was_told = description, False


class Unfulfilled(LoadError):
    """What was asked of an object that could not be made: the caller is told why it was not. `description` is sent as it is."""

    def __init__(self, failure):
        LoadError.__init__(self, failure.description['message'])
        self.description = failure.description
        self.failure = failure


class Step(object):
    """In the operands of a step: the result of an earlier one of the same request."""

    loaded_by = set()  # threads that have just read one

    def __init__(self, number):
        self.number = number
        self.loaded_by.add(_thread.get_ident())


def get(number):
    value = table.get(number, MISSING)
    if value is MISSING:
        value = wait_for(table, number)
    if type(value) is Failure:
        raise Unfulfilled(value)
    return value


def put(where, number, value):
    where[number] = value
    if waiters:
        wake(where, number)


def wake(where, number):
    with mutex:
        for mailbox in waiters.pop((id(where), number), ()):
            mailbox.put(None)


def wait_for(where, number):
    if where is table and any(first <= number < end for first, end in performing.get(_thread.get_ident(), ())):
        raise LoadError('deadlock: this is needed for the very object that it waits for')
    mailbox = Mailbox()
    mailbox.by_frames = False
    with mutex:
        if number in where:
            return where[number]
        waiters.setdefault((id(where), number), []).append(mailbox)
    worker.wait(mailbox)
    return where[number]


def take(number):
    """As `get`, for an argument: whoever made the call is told."""
    try:
        return get(number)
    except Unfulfilled as e:
        e.failure.was_told = True
        raise


NAMES.update({('_tendril', 'Ref'): take, ('_tendril', 'Step'): Step})


def stats(channel):
    """What is held here: objects for the controller, functions of the controller, calls of it that wait."""
    way_back = extras.get('controller')
    callbacks, waiting = way_back.count_callbacks() if way_back else 0, len(session.session.questions)
    channel.send([len(table), callbacks, waiting, len(session.session.running)])


# Requests.

def chain(call, wants, first, kept, start, *steps):
    """Performs steps, each on the result of the one before it; the first at `start`: a number, the dotted name of something in a module, or None.

    A step is two members: what to do, and its operands. Text is the name of a method to call, or names of attributes on the way there, with dots
    between them; a list is an operation, then names of attributes and keys of items on the way; at None it is one of the session.
    So many results are kept: the first under the number `first`, and so on.
    `wants` is 2 when the last result is to be sent, 1 when only whether it came to be, 0 when nobody waits.
    """
    thread = call.thread
    if Step.loaded_by and thread in Step.loaded_by:
        Step.loaded_by.discard(thread)
        steps = LateOperands(steps)
    return Chain(call, wants, first, kept, steps, start is None).perform(0, lambda: value_at(start))


def value_at(start):
    return import_and_walk(start.split('.')) if isinstance(start, TEXT) else None if start is None else get(start)


class Chain(object):
    """Steps on their way. When the result of one is a coroutine, the event loop awaits it and does the rest."""

    def __init__(self, call, wants, first, kept, steps, begins_nowhere):
        self.call, self.wants, self.kept, self.steps, self.begins_nowhere = call, wants, kept, steps, begins_nowhere
        self.first, self.number, self.end = first, first, first + kept

    def perform(self, at, value_of):
        """Goes on at a step, from what `value_of` gives."""
        thread = _thread.get_ident()
        outer = performing.get(thread, ())
        performing[thread] = outer + ((self.first, self.end),)
        try:
            return self.run(at, value_of())
        except Unfulfilled as e:
            failure = e.failure
        except BaseException:
            failure = Failure(worker.describe_failure())
        finally:
            if outer:
                performing[thread] = outer
            else:
                del performing[thread]
        self.fail(failure)

    def run(self, at, value):
        steps, size = self.steps, len(self.steps)
        while at < size:
            what, operands = steps[at], steps[at + 1]
            if isinstance(what, TEXT):
                for name in what.split('.') if what else ():
                    value = getattr(value, name)
                value = value(*operands)
            else:
                for name in what[1:]:
                    value = getattr(value, name) if isinstance(name, TEXT) else value[name]
                is_of_session = self.begins_nowhere and not at
                value = operations[what[0]](self.call, *operands) if is_of_session else functions[what[0]](value, *operands)
            at += 2
            if type(value) is COROUTINE:
                return extra('coroutines').go_on(self, at, value)
            self.keep(value)
        return value if self.wants == 2 else None

    def keep(self, value):
        if self.number < self.end:
            table[self.number] = value
            if waiters:
                wake(table, self.number)
            self.number += 1

    def fail(self, failure):
        for number in range(self.number, self.end):  # what depends on what could not be made is not made either
            put(table, number, failure)
        if self.wants:
            failure.was_told = True
            raise Unfulfilled(failure)
        if self.kept * 2 < len(self.steps):  # nobody will ask
            complain(failure)


def salvage(entry, describe, is_known=False):
    """A request will not be performed: if it is a chain, nothing of that will come to be, and who waits for it learns what `describe` gives."""
    request = entry[2] if entry[0] is None else extra('skeleton').beginning_of(entry[0], 4)
    if request and request[0] == 'references.chain':
        give_up(is_known, describe(), *request[1:4])


def give_up(is_known, description, wants, first, kept):
    """Nothing of a chain will come to be."""
    failure = Failure(description)
    failure.was_told = wants > 0 or is_known
    for number in range(first, first + kept):
        put(table, number, failure)


class LateOperands(tuple):
    """Steps of which some need results of earlier ones."""

    def __getitem__(self, at):
        return with_results(tuple.__getitem__(self, at), set())


def with_results(value, seen):
    """Puts results in the place of Steps, wherever in plain containers they are."""
    kind = type(value)
    if kind is Step:
        return get(value.number)
    if kind in (list, dict) and id(value) not in seen:
        seen.add(id(value))
        for key, member in list(enumerate(value) if kind is list else value.items()):
            value[key] = with_results(member, seen)
    elif kind in (tuple, set, frozenset):
        return kind([with_results(member, seen) for member in value])
    return value


def release(call, numbers):
    """Lets go of objects. Their finalizers run here, in a thread that user code may run in."""
    for number in numbers:
        value = table.pop(number, None)
        if type(value) is Failure and not value.was_told:
            complain(value)


def complain_of_all(call=None):
    """The gateway ends, or the controller's program: nobody can ask any more."""
    for value in list(table.values()):
        if type(value) is Failure and not value.was_told:
            complain(value)


def complain(failure):
    failure.was_told = True
    if is_news(failure.description):
        say('tendril: a failure was never retrieved:\n%s\n' % failure.description['traceback'].rstrip())


# What can be asked of an object, by its name: what is in the module `operator`, and these.

def enter(manager):
    return type(manager).__enter__(manager)


def leave(manager, message):
    """`__exit__`, after a failure on the other side when there is a message; true when it is to be forgotten."""
    if message is None:
        return type(manager).__exit__(manager, None, None, None)
    ControllerError = extra('controller').ControllerError
    error = ControllerError(*message)
    return bool(type(manager).__exit__(manager, ControllerError, error, None))


def name_of_type(value):
    kind = type(value)
    return '%s.%s' % (kind.__module__, getattr(kind, '__qualname__', kind.__name__))


class Functions(dict):
    def __missing__(self, name):
        if name.startswith('_') or not hasattr(operator, name):
            raise AttributeError('Python %d.%d has no operator %r' % (sys.version_info[:2] + (str(name),)))
        return getattr(operator, name)


functions = Functions({
    'get': lambda value: value, 'call': lambda value, args, kwargs={}: value(*args, **kwargs), 'setattr': setattr, 'delattr': delattr, 'getattr': getattr, 'len': len, 'dir': dir, 'repr': repr,
    'str': str, 'iter': iter, 'type': name_of_type, 'enter': enter, 'leave': leave,
})


def refuse_chain(session, call, failure, wants, first, kept, *steps):
    give_up(False, failure, wants, first, kept)


def refuse_release(session, call, failure, numbers):
    """Finalizers may take long: it waits for the main thread, as nobody waits for it."""
    put_for_main(call)
    return True


refusals.update({'references.chain': refuse_chain, 'references.release': refuse_release})
operations.update({'references.chain': chain, 'references.release': release, 'references.complain': complain_of_all})
extra('loans')  # the rest of the operations
