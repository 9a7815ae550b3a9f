"""`_tendril.iterators`: iterators whose items the controller asks for (PROTOCOL.md section 12; twin: remote-iterator.ts).

Nothing of one runs until the controller asks: for one item, and for more when nothing else was asked of the gateway meanwhile. What it
gives is gathered into lists, each an item of a channel. One that nobody iterates, or that is no longer iterated, has no thread and waits
for nothing.
"""
from _tendril import PROTOCOL, PY2, READ_BYTES, SCALARS, _thread, pickle, time, worker
from _tendril.failures import print_current
from _tendril.items import Items
from _tendril.originals import own
from _tendril.refusing import refusals, reply
from _tendril.scheduling import Turn, put_for_main
from _tendril.session import LATER, Call, operations
from _tendril.threads import refuse

islice = own('itertools').islice
GATHER = 0.002   # seconds until what has been gathered is sent, by the iterator's own thread between two items
RUN = 64         # items at most between two looks at the clock, and at what they weigh
FAST = 0.0002    # seconds for a run of items behind which a longer one may follow
HELD = 0.003     # by another one, when the next item is long in coming
MAX_WEIGHT = 4096  # gathered at most: an item counts one, and one more for each member, or 32 bytes of text
SHIFTS = dict([(kind, 0) for kind in (list, tuple, dict, set, frozenset)] + [(kind, 5) for kind in (bytes, type(u''), bytearray)])
NEXT = 'next' if PY2 else '__next__'


iterations = {}  # by the number of the request that they came of


def weight_of(items):
    kinds = set(map(type, items))
    if kinds.isdisjoint(SHIFTS):
        return len(items)
    if len(kinds) == 1:
        return len(items) + (sum(map(len, items)) >> SHIFTS[kinds.pop()])
    return len(items) + sum(len(item) >> SHIFTS[type(item)] for item in items if type(item) in SHIFTS)


class Iteration(Items):
    """One over an iterator. The controller asks for so many items, a step, by a request in the order of all; the steps are one after the other.

    A step that finds the window full leaves its thread to others, and goes on, in its turn, when the controller has taken some.
    """

    def __init__(self, session, call, iterator):
        if not hasattr(iterator, '__iter__'):
            iterator = iter(getattr(iterator, NEXT), object())
        Items.__init__(self, session, iterator)
        self.number, self.lane = call.number, call.lane or session.lane
        self.mutex, self.is_due, self.is_active = _thread.allocate_lock(), False, False
        self.step, self.left, self.most, self.run = None, 0, 1, 1  # the request that was made last, what it still wants, how much is sent and made at once
        self.weight = 0  # of what was gathered last
        self.last = None  # items that the step comes to
        iterations[self.number] = self

    def ring(self, _):
        """By whoever reads: the controller has taken some items, or has closed the channel."""
        with self.mutex:
            if self.is_due or self.is_active or self.is_over or self.step is None and not self.channel.is_closed:
                return
            self.is_due, step = True, self.step
        turn = Turn(self.lane, self.go_on, self.refuse)
        question = step and self.session.questions.get(step.question)
        if not (question and question.take(turn)):
            self.lane.take(turn)

    def begin(self, call, count):
        with self.mutex:
            self.step, self.left = call, count
            if self.is_active or self.is_due:
                return LATER  # the turn that it has will see to it
            self.is_active = True
        try:
            return self.advance()
        except BaseException:  # there is no memory, or no stack, for code of ours
            self.step, self.is_active = None, False
            raise

    def advance(self):
        """Has this thread do what there is to do now. Gives what the step comes to."""
        is_done = self.produce()
        with self.mutex:
            self.is_active = False
            step, last = self.step, self.last
            if is_done:
                self.step = self.last = None
        if self.channel.is_closed or not is_done and self.has_room():
            self.ring(None)  # it rang meanwhile
        if is_done:
            return last
        step.thread, step.cancel = None, lambda: None
        return LATER

    def go_on(self):
        """A turn of its own."""
        with self.mutex:
            self.is_due, self.is_active = False, True
            step = self.step
        task, performing, thread = Call(), self.session.performing, _thread.get_ident()
        worker.executing[task] = task
        outer = performing.get(thread)
        if step is not None:
            performing[thread] = step
        try:
            outcome = self.advance()
            reply = None if outcome is LATER else [outcome]
        except BaseException:
            self.step, self.is_active = None, False
            reply = [None, worker.describe_failure()]
        finally:
            del worker.executing[task]
            performing.pop(thread, None)
            if outer is not None:
                performing[thread] = outer
        if reply and step is not None:
            self.session.finish(step, [step.number] + reply)
        if worker.leaving:
            worker.tasks.put(None)

    def refuse(self):
        """There is no thread for it: it fails. A generator is closed where code of the user's may run."""
        with self.mutex:
            self.is_due, self.is_done, self.is_over = False, True, True
            step, self.step = self.step, None
        refuse(self.channel)
        iterations.pop(self.number, None)
        if step is not None and self.session.running.pop(step.number, None) is not None:
            worker.executing.pop(step, None)
            reply(self.session, [step.number, None])
        put_for_main(Turn(self.lane, self.close, None))

    def produce(self):
        """Until there are as many items as were asked for, the window is full (False), or others have waited long enough."""
        try:
            if self.left > 1:
                flusher.watch(self)
            return self.give()
        finally:
            if self in flusher.watched:
                flusher.forget(self)

    def give(self):
        end = time.time() + GATHER
        if self.gathered:
            self.flush()
        while not self.channel.is_closed:
            if self.is_done and not self.is_pending():
                return self.end(self.failure) or True
            if not self.has_room():
                return False
            if self.left <= 0 and not self.is_pending():
                return True
            self.gather()
            if not self.left and self.weight < MAX_WEIGHT and not self.is_done and self.keep_last():
                return True
            self.flush()
            if self.lane.is_awaited() and time.time() > end and not self.is_pending() and not self.is_done:
                return True
        if not self.is_over:
            self.close()
        return True

    def keep_last(self):
        """Leaves to the reply what is left to send, if that cannot fail: it need not be a message of its own."""
        with self.sending:
            items = self.gathered[self.flushed:]
            if SCALARS.issuperset(map(type, items)) and len(pickle.dumps(items, PROTOCOL)) < min(READ_BYTES, worker.max_item // 2):
                self.gathered, self.flushed, self.last = [], 0, items
                self.sent += len(items)
                return True

    def gather(self):
        self.begun = time.time()
        try:
            if self.left > 0 and not self.is_done:
                self.pull()
        except BaseException:
            self.fail()

    def pull(self):
        gathered, weight, most, left, run, begun = self.gathered, 0, self.most, self.left, self.run, self.begun
        then = begun
        while True:
            # In one call into C, which has appended each before it asks for the next.
            at, count = len(gathered), min(run, left, most - weight)
            gathered.extend(islice(self.iterator, count))
            now, items = time.time(), gathered[at:]
            left -= len(items)
            weight += weight_of(items)
            run = min(run * 2, RUN) if now - then < FAST and weight < most else 1
            if len(items) < count:
                self.is_done = True
                break
            if weight >= most or now - begun > GATHER or not left:
                break
            then = now
        self.left, self.run, self.weight = left, run, weight
        # Grows while items are small and come fast, so that the first are not waited for and long ones are not hoarded.
        self.most = min(max(weight, 1) * 8, MAX_WEIGHT) if now - begun < GATHER else 1

    def close(self):
        """The controller wants no more. A generator is closed; anything else may be somebody's who goes on with it."""
        self.is_over = True
        iterations.pop(self.number, None)
        try:
            if hasattr(self.iterator, 'throw'):
                self.close_iterator()
                self.closed()
        except BaseException:
            print_current()
        self.iterator = None

    def close_iterator(self):
        self.iterator.close()

    def end(self, failure):
        iterations.pop(self.number, None)
        Items.end(self, failure)


def step(call, number, count):
    """Of the iterator that a request came to, so many items more. Comes to the last of them, or to None when all were sent."""
    iteration = iterations.get(number)
    return None if iteration is None else iteration.begin(call, count)


def refuse_step(session, call, failure, number, count):
    iteration = iterations.get(number)
    if iteration is not None:
        iteration.refuse()


worker.users.update([Iteration.pull.__code__, Iteration.close_iterator.__code__])
worker.barred = step.__code__  # what a handler of signals raises goes no further out than to the two


class Flusher(object):
    """Sends what iterators have given while their next item is long in coming: a thread, which sleeps while none has its turn."""

    def __init__(self):
        self.watched, self.asleep = {}, _thread.allocate_lock()
        self.asleep.acquire()
        self.is_asleep = True
        worker.start_thread(self.run)

    def watch(self, iteration):
        self.watched[iteration] = None
        self.wake()

    def forget(self, iteration):
        del self.watched[iteration]

    def wake(self):
        if self.is_asleep:
            try:
                self.asleep.release()
            except _thread.error:  # another one was as fast
                pass

    def run(self):
        while True:
            self.asleep.acquire()
            self.is_asleep = False
            while self.watched:
                time.sleep(HELD)
                for iteration in list(self.watched):
                    if iteration.is_pending() and time.time() - iteration.begun > HELD:
                        iteration.flush_amid()
            self.is_asleep = True
            if self.watched:
                self.wake()


flusher = Flusher()
operations['iterators.step'], refusals['iterators.step'] = step, refuse_step
