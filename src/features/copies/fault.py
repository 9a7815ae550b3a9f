"""`_tendril.fault`: what a copy cannot go on from, and how the controller is told (twin: fault.ts)."""
from _tendril import errno


class Obstacle(EnvironmentError):
    """What is in the place where a copy should go, or on the way there; `filename` says where."""


def answering(channel, side, work):
    """Does it; what goes wrong is told to the controller, with the path that `side` is at and what is new already."""
    try:
        work()
    except EOFError:
        pass  # the controller has given up
    except EnvironmentError as e:
        if not channel.isclosed():
            path = e.filename if isinstance(e, Obstacle) else side.at
            about = path.decode('utf-8', 'replace'), errno.errorcode.get(e.errno, ''), e.strerror or str(e)
            channel.send(('failed',) + about + ([each.decode('utf-8', 'replace') for each in getattr(side, 'renewed', ())],))


def local(path):
    """Paths are bytes, which every name on every system has; Windows takes UTF-8 for them."""
    return path.encode('utf-8') if isinstance(path, type(u'')) else bytes(path)
