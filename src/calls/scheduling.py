"""`_tendril.scheduling`: which thread performs a request of the session.

The main one, as long as it keeps up: no thread has to be woken for a request, and signals and event loops find what they want.
When it has not come to its next request for STUCK seconds, what waits is left to helpers, and what comes until it is free again.
With `execmodel=main_thread_only` there are no helpers.
"""
import time

from _tendril import PY2, Mailbox, _thread, worker

STUCK = 0.005
PATIENCE = 8            # times STUCK, before a helper joins others that compute: it could only take turns with them
IDLE_HELPERS = 4        # so many stay when they have nothing to do
processor_time = time.clock if PY2 else time.process_time


class Scheduler(object):
    def __init__(self, perform):
        self.perform = perform
        self.taken = self.begun = self.relieved = 0  # requests for the main thread: each is counted by one thread
        self.helped, self.helping = 0, {}  # what helpers have done, and their threads
        self.is_main_stuck = False
        self.left = Mailbox()  # requests left to helpers
        self.is_watching, self.wanted = False, _thread.allocate_lock()
        self.wanted.acquire()
        _thread.start_new_thread(self.watch, ())

    def take(self, request):
        """Has a request performed. Called by whoever reads."""
        busy = worker.main_busy
        if self.is_main_stuck and busy:
            self.left.put(request)
            if not self.left.sleepers:
                self.want_watch()
            return
        self.is_main_stuck, worker.main_busy = False, True
        self.taken += 1
        worker.tasks.put((self, request))
        if busy:
            self.want_watch()

    def run(self, request):
        """On the main thread."""
        worker.main_busy = True
        self.begun += 1
        self.perform(*request)
        self.is_main_stuck = False

    def again(self, request):
        """Has a request performed once more, behind what waits. Called by the thread that performs it."""
        if _thread.get_ident() == worker.main:
            self.begun -= 1
            worker.tasks.put((self, request))
        else:
            self.left.put(request)

    def is_awaited(self):
        """Whether something waits for a thread."""
        return bool(worker.tasks.items or self.left.items)

    def help(self):
        """A helper's thread."""
        self.helping[_thread.get_ident()] = True
        while self.left.items or len(self.left.sleepers) < IDLE_HELPERS:
            try:
                request = self.left.items.popleft()
            except IndexError:
                self.left.sleep(None)
                continue
            self.perform(*request)
            self.helped += 1
        del self.helping[_thread.get_ident()]

    # The watch sleeps unless requests wait behind others.

    def want_watch(self):
        if not self.is_watching and worker.execmodel == 'thread':
            self.is_watching = True
            self.wanted.release()

    def watch(self):
        while True:
            self.wanted.acquire()
            helpers, waited = 1, 0
            while self.is_main_behind() or self.left.items:
                begun, helped, began, used = self.begun, self.helped, time.time(), processor_time()
                time.sleep(STUCK)
                if begun == self.begun and self.is_main_behind():
                    self.relieve_main()
                if helped == self.helped and self.left.items:
                    computes = processor_time() - used > (time.time() - began) / 2
                    waited += 1
                    if not self.helping or not computes or waited % PATIENCE == 0:
                        for _ in range(1 if computes else helpers):
                            worker.start_thread(self.help)
                        helpers *= 2
            self.is_watching = False
            if self.is_main_behind() or self.left.items:
                self.want_watch()

    def is_main_behind(self):
        return self.taken > self.begun + self.relieved

    def relieve_main(self):
        """What waits for the main thread is left to others."""
        self.is_main_stuck = True
        while worker.tasks.items:
            try:
                task = worker.tasks.items.popleft()
            except IndexError:  # the main thread was faster
                break
            if task is None:  # it is to look whether to leave
                return worker.tasks.put(None)
            if task[0] is self:
                self.relieved += 1
                self.left.put(task[1])
            else:
                worker.start_thread(worker.run, *task)
