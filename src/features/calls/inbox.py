"""`_tendril.inbox`: channels whose items are acted upon by whoever reads, as they arrive."""
from _tendril import NAMES, PY2, BytesIO, Mailbox, Unpickler, _thread, channel, loads, pickle, time


class Reader(object if PY2 else Unpickler):
    """What `loads` is, for what is short and comes often: a class costs less than a hook."""

    def find_class(self, module, name):
        if module == '_tendril' and name != 'Channel':
            raise KeyError(name)  # what counts how often it is read is not read in vain
        return channel.channel_with if module == '_tendril' else NAMES[module, name]


def read(entry):
    """The value of an entry of a mailbox."""
    payload = entry[0]
    if payload is None:
        return entry[2]
    if PY2 or len(payload) > 256 or type(payload) is list:
        return loads(payload, channel.channel_with)
    try:
        # What refers to nothing needs no guard: whoever calls may have anything called.
        return Reader(BytesIO(payload)).load() if b'_tendril' in payload else pickle.loads(payload)
    except Exception:
        return loads(payload, channel.channel_with)


class Inbox(Mailbox):
    """Stands in for the mailbox of a channel: whoever reads hands what arrives to `take` at once."""

    def __init__(self, take):
        Mailbox.__init__(self)
        self.take, self.lock, self.has_come = take, _thread.allocate_lock(), False

    def put(self, entry):
        self.has_come = True
        if entry is not channel.ENDED:
            with self.lock:
                self.take(entry)


def divert(source, inbox):
    """Has an inbox take what arrives on a channel, after what has arrived already."""
    with inbox.lock:
        mailbox, source._items = source._items, inbox
        while not inbox.has_come and source._arrived != (mailbox.items[-1][1] if mailbox.items else 0):
            time.sleep(0)  # whoever reads is about to put an item where it would have gone before
        while mailbox.items:
            entry = mailbox.items.popleft()
            if entry is not channel.ENDED:  # the worker is leaving already
                inbox.take(entry)
