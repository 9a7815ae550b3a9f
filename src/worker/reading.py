"""`_tendril.reading`: a thread that waits reads for itself.

Without this every round trip hops from the reading thread to the one that waits, and on a busy machine that hop is most of
it. Here whoever waits takes the input if nobody has it. The reading thread stands by: it takes the input back when nobody has
had it for STEP_ASIDE seconds, or when somebody sleeps who could be served; it steps aside when it has just served all who
slept.

User code may raise an exception in a thread that waits, between any two of our bytecodes (`_tendril.outgoing` says how). So such
a thread does with what it reads only what one call into C can do: it puts a short item of a channel where that belongs. All else
it leaves, unread or in `worker.chunks`, to the reading thread, in which no user code runs. The main thread does all when it is
between two tasks. While user code has handlers of signals, which may raise, the main thread does not read at all.
"""
from _tendril import DATA, HEADER, ITEM_OVERHEAD, READ_BYTES, Mailbox, Unlocked, Worker, _thread, extra, imp, is_inside, struct, wait_for, worker
from _tendril.originals import own

compress = own('itertools').compress
extra('strikes')  # before user code may import ctypes
STEP_ASIDE = 0.02
FIRST = (0,)
LOOK = 1.0  # seconds between two looks whether a thread that has the input is still there


def install():
    """Turns the worker into one that does so; threads change over at their next wait. The reading thread is reading now."""
    claim = object()
    if worker.__dict__.setdefault('self_reading', claim) is claim:
        worker.input = _thread.allocate_lock()    # held by whoever reads
        worker.input.acquire()
        worker.reader = None                      # the thread that has it, if it is not the reading thread
        worker.has_input = True                   # the reading thread, that is
        worker.standby = _thread.allocate_lock()  # released to wake the reading thread
        worker.standby.acquire()
        worker.stands_by = False                  # it sleeps until somebody wakes it
        worker.turns = 0
        worker.asleep = {}
        worker.__class__ = SelfReadingWorker


class SelfReadingWorker(Worker):
    def sleep(self, mailbox, timeout, is_unlocked=False):
        """Until something may be in the mailbox; False when the time is up."""
        ident = _thread.get_ident()
        is_idle = ident == self.main and not self.main_runs
        if not is_unlocked and imp.lock_held():
            unlocked = Unlocked()
            with unlocked:
                result = SelfReadingWorker.sleep(self, mailbox, timeout, True)  # not what stands in its place for a while (`_tendril.interrupting`)
                if is_idle:
                    unlocked.times = 0  # PyPy's collector of garbage takes it too, and leaves it locked at the bottom of a recursion
            return result
        if self.outgoing.items:  # of a thread that was interrupted
            self.outgoing.pass_on()
        try:
            if mailbox.by_frames and not self.leaving and not (self.handlers and ident == self.main):  # when leaving, it is threads that end
                result = self.read_for(mailbox, timeout, ident, is_idle)
                if result is not None:
                    return result
            self.asleep[ident] = mailbox
            try:
                return mailbox.sleep(timeout)
            finally:
                self.asleep.pop(ident, None)
        except BaseException:
            if not is_idle or self.leaving:
                raise
            return extra('strikes').withstand()

    def read_for(self, mailbox, timeout, ident, is_idle):
        """As `sleep`, for a thread that finds the input free; None when it does not, or when the reading thread has to go on."""
        if not self.input.acquire(False):
            return None
        try:
            self.reader, chunks = ident, self.chunks
            self.turns += 1
            if is_idle and (self.others or self.asides):  # looked for with the input at hand: only frames begin the first of them
                return None
            while not mailbox.items and not mailbox.ended and not self.lost:
                if chunks:
                    if not is_idle:
                        return None
                    self.read_some()
                    return True
                if timeout is not None and not wait_for([self.fd_in], [], max(timeout, 0)):
                    return False
                try:  # here, as below, in one call into C: who is interrupted between two of them leaves nothing half done
                    chunks.extend(map(self.receive, (self.fd_in,), (READ_BYTES,)))
                    if is_idle:
                        break
                    chunk = chunks[0]
                    if chunk is None:  # a link's, which has read something for itself only
                        chunks.pop()
                        if timeout is None:
                            continue
                        return True
                    kind, flags, channel_id, length = HEADER.unpack_from(chunk)
                    channel = self.channels[channel_id]
                    inbox, arrived = channel.items, channel.arrived + length + ITEM_OVERHEAD
                except (EnvironmentError, TypeError, struct.error, KeyError):
                    return None
                # A short item of a channel, whole and alone.
                if (kind != DATA or flags or length != len(chunk) - HEADER.size or self.partial or type(inbox) is not Mailbox
                        or channel.is_closed or channel.is_ended or channel.parts):
                    return None
                inbox.items.extend(compress(((chunk[HEADER.size:], arrived),), map(chunks.pop, FIRST)))
                channel.arrived = arrived  # or who receives the item does it
                if inbox.sleepers:
                    inbox.wake()
                if timeout is not None or mailbox.items:
                    break
            if is_idle:  # no exception comes in between there
                self.act()
            return True
        finally:
            self.reader = None
            self.input.release()
            if self.stands_by or self.asleep or self.chunks:
                self.wake_reading_thread()

    def wake_reading_thread(self):
        try:
            self.standby.release()
        except RuntimeError:
            pass  # it has been woken already

    def read_turn(self):
        """The reading thread's."""
        if not self.has_input:
            self.stand_by()
            self.has_input = True
            self.wake_served()
        slept = [ident for ident in list(self.asleep) if not (self.handlers and ident == self.main)]  # and could have read
        self.read_some()
        self.outgoing.pass_on()
        if self.lost or slept and all(mailbox.items for mailbox in list(self.asleep.values())):
            self.has_input = False
            self.input.release()

    def wake_served(self):
        """Who was interrupted may have put an item somewhere and woken nobody."""
        for mailbox in list(self.asleep.values()):
            if mailbox.items:
                mailbox.wake()

    def stand_by(self):
        """Returns with the input."""
        seen, pause = None, STEP_ASIDE
        while True:
            self.stands_by = pause != STEP_ASIDE
            # Looked for behind that: from now on whoever stops reading wakes this thread. The main thread between two tasks cannot be interrupted:
            # nothing polls while all are at rest.
            is_at_rest = self.stands_by and self.reader == self.main and not self.main_runs
            woken = self.standby.acquire(True, -1 if is_at_rest else pause)
            self.stands_by = False
            if (self.asleep or self.chunks or not woken) and self.input.acquire(False):
                return
            if woken or seen != self.turns:
                seen, pause = None if woken else self.turns, STEP_ASIDE
            elif self.was_left():
                return
            else:
                pause = LOOK

    def was_left(self):
        """Whether the thread that had the input has gone on without giving it back. It is the reading thread's then."""
        turns = self.turns
        for _ in range(2):  # who takes it between the two looks is seen by the second, or has been counted
            if self.input.acquire(False):
                return True
            if is_inside(None, SelfReadingWorker.read_for):
                return False
        return turns == self.turns

    def on_interrupt(self, signum, frame):
        Worker.on_interrupt(self, signum, frame)
        if not self.leaving:
            extra('strikes').say_seldom(u'tendril worker: KeyboardInterrupt came when no task or call ran in the main thread: it has interrupted nothing\n')
