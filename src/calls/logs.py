"""`_tendril.logs`: records of `logging` and warnings for the controller (twin: log.ts beside it).

Whoever logs only puts a record into a queue, whatever thread that is; a thread for each follower sends what is there. When the
controller is slow the queue is full, and what comes then is counted instead.
"""
import logging
import warnings

from _tendril import SCALARS, DumpError, Mailbox, _thread, dumps, loads, worker
from _tendril.failures import to_text

MAX_WAITING = 1000  # records
MAX_SENT = 100      # at a time
MAX_TEXT = 16384    # characters of a message or of an exception; bytes of an extra value
STANDARD = set(vars(logging.LogRecord('', 0, '', 0, '', (), None))) | set(['message', 'asctime', 'taskName'])

followers = []
given = {}  # by logger: the level that it had, and the one that we gave it
mutex = _thread.allocate_lock()
previous = warnings.showwarning  # what shows warnings but for us


class Bell(Mailbox):
    """Stands in for the mailbox of a channel: what arrives there is only that it ends."""

    def __init__(self, ring):
        Mailbox.__init__(self)
        self.put = ring


class Follower(logging.Handler):
    def __init__(self, channel, level, logger, with_warnings):
        logging.Handler.__init__(self, level)
        self.channel, self.logger, self.with_warnings = channel, logging.getLogger(logger or None), with_warnings
        self.records, self.dropped, self.emitting = Mailbox(), 0, set()
        channel._items = Bell(self.records.put)

    def emit(self, record):
        thread = _thread.get_ident()
        if thread in self.emitting:  # what it takes to read a record logs
            return
        self.emitting.add(thread)
        try:
            self.put(describe, record)
        except Exception:
            self.handleError(record)
        finally:
            self.emitting.discard(thread)

    def put(self, make, *args):
        if len(self.records.items) >= MAX_WAITING:
            self.dropped += 1
        else:
            self.records.put(make(*args))

    def run(self):
        items = self.records.items
        while not self.channel._closed and not worker.leaving:
            if items:
                batch = [record for record in (items.popleft() for _ in range(min(len(items), MAX_SENT))) if type(record) is dict]
                dropped, self.dropped = self.dropped, 0
                self.channel.send([dropped, batch])
            else:
                self.records.sleep(None)


def follow(channel, level, logger, with_warnings):
    """Sends what is logged from now on, until the channel is closed."""
    follower = Follower(channel, level, logger, with_warnings)
    with mutex:
        followers.append(follower)
        follower.logger.addHandler(follower)
        settle(follower.logger)
    try:
        channel.send(None)  # it is heard from now on
        follower.run()
    except IOError:  # the controller has closed the channel, or is gone
        pass
    finally:
        with mutex:
            followers.remove(follower)
            follower.logger.removeHandler(follower)
            settle(follower.logger)


def settle(logger):
    """Has the logger let through what its followers want, and no more than it did when there are none."""
    global previous
    had, ours = given.pop(logger, (None, None))
    if ours is not None and logger.level == ours:  # else somebody has set another since
        logger.setLevel(had)
    wanted = min([follower.level for follower in followers if follower.logger is logger] or [None])
    if wanted is not None and not logger.isEnabledFor(wanted):
        given[logger] = logger.level, wanted
        logger.setLevel(wanted)
    wants_warnings = any(follower.with_warnings for follower in followers)
    if wants_warnings and warnings.showwarning is not show_warning:
        previous, warnings.showwarning = warnings.showwarning, show_warning
    elif not wants_warnings and warnings.showwarning is show_warning:
        warnings.showwarning = previous


def show_warning(message, category, filename, lineno, file=None, line=None):
    if file is None and previous is not logging._showwarning:  # that one logs them
        for follower in list(followers):
            if follower.with_warnings and follower.level <= logging.WARNING:
                follower.put(describe_warning, message, category, filename, lineno)
    previous(message, category, filename, lineno, file, line)


def describe(record):
    try:
        message = record.getMessage()
    except Exception as e:  # the arguments do not fit the message
        message = '%s (%s: %s)' % (record.msg, type(e).__name__, e)
    exception = record.exc_text
    if record.exc_info and not exception:
        exception = logging.Formatter().formatException(record.exc_info)
    extra = dict((to_text(name), carried(value)) for name, value in list(vars(record).items()) if name not in STANDARD)
    return entry(record.levelname, record.levelno, record.name, message, record.created, record.pathname, record.lineno, record.funcName,
                 record.threadName, exception, extra)


def describe_warning(message, category, filename, lineno):
    record = logging.LogRecord('py.warnings', logging.WARNING, filename, lineno, '', (), None)
    return entry(record.levelname, record.levelno, record.name, '%s: %s' % (category.__name__, message), record.created, filename, lineno, None,
                 record.threadName, None, {})


def entry(level, number, logger, message, created, path, line, function, thread, exception, extra):
    return {'level': to_text(level), 'levelNumber': number, 'logger': to_text(logger), 'message': short(message), 'time': created * 1000.0,
            'file': to_text(path), 'line': line, 'function': function and to_text(function), 'thread': thread and to_text(thread),
            'exception': exception and short(exception), 'extra': extra}


def carried(value):
    """A value as it is now, when it can be sent and is not long, else its repr."""
    if type(value) in SCALARS and not hasattr(value, '__len__'):
        return value
    try:
        payload = dumps(value)
        if len(payload) <= MAX_TEXT:
            return loads(payload)
    except DumpError:
        pass
    return short(repr(value))


def short(text):
    text = to_text(text)
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + u'\u2026'
