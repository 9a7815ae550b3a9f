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
    """Stands in for the mailbox of an endpoint: whoever reads hands what arrives to `take` at once, and calls `end` behind the last."""

    def __init__(self, take):
        Mailbox.__init__(self)
        self.take, self.lock, self.has_come = take, _thread.allocate_lock(), False

    def put(self, entry):
        self.has_come = True
        if entry is channel.ENDED:
            return self.end()
        with self.lock:
            self.take(entry)

    def end(self):
        """Nothing more will arrive. Called by any thread, also by one that takes an item."""


class Bell(Inbox):
    """Where it matters only that something arrives, credit or the end too: `take` is called for each, and takes locks of its own."""

    def put(self, entry):
        self.take(entry)

    def end(self):
        self.take(channel.ENDED)


def divert(endpoint, inbox):
    """Has an inbox take what arrives on a channel, after what has arrived already."""
    with inbox.lock:
        mailbox, endpoint.items = endpoint.items, inbox
        while not inbox.has_come and endpoint.arrived > (mailbox.items[-1][1] if mailbox.items else 0):
            time.sleep(0)  # whoever reads is about to put an item where it would have gone before
        while mailbox.items:
            entry = mailbox.items.popleft()
            if entry is channel.ENDED:  # the worker is leaving already
                inbox.end()
            else:
                inbox.take(entry)
