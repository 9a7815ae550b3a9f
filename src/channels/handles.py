"""`_tendril.handles`: what code in the worker holds of a channel. The controller is told when it has let go of that (PROTOCOL.md section 4).

The worker holds another object, which has the same attributes: frames find it by its id, until both sides have closed the channel.
The channel of a task is one object, as it ends with its task. One that has a callback is held by that.
"""
from _tendril import DROPPED, HEADER, struct, worker
from _tendril.channel import Channel
from _tendril.originals import own


class Handle(own('_weakref').ref):
    """A reference to what code holds. Called with itself when that has gone."""

    __slots__ = ('channel',)


def channel_with(channel_id):
    """For loads: the channel with this id; one that is over, if it is over."""
    channel = worker.channels.get(channel_id) or worker.unclaimed.pop(channel_id, None)
    if channel is None:
        channel = Channel(channel_id)
        channel.is_closed = True
        channel.end()
    channel.claimed = True
    channel.references += 1
    return handle_of(channel)


def handle_of(channel):
    """What code is given for a channel: the same object as long as it holds that."""
    task = worker.executing.get(channel.id)
    if task is not None:
        return task
    handles = channel.__dict__.setdefault('handles', [])
    for handle in list(handles):
        held = handle()
        if held is not None:
            return held
    held = Channel.__new__(Channel)
    held.__dict__ = channel.__dict__
    handle = Handle(held, let_go)
    handle.channel = channel
    handles.append(handle)
    return held


def let_go(handle, worker=worker):
    """Called amid anything, by any thread: it does not wait, and at the end of the worker there are no names any more."""
    channel = handle.channel
    if handle in channel.handles:
        channel.handles.remove(handle)
    if not channel.handles and not channel.is_closed and channel.callback is None and 'outgoing' in worker.__dict__:
        worker.outgoing.post(worker.frame(HEADER.pack(DROPPED, 0, channel.id, 4) + struct.pack('>I', channel.references)))
