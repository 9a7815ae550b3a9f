"""`_tendril.outgoing`: what is on its way to the controller (PROTOCOL.md sections 2 and 5; twins: src/protocol/turns.ts, writer.ts beside it).

User code may raise an exception between any two of our bytecodes: from a signal handler, with PyThreadState_SetAsyncExc, by
recursion. So an item is in `items` from before its first byte until after its last, how much of a frame is out is recorded in C,
by the very call that writes it, and each other step may be done twice. Whoever comes next goes on where an interrupted thread stood.
"""
from _tendril import PY2, _thread, acquire, deque, errno, is_inside, os, wait_for, worker

if PY2:
    from itertools import imap as map

RESCUE = 0.05  # seconds that a thread waits for another before it looks whether that is still there


class Outgoing(object):
    """Items and control frames, in a form with which any thread can go on.

    An item is (frames, channel or None, cost, locks that threads sleep on, [cost of all that the channel sent, with this one] once it
    has room); the cost of a CLOSE is None. A frame is (bytes, [how many each write took]), or two of these, of which the second has a
    list that is not empty: nothing may come between them.
    """

    def __init__(self):
        self.control = deque()  # (frame, its channel or None, whether it closes that): go before any item, and nobody waits for them
        self.items = deque()    # for which their channels had room
        self.waiting = deque()  # for their turn, and for room
        self.lock = _thread.allocate_lock()  # held inside `write_now` and `write_in_turn`, and nowhere else
        self.rescues = deque()  # a token for the next rescue
        self.entries = 0        # how often the lock was taken

    def put(self, item):
        """Writes an item: the frames of other channels may come in between its own. Returns when it is out, or was dropped for a closed channel."""
        try:
            if not self.write_now(item):
                self.wait_for(item)
            self.pass_on()
        except IOError:
            raise
        except BaseException:
            self.withdraw(item)
            self.pass_on()
            raise

    def post(self, frame, channel=None):
        """Has a small frame written before any other, by this thread or by the one that is writing now."""
        self.control.append((frame, channel, channel))
        self.pass_on()

    def write_now(self, item):
        """Writes an item if nobody is writing and nothing waits: what nearly all items meet. False when it is not out."""
        if not self.lock.acquire(False):
            return False
        try:
            self.entries += 1
            frames, channel, cost, _, total = item
            if self.control or self.items or self.waiting or len(frames) > 1 or cost is None:
                return False
            if channel is not None:
                if channel.is_closed or channel.sent - channel.given_back >= worker.window:
                    return False
                total.append(channel.sent + cost)
            self.items.append(item)
            if channel is not None:
                channel.sent = total[0]
            data, done = frames[0]
            try:
                done.extend(map(worker.transmit, (worker.fd_out,), (data,)))
            except EnvironmentError:
                return False  # met again in turn
            if done[0] < len(data):
                return False
            self.items.popleft()
            return True
        finally:
            self.lock.release()

    def wait_for(self, item):
        """Returns when an item is out. Threads have their turn as they came."""
        if not item[4]:
            self.waiting.append(item)
        if not self.write_in_turn(item):
            if self.is_amid():
                return  # what was interrupted goes on with this item, too
            turn = _thread.allocate_lock()
            turn.acquire()
            item[3].append(turn)
            self.rescue()
            while item[0] and not self.write_in_turn(item):
                if not acquire(turn, RESCUE):
                    self.rescue()

    def is_amid(self):
        """Whether this thread is amid a write already: it is in a signal handler."""
        return is_inside(_thread.get_ident(), Outgoing.write_now, Outgoing.write_in_turn)

    def withdraw(self, item):
        """Takes back an item that was not begun: its thread has been interrupted."""
        for at, each in enumerate(list(self.waiting)):
            if each is item and not item[4]:
                try:
                    if self.waiting[at] is item:
                        del self.waiting[at]
                except IndexError:  # it has just been begun
                    pass

    def pass_on(self):
        """Goes on with what an interrupted thread has left, and wakes the thread whose turn it is."""
        try:
            while self.control or self.items or self.waiting:
                sleepers = () if self.control else (self.items or self.waiting)[0][3]
                if sleepers:
                    return sleepers.pop().release()
                if not self.write_in_turn(None):
                    return self.rescue()
                if not self.items:
                    return
        except IndexError:  # another thread was faster
            pass
        except IOError:  # the gateway is gone, which those are told who wait for their items
            self.control.clear()

    def close(self):
        """What is written from now on goes nowhere."""
        self.pass_on()
        with self.lock:
            self.entries += 1
            try:
                nowhere = os.open(os.devnull, os.O_WRONLY)
            except EnvironmentError:  # user code has left no descriptor
                nowhere = 0           # which nobody can write to
            os.dup2(nowhere, worker.fd_out)

    def write_in_turn(self, item):
        """Writes until an item is out (None: until only items are left for which threads wait). False when somebody else is writing."""
        if not self.lock.acquire(False):
            return False
        try:
            self.entries += 1
            for each in self.items:
                self.count(each)
            while True:
                self.admit()
                source = self.next_source(item)
                if source is None:
                    return item is None or not item[0]
                data, done = source[0][0] if source is self.control else source[0]
                at = sum(done) if done else 0
                if at < len(data):
                    try:
                        done.extend(map(worker.transmit, (worker.fd_out,), (memoryview(data)[at:] if at else data,)))
                    except EnvironmentError as e:
                        if e.errno == errno.EAGAIN:
                            wait_for([], [worker.fd_out])
                        elif e.errno != errno.EINTR:
                            raise IOError(e.errno, 'cannot send (the gateway is gone): %s' % e)
                    if sum(done) < len(data):
                        continue
                if source is not self.control and len(source) > 1 and not source[1][1]:
                    self.take_turns()
                del source[0]
        finally:
            self.lock.release()

    def admit(self):
        """Counts what items cost whose channel has room; drops those of closed channels. Whatever is behind one that waits, in its channel, waits too."""
        full = set()
        for item in list(self.waiting):
            frames, channel, cost, _, total = item
            if channel in full:
                continue
            if channel is not None and cost is not None and not total:
                has_room = channel.has_room()
                if channel.is_closed or worker.leaving and not has_room:
                    drop(frames)
                elif not has_room:
                    full.add(channel)
                    continue
                else:
                    total.append(channel.sent + cost)
            if frames and not (self.items and self.items[-1] is item):
                self.items.append(item)
            self.count(item)
            self.waiting.remove(item)

    def count(self, item):
        if item[4]:
            item[1].sent = max(item[1].sent, item[4][0])

    def next_source(self, item):
        """The queue whose first frame is to be written now: the one of which a part is out, else one of the control frames, else that of the first item."""
        while self.items:
            frames, channel, cost, sleepers, _ = first = self.items[0]
            if frames and not frames[0][1] and channel is not None and not self.may_say(channel, first, cost is None):
                drop(frames)
            if not frames:  # all of it is out
                self.items.popleft()
                while sleepers:
                    sleepers.pop().release()
                continue
            if frames[0][1]:
                return frames
            break
        while self.control:
            frame, channel, is_close = entry = self.control[0]
            if channel is None or frame[1] or self.may_say(channel, entry, is_close):
                return self.control
            self.control.popleft()
        if self.items and (item[0] if item else not self.items[0][3]):
            return self.items[0][0]

    def may_say(self, channel, what, is_close):
        """Whether something may be written on a channel: nothing after a CLOSE, of which there is one."""
        if is_close and channel.farewell is None:
            channel.farewell, channel.is_closed = what, True
        return channel.farewell is (what if is_close else None)

    def take_turns(self):
        """Items of other channels go on before the next frame of the first one."""
        channels = [item[1] for item in self.items]
        if channels.count(channels[0]) == 1:
            self.items.rotate(-1)

    def rescue(self):
        """Gives back the lock for a thread that has gone on without doing so: an exception came at the wrong moment."""
        if not self.rescues:
            self.rescues.append(object())
        entries, token = self.entries, self.rescues[0]
        for _ in range(2):  # who takes the lock between the two looks is seen by the second, or has been counted
            if not self.lock.locked() or is_inside(None, Outgoing.write_now, Outgoing.write_in_turn, Outgoing.close):
                return
        if entries == self.entries:
            try:  # in one call into C: of several that come to this, one gives it back
                list(map(self.lock.__exit__, map(self.rescues.remove, (token,))))
            except ValueError:
                pass


def drop(frames):
    while frames:
        del frames[0]
