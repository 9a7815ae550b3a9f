"""`_tendril.references`: objects that the controller holds (PROTOCOL.md section 12; twin: references.ts beside it).

The controller chooses their numbers, so that what it asks of an object may leave before the object is there. Whoever needs one
that is being made waits for it.
"""
import operator
import sys
import types

from _tendril import NAMES, PY2, BytesIO, LoadError, Mailbox, Unpickler, _thread, session, worker
from _tendril.session import operations
from _tendril.targets import import_and_walk

table = {}       # by number: the object, or the Failure that it came to
performing = {}  # by thread: the numbers that it is making, a range for each request that it performs
waiters = {}     # by number: mailboxes of threads that wait for it
lent = {}        # objects on their way in an item of a channel or a task, which may be read long after they were let go
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


def take_lent(number):
    if number not in lent:
        wait_for(lent, number)
    value = lent.pop(number)
    if type(value) is Failure:
        value.was_told = True
        raise Unfulfilled(value)
    return value


NAMES.update({('_tendril', 'Ref'): take, ('_tendril', 'Step'): Step, ('_tendril', 'Lent'): take_lent})


def stats(call):
    """What is held here: objects for the controller, functions of the controller, calls of it that wait."""
    way_back = sys.modules.get('_tendril.controller')
    callbacks, waiting = (len(way_back.callbacks), len(way_back.waiting)) if way_back else (0, 0)
    return [len(table), callbacks, waiting, len(session.session.running) - 1]


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
    outer = performing.get(thread, ())
    performing[thread] = outer + ((first, first + kept),)
    number, end = first, first + kept
    try:
        value = import_and_walk(start.split('.')) if isinstance(start, TEXT) else None if start is None else get(start)
        for at in range(0, len(steps), 2):
            what, operands = steps[at], steps[at + 1]
            if isinstance(what, TEXT):
                for name in what.split('.') if what else ():
                    value = getattr(value, name)
                value = value(*operands)
            else:
                for name in what[1:]:
                    value = getattr(value, name) if isinstance(name, TEXT) else value[name]
                value = operations[what[0]](call, *operands) if start is None and not at else functions[what[0]](value, *operands)
            if type(value) is COROUTINE:
                value = awaited(value)
            if number < end:
                table[number] = value
                if waiters:
                    wake(table, number)
                number += 1
        return value if wants == 2 else None
    except Unfulfilled as e:
        failure = e.failure
    except BaseException:
        failure = Failure(worker.describe_failure())
    finally:
        if outer:
            performing[thread] = outer
        else:
            del performing[thread]
    for number in range(number, end):  # what depends on what could not be made is not made either
        put(table, number, failure)
    if wants:
        failure.was_told = True
        raise Unfulfilled(failure)
    if kept * 2 < len(steps):  # nobody will ask
        complain(failure)


def awaited(coroutine):
    import asyncio
    from _tendril.coroutines import loop
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


def salvage(payload):
    """A request could not be read, of the exception that is being handled: if it is a chain, nothing of that will come to be."""
    request = reader_of(payload).load()
    if request[0] == 'references.chain':
        wants, first, kept = request[1:4]
        failure = Failure(worker.describe_failure())
        failure.was_told = wants > 0
        for number in range(first, first + kept):
            put(table, number, failure)


def reader_of(payload):
    """Reads a payload without making what it names."""
    reader = Skeleton(BytesIO(b''.join(payload) if type(payload) is list else bytes(payload)))
    if PY2:
        reader.find_global, reader.persistent_load = (lambda module, name: nothing), nothing
    return reader


class Py3Skeleton(object if PY2 else Unpickler):
    def find_class(self, module, name):
        return nothing

    def persistent_load(self, pid):
        return nothing()


Skeleton = Unpickler if PY2 else Py3Skeleton


def nothing(*args):
    return Nothing()


class Nothing(list):
    """Takes members of any kind."""

    def __setitem__(self, key, value):
        pass


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


def complain(failure):
    failure.was_told = True
    sys.stderr.write('tendril: a failure was never retrieved:\n%s\n' % failure.description['traceback'].rstrip())


def lend(call, loan, number):
    put(lent, loan, table[number] if number in table else wait_for(table, number))


# What can be asked of an object, by its name: what is in the module `operator`, and these.

def enter(manager):
    return type(manager).__enter__(manager)


def leave(manager, message):
    """`__exit__`, after a failure on the other side when there is a message; true when it is to be forgotten."""
    if message is None:
        return type(manager).__exit__(manager, None, None, None)
    from _tendril.controller import ControllerError
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

operations.update({
    'references.chain': chain, 'references.release': release, 'references.lend': lend, 'references.stats': stats,
})
