"""`_tendril.callbacks`: items of a channel handed to a function: what has arrived, by who registers it; what arrives, by a thread of the channel's own.

One callback runs at a time, whatever its channel, as those of execnet do: they may share what they like.
"""
from _tendril import Mailbox, _thread, worker
from _tendril.channel import ENDED, GatewayEnding
from _tendril.scopes import counted

NO_ENDMARKER = object()
going_on = [True]  # in a forked child, nothing
unfinished = set()  # channels whose callbacks have not had all


class Turn(object):
    """Held by the thread that runs a callback; one that a callback registers has the turn of that."""

    def __init__(self):
        self.lock, self.holder = _thread.allocate_lock(), None

    def call(self, function, item):
        ident = _thread.get_ident()
        if self.holder == ident:
            return function(item)
        with self.lock:
            self.holder = ident
            try:
                function(item)
            finally:
                self.holder = None


turn = Turn()
worker.users.add(Turn.call.__code__)


def register(channel, callback, endmarker):
    if channel.callback is not None:
        raise IOError('%r has callback already registered' % channel)
    channel.over, channel.callback = Mailbox(), callback
    channel.over.by_frames = False
    is_over, has_caught_up, kept = [], _thread.allocate_lock(), worker.channels.get(channel.id, channel)
    with has_caught_up:
        try:  # ahead of the first item: what the callback has had cannot be received any more
            unfinished.add(kept)
            worker.start_thread(counted(go_on), kept, callback, endmarker, is_over, has_caught_up)
        except Exception:  # the system has no more
            unfinished.discard(kept)
            channel.callback = None
            if channel.items.ended:
                channel.over.put(ENDED)
            raise
        if not deliver(kept, callback, endmarker, channel.items.items):
            is_over.append(True)


def go_on(channel, callback, endmarker, is_over, has_caught_up):
    with has_caught_up:
        pass
    if not is_over and deliver(channel, callback, endmarker, going_on):
        raise SystemExit(0)


def deliver(channel, callback, endmarker, arrived):
    """While there is something in `arrived`, or until the end: then False. What the callback raises closes the channel: the controller's waitClose gets it, other channels go on."""
    try:
        while arrived:
            try:
                item = channel.take()
            except (EOFError, channel.RemoteError):
                if endmarker is not NO_ENDMARKER:
                    turn.call(callback, endmarker)
                break
            turn.call(callback, item)
        else:
            return True
    except GatewayEnding:
        channel.finish()
    except BaseException:
        channel.finish(worker.describe_failure())
    unfinished.discard(channel)
    channel.over.put(ENDED)
    return False


def finish():
    """Called when the worker leaves: waits until callbacks have had what has arrived, and the end."""
    while unfinished:
        for channel in list(unfinished):
            channel.over.put(worker.wait(channel.over))
