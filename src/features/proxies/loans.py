"""`_tendril.loans`: objects on their way in the arguments of a task, which may be read long after they were let go (PROTOCOL.md section 12)."""
from _tendril import NAMES, channel, session
from _tendril.references import Failure, Unfulfilled, put, table, wait_for
from _tendril.refusing import refusals
from _tendril.scheduling import put_for_main
from _tendril.session import operations
from _tendril.skeleton import reader_of

lent = {}  # by the number of the loan: the object, or the Failure that it came to
unwanted = set()  # loans to tasks that will not run, while they are on their way


def take(number):
    if number not in lent:
        wait_for(lent, number)
    value = lent.pop(number)
    if type(value) is Failure:
        value.was_told = True
        raise Unfulfilled(value)
    return value


def lend(call, loan, number):
    if not is_unwanted(loan):
        put(lent, loan, table[number] if number in table else wait_for(table, number))


def refuse(session, call, failure, loan, number):
    """There is no thread for it: the task that needs the object may be waiting."""
    if not is_unwanted(loan):
        put(lent, loan, table[number] if number in table else Failure(failure))


def is_unwanted(loan):
    if loan not in unwanted:
        return False
    unwanted.discard(loan)
    return True


# Tasks that will not run.

class Returned(object):
    """What was lent: its finalizer is the user's, and the main thread's."""

    def __init__(self, value):
        self.value = value

    def begin(self):
        self.value = None


def give_back(payload):
    """A task with this payload will not run: what it was lent, and functions in it, are let go. By whoever reads: nothing waits."""
    names = {'Lent': give_back_one, 'Channel': channel.channel_with}
    if session.session is not None:
        names['Callback'] = lambda number: session.session.tell(['dropped', number, 1])
    try:
        reader_of(payload, names).load()
    except Exception:  # it could not be held
        pass


def give_back_one(loan):
    if loan in lent:
        put_for_main(Returned(lent.pop(loan)))
    else:
        unwanted.add(loan)


NAMES['_tendril', 'Lent'] = take
operations['references.lend'], refusals['references.lend'] = lend, refuse
