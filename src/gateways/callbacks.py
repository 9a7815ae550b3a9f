"""`_tendril.callbacks`: items of a channel handed to a function as they arrive, in a thread of the channel's own."""
from _tendril import worker
from _tendril.channel import ENDED, NO_ENDMARKER, RemoteError


def deliver(channel, callback, endmarker):
    """Until the end. What the callback raises closes the channel: the controller's waitClose gets it, other channels go on."""
    try:
        while True:
            try:
                item = channel._receive()
            except (EOFError, RemoteError):
                break
            callback(item)
        if endmarker is not NO_ENDMARKER:
            callback(endmarker)
    except BaseException:
        channel._close(worker.describe_failure())
    channel._over.put(ENDED)
