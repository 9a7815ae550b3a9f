"""`_tendril.items`: what iterators have given, on its way to the controller: gathered into lists, each an item of a channel."""
from _tendril import DumpError, _thread, dump_parts, worker
from _tendril.channel import channel_id
from _tendril.draining import drain_python
from _tendril.inbox import Bell, divert
from _tendril.members import newchannel
from _tendril.session import unsendable


class Items(object):
    """What an iterator gives, on its way to the controller: a channel of lists."""

    def __init__(self, session, iterator):
        self.session, self.iterator = session, iterator
        self.gathered, self.flushed = [], 0  # items, and how many of these are sent
        self.begun, self.sent = 0, 0
        self.sending = _thread.allocate_lock()
        self.is_done, self.failure = False, None  # the iterator has come to its end
        self.is_over = False                      # and so has the channel
        self.channel = newchannel()
        self.channel.credits = Bell(self.ring)
        divert(self.channel, self.channel.credits)

    def has_room(self):
        return self.channel.has_room()

    def is_pending(self):
        """Whether anything has been gathered that is not sent."""
        return len(self.gathered) > self.flushed

    def flush(self):
        """Sends what has been gathered, if the window has room. By the thread that gathers."""
        with self.sending:
            if self.has_room():
                items = self.gathered[self.flushed:]
                self.gathered, self.flushed = [], 0
                self.send_behind_prints(items)

    def flush_amid(self):
        """As `flush`, by another thread."""
        with self.sending:
            if self.has_room():
                items = self.gathered[self.flushed:]
                self.flushed += len(items)
                self.send_behind_prints(items)

    def send_behind_prints(self, items):
        try:
            if items:
                drain_python(worker.output)
                self.send(items)
        except IOError:  # the controller has closed the channel, or is gone
            pass

    def send(self, items):
        try:
            parts = dump_parts(items, channel_id)
        except BaseException as e:  # also by code of the user's, which was asked what an item is
            return self.send_each(items, e)
        try:
            self.channel.send_parts(parts)
        except DumpError as e:  # it is longer than any item may be
            return self.send_each(items, e)
        self.sent += len(items)

    def send_each(self, items, error):
        """Sends those ahead of the one that cannot be sent, and ends with that."""
        if len(items) == 1:
            return self.end(unsendable(error, '[0]', 'result[%d]' % self.sent) if isinstance(error, DumpError) else worker.describe_failure())
        for item in items:
            if not self.is_over:
                self.send([item])

    def fail(self):
        """The iterator raised what is being handled."""
        self.is_done, self.failure = True, worker.describe_failure()

    def closed(self):
        """The iterator has been closed, which may run code of the user's: a forked child of that ends here."""

    def end(self, failure):
        self.is_done = self.is_over = True
        self.iterator = None
        self.channel.finish(failure)
