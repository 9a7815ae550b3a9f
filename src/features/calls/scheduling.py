"""`_tendril.scheduling`: which thread performs a request of the session, and when.

Requests wait in a lane, in their order, and as many are performed at a time as it has places: one, unless `threads` says more. A request
begins in the main thread when that is free of the user's tasks, else in one of the lane's own threads, of which there are no more than
places: with one place it is always the same. With `execmodel=main_thread_only` all is for the main thread, with the tasks and in their order.

A place is taken as the main thread is: by `setdefault`, one step that no other thread comes between; only who has it frees it.
"""
from _tendril import Mailbox, _thread, deque, extra, worker
from _tendril.succession import takes_main


def put_for_main(turn):
    """Has the main thread begin a turn. Where it reads for itself it is woken by what it reads; whoever is not the reader has something sent."""
    if worker.leaving:  # what has not begun does not begin any more
        return
    worker.tasks.put((turn, None))
    if _thread.get_ident() != worker.main and getattr(worker, 'reader', None) == worker.main:
        extra('session').session.tell(['wake'])


class Turn(object):
    """What is begun in a lane when its turn has come; `refuse` is called when there is no thread for it, and must not wait."""

    place = None  # in its lane, while it has one

    def __init__(self, lane, run, refuse):
        self.lane, self.run, self.refuse = lane, run, refuse

    def begin(self):
        try:
            self.run()
        finally:
            self.lane.free(self)


class Lane(object):
    """Turns in their order, and the threads for them. One that has no use for the main thread leaves it to others."""

    def __init__(self, places, has_main=True):
        self.queue = deque()         # turns that have come and were not begun
        self.places = {}             # by number: the turn that has it
        self.numbers, self.count = range(places), places
        self.has_main = has_main
        self.is_all_main = has_main and worker.execmodel == 'main_thread_only'
        self.threads, self.given = {}, Mailbox()
        self.given.by_frames = False

    def take(self, turn):
        """Has a turn begun, behind those that wait. Called by whoever reads."""
        turn.lane = self
        if self.is_all_main:
            put_for_main(turn)
        elif not self.queue and self.places.setdefault(0, turn) is turn:
            turn.place = 0
            self.give(turn)
            if self.queue:
                self.begin_next()
        else:
            self.queue.append(turn)
            if len(self.places) < self.count:  # looked at here, too: with many at once there is none
                self.begin_next()

    def begin_next(self):
        """Gives turns to threads, as far as there are places."""
        while self.queue and len(self.places) < self.count:  # whoever frees a place comes here
            claim = object()
            for place in self.numbers:
                if self.places.setdefault(place, claim) is claim:
                    break
            else:
                return
            try:
                turn = self.queue.popleft()
            except IndexError:  # another thread was faster
                del self.places[place]
            else:
                self.places[place], turn.place = turn, place
                self.give(turn)

    def give(self, turn):
        if self.has_main:
            if worker.main_holder.setdefault(None, turn) is turn:
                return put_for_main(turn)
            worker.others[turn] = True
        if not self.given.sleepers:
            self.start_thread()
        if self.threads:
            self.given.put(turn)
        elif self.has_main and takes_main(turn):
            put_for_main(turn)
        else:  # the system has no thread for it; whoever has called takes the next one
            worker.others.pop(turn, None)
            del self.places[turn.place]
            turn.refuse()

    def free(self, turn):
        """What was to be done in a turn has been done, and what follows may begin; telling of it remains. Twice is no error."""
        if self.places.get(turn.place) is not turn:
            return
        if self.has_main and worker.main_holder.get(None) is turn:
            del worker.main_holder[None]
        del self.places[turn.place]
        if self.queue:
            self.begin_next()
        if worker.others:
            worker.others.pop(turn, None)  # last: until then the main thread does not read, so that it can be woken

    def is_awaited(self):
        """Whether something waits for its turn."""
        return bool(worker.tasks.items if self.is_all_main else self.queue)

    def holder(self):
        """A call that has a place, and so is in the way of those that wait."""
        if self.is_all_main:
            turns = [extra('session').session.performing.get(worker.main)]
        else:
            turns = list(self.places.values())
        for turn in turns:
            while getattr(turn, 'outer', None) is not None:
                turn = turn.outer
            if hasattr(turn, 'number'):
                return turn

    def waiting(self):
        """What waits for its turn, in its order: turns, and where all is for the main thread the channels of tasks."""
        return [task[0] for task in list(worker.tasks.items) if task] if self.is_all_main else list(self.queue)

    # Threads of its own.

    def close(self):
        """Nothing will be taken any more; what has been is begun before the threads end."""
        for _ in self.threads:
            self.given.put(None)

    def start_thread(self):
        claim = object()
        for number in self.numbers:
            if self.threads.setdefault(number, claim) is claim:
                try:
                    return worker.start_thread(self.help)
                except Exception:  # there are no more
                    del self.threads[number]
                    return

    def help(self):
        while True:
            try:
                turn = self.given.items.popleft()
            except IndexError:  # not worker.wait, for which a task that waits would leave off reading for itself
                worker.outgoing.pass_on()
                self.given.sleep(None)
                continue
            if turn is None:
                return
            try:
                if self.has_main and takes_main(turn):
                    put_for_main(turn)
                else:
                    turn.begin()
            except BaseException:
                extra('failures').print_current()
