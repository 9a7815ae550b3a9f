"""`_tendril.reading`: a thread that waits reads for itself.

Without this every round trip hops from the reading thread to the one that waits, and on a busy machine that hop is most of
it. Here whoever waits takes the input if nobody has it. The reading thread stands by: it takes the input back when nobody has
had it for STEP_ASIDE seconds, or when somebody sleeps who could be served; it steps aside when it has just served all who
slept. While one thread stays with the input, the reading thread sleeps without a timeout: nothing polls.
"""
import select

from _tendril import Worker, _thread, worker

STEP_ASIDE = 0.02


def install():
    """Turns the worker into one that does so; threads change over at their next wait. The reading thread is reading now."""
    with worker.mutex:
        if worker.__class__ is Worker:
            worker.input = _thread.allocate_lock()    # held by whoever reads
            worker.input.acquire()
            worker.has_input = True                   # the reading thread, that is
            worker.standby = _thread.allocate_lock()  # released to wake the reading thread
            worker.standby.acquire()
            worker.stands_by = False                  # it sleeps, without a timeout
            worker.reader = None
            worker.turns = 0
            worker.asleep = {}
            worker.__class__ = SelfReadingWorker


class SelfReadingWorker(Worker):
    def sleep(self, mailbox, timeout):
        """Until something may be in the mailbox; False when the time is up."""
        if mailbox.by_frames and not self.leaving and self.input.acquire(False):  # when leaving, it is threads that end
            return self.read_for(mailbox, timeout)
        ident = _thread.get_ident()
        self.asleep[ident] = mailbox
        try:
            return mailbox.sleep(timeout)
        finally:
            del self.asleep[ident]

    def read_for(self, mailbox, timeout):
        self.reader = _thread.get_ident()
        self.turns += 1
        try:
            if timeout is None:
                while not mailbox.items and not mailbox.ended and not self.lost:
                    self.read_some()
            elif select.select([self.fd_in], [], [], max(timeout, 0))[0]:
                self.read_some()
            else:
                return False
            return True
        finally:
            self.reader = None
            self.input.release()
            if self.stands_by or self.asleep:
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
        slept = bool(self.asleep)
        self.read_some()
        if self.lost or slept and all(mailbox.items for mailbox in list(self.asleep.values())):
            self.has_input = False
            self.input.release()

    def stand_by(self):
        """Returns with the input."""
        seen = None
        while True:
            woken = self.standby.acquire(True, STEP_ASIDE)
            if (self.asleep or not woken) and self.input.acquire(False):
                return
            if woken or seen != self.turns:
                seen = None if woken else self.turns
                continue
            self.stands_by = True
            if self.input.acquire(False):  # whoever had it left before it could see that we sleep
                self.stands_by = False
                return
            self.standby.acquire()
            self.stands_by, seen = False, None

    def on_interrupt(self, signum, frame):
        if self.reader != self.main:  # a wait of ours ends by itself, and must not lose what it has read
            Worker.on_interrupt(self, signum, frame)
