"""`_tendril.strings`: which text is bytes on a channel, as execnet's `reconfigure` says it."""
from _tendril import PY2, Bytes, worker
from _tendril.channel import Channel

CONTAINERS = frozenset([list, tuple, set, frozenset])
TEXT = type(u'')


def encode(text):
    return text.encode('utf-8')


def convert(channel, py2str_as_py3str, py3str_as_py2str):
    """Has a channel change what it sends and what it receives from now on, the items that have arrived too."""
    inward, outward = {}, {}
    if py3str_as_py2str:
        inward[TEXT] = encode
        if not PY2:  # whose text that is no `str` stays what it is
            outward[TEXT] = encode
    if PY2 and not py2str_as_py3str:
        outward[str] = Bytes
    own = worker.channels.get(channel.id, channel)  # not what the code holds, which would hold itself
    channel.send = lambda item: Channel.send(own, changed(item, outward))
    channel.take = lambda timeout=None: changed(Channel.take(own, timeout), inward)


def changed(value, change):
    """A value with all in it changed that is of one of these types."""
    kind = type(value)
    if kind in change:
        return change[kind](value)
    if kind in CONTAINERS:
        return kind([changed(each, change) for each in value])
    if kind is dict:
        return dict([(changed(key, change), changed(each, change)) for key, each in value.items()])
    return value
