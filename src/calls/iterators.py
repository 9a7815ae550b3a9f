"""`_tendril.iterators`: iterators whose items the controller asks for (PROTOCOL.md section 12; twin: remote-iterator.ts).

Nothing of one runs until the controller asks. Then it has turns like requests have, in the thread that performs those, and what it
gives is gathered into lists, each an item of a channel: as far as the channel's window goes, and the next turn comes with its credit.
So one that nobody iterates, or that is no longer iterated, has no thread and waits for nothing.
"""
import time
import traceback
from collections import deque

from _tendril import PY2, DumpError, Mailbox, _thread, worker
from _tendril.session import Call, unsendable

GATHER = 0.002   # seconds until what has been gathered is sent, by the iterator's own thread between two items
LOOK = 8         # items between two looks at the clock
HELD = 0.003     # by another one, when the next item is long in coming
MAX_WEIGHT = 4096  # gathered at most: an item counts one, and one more for each member, or 32 bytes of text
SHIFTS = dict([(kind, 0) for kind in (list, tuple, dict, set, frozenset)] + [(kind, 5) for kind in (bytes, type(u''), bytearray)])
NEXT = 'next' if PY2 else '__next__'


class Bell(Mailbox):
    """Stands in for the mailboxes of a channel: whatever arrives rings."""

    def __init__(self, ring):
        Mailbox.__init__(self)
        self.put = ring


class Items(object):
    """What an iterator gives, on its way to the controller: a channel of lists."""

    def __init__(self, session, iterator):
        self.session, self.iterator = session, iterator
        self.gathered, self.begun, self.sent = deque(), 0, 0
        self.sending = _thread.allocate_lock()
        self.is_done, self.failure = False, None  # the iterator has come to its end
        self.is_over = False                      # and so has the channel
        self.channel = worker.newchannel()
        self.channel._items = self.channel._credits = Bell(self.ring)

    def has_room(self):
        return self.channel._sent - self.channel._given_back < worker.window

    def flush(self):
        """Sends what has been gathered, if the window has room."""
        with self.sending:
            if not self.gathered or not self.has_room():
                return
            items = [self.gathered.popleft() for _ in range(len(self.gathered))]
            try:
                self.session.drain()
                self.send(items)
            except IOError:  # the controller has closed the channel, or is gone
                pass

    def send(self, items):
        try:
            self.channel.send(items)
            self.sent += len(items)
        except DumpError as e:
            if len(items) > 1:
                for item in items:
                    if not self.is_over:
                        self.send([item])
            else:
                self.end(unsendable(e, '[0]', 'result[%d]' % self.sent))

    def fail(self):
        """The iterator raised what is being handled."""
        self.is_done, self.failure = True, worker.describe_failure()

    def end(self, failure):
        self.is_done = self.is_over = True
        self.iterator = None
        self.channel._close(failure)


class Iteration(Items):
    """One over an iterator."""

    def __init__(self, session, iterator):
        if not hasattr(iterator, '__iter__'):
            iterator = iter(getattr(iterator, NEXT), object())
        Items.__init__(self, session, iterator)
        self.turns, self.is_due, self.is_wanted = _thread.allocate_lock(), False, False
        self.most = 1

    def ring(self, _):
        """By whoever reads: the controller asks for items, has taken some, or has closed the channel."""
        with self.turns:
            self.is_wanted = True
            if self.is_due or self.is_over:
                return
            self.is_due = True
        self.session.scheduler.take((self.turn, None))

    def turn(self):
        self.is_wanted = False
        task = Call(None)
        worker.executing[task] = self
        flusher.watch(self)
        try:
            goes_on = self.produce()
        finally:
            flusher.forget(self)
            del worker.executing[task]
            if worker.leaving:
                worker.tasks.put(None)
        with self.turns:
            self.is_due = (goes_on or self.is_wanted) and not self.is_over
        if self.is_due and self.channel._closed:
            self.turn()
        elif self.is_due:
            self.session.scheduler.again((self.turn, None))

    def produce(self):
        """Until the window is full, somebody waits for this thread (True), or nothing is left to do."""
        self.flush()
        while not self.channel._closed:
            if self.is_done and not self.gathered:
                return self.end(self.failure)
            if not self.has_room():
                return False
            self.gather()
            self.flush()
            if self.session.scheduler.is_awaited():
                return True
        self.close()

    def gather(self):
        gathered, weight, most, look = self.gathered, 0, self.most, 1
        self.begun = begun = now = time.time()
        try:
            for item in self.iterator:
                gathered.append(item)
                shift = SHIFTS.get(type(item))
                weight += 1 if shift is None else 1 + (len(item) >> shift)
                if weight >= look:
                    now = time.time()
                    if weight >= most or now - begun > GATHER:
                        break
                    look = weight + LOOK
            else:
                self.is_done = True
        except BaseException:
            self.fail()
        # Grows while items are small and come fast, so that the first are not waited for and long ones are not hoarded.
        self.most = min(weight * 8, MAX_WEIGHT) if now - begun < GATHER else 1

    def close(self):
        """The controller wants no more. A generator is closed; anything else may be somebody's who goes on with it."""
        self.is_over = True
        try:
            if hasattr(self.iterator, 'throw'):
                self.iterator.close()
        except BaseException:
            traceback.print_exc()
        self.iterator = None


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
            self.is_asleep = False
            try:
                self.asleep.release()
            except _thread.error:  # another one was as fast
                pass

    def run(self):
        while True:
            self.asleep.acquire()
            while self.watched:
                time.sleep(HELD)
                for iteration in list(self.watched):
                    if iteration.gathered and time.time() - iteration.begun > HELD:
                        iteration.flush()
            self.is_asleep = True
            if self.watched:
                self.wake()


flusher = Flusher()
