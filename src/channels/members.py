"""`_tendril.members`: what channels, and the gateway as code in the worker sees it, have that few tasks use.

The names and meanings are execnet's. Whoever first asks a channel for one has this module imported (`Channel.__getattr__`).
"""
from _tendril import OPEN, TimeoutError, Worker, count, extra, os, sys, worker
from _tendril.callbacks import NO_ENDMARKER, register
from _tendril.channel import Channel
from _tendril.execmodel import ExecModel
from _tendril.handles import handle_of

UNTOUCHED = 256 * 1024  # bytes of window of a channel that nobody in the controller has touched
INTERRUPTED = 'keyboard-interrupted'  # what execnet closes a channel with whose code was interrupted
numbers, ids = count(1), count(2, 2)  # of those who wait for the end, and of channels that code here opens


class RemoteError(Exception):
    """What the other side closed a channel with; `formatted` is its text."""

    __module__ = '_tendril.channel'

    def __init__(self, formatted):
        Exception.__init__(self, formatted)
        self.formatted = formatted

    def __repr__(self):
        return '%s: %s' % (type(self).__name__, self.formatted)

    def warn(self):
        """Says on stderr that nobody has handled it."""
        if self.formatted != INTERRUPTED:
            sys.stderr.write('[%d] Warning: unhandled %r\n' % (os.getpid(), self))


class ChannelMembers(object):
    """Those of a channel."""

    gateway = worker
    RemoteError, TimeoutError = RemoteError, TimeoutError

    def setcallback(self, callback, endmarker=NO_ENDMARKER):
        """Calls `callback(item)` for what has arrived, now, and for what will, in order; then `callback(endmarker)`. One callback runs at a time."""
        register(self, callback, endmarker)

    def waitclose(self, timeout=None):
        """Waits until no item can arrive any more (with a callback: until it has had them all). Raises RemoteError or TimeoutError."""
        if timeout is None and worker.tasks.items:
            extra('threads').check_wait(self)
        self.over.put(worker.wait(self.over, timeout))
        if self.error is not None:
            raise RemoteError(self.error)

    def makefile(self, mode='w', proxyclose=False):
        """A file whose writes are items sent ('w'), or that reads the text of items received ('r')."""
        return extra('files').make_file(self, mode, proxyclose)

    def reconfigure(self, py2str_as_py3str=True, py3str_as_py2str=False):
        """Which text is bytes on this channel, both ways: that of Python 2's `str`, if the first is False; all other text, if the second is True."""
        extra('strings').convert(self, py2str_as_py3str, py3str_as_py2str)

    def _getremoteerror(self):
        """The error that the other side has closed it with, or the loss of the connection, if any."""
        if self.error is not None:
            return RemoteError(self.error)
        return EOFError('the controller is gone') if worker.lost else None

    def _trace(self, *told):
        worker._trace(self.id, *told)


class GatewayMembers(object):
    """Those of the worker, as the gateway that a channel belongs to."""

    def newchannel(self):
        """A new channel. Send it over another one, so that the controller has its other end."""
        return newchannel()

    def join(self, timeout=None):
        """Waits for the end of the gateway, or for `timeout` seconds."""
        number = -next(numbers)  # of no channel: what comes to its end with all of them
        self.channels[number] = waiter = Channel(number)
        waiter.is_closed = True
        try:
            if not self.leaving:
                waiter.waitclose(timeout)
        except TimeoutError:
            pass
        finally:
            del self.channels[number]

    def _trace(self, *told):
        """Execnet's: says it on stderr, where EXECNET_DEBUG says so."""
        if os.environ.get('EXECNET_DEBUG'):
            sys.stderr.write('[%d] %s\n' % (os.getpid(), ' '.join(map(str, (self.id,) + told))))


def newchannel():
    channel = Channel(next(ids))
    channel.sent = worker.window - UNTOUCHED  # as if it were outstanding: the controller gives it back when somebody there receives
    channel.claimed, worker.channels[channel.id] = True, channel
    worker.post(OPEN, channel.id)
    return handle_of(channel)


def give(kind, members):
    for name, member in members.__dict__.items():
        if not name.startswith('__') and name not in kind.__dict__:
            setattr(kind, name, member)


give(Channel, ChannelMembers)
give(Worker, GatewayMembers)
worker.id, worker.execmodel = worker.id + '-worker', ExecModel(worker.execmodel)
