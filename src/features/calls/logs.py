"""`_tendril.logs`: records of `logging` and warnings for the controller (twin: log.ts beside it).

A follower is no handler, and changes no level: what user code sees of its logging is as if nobody followed. Two methods of Logger
are wrapped meanwhile. Whoever logs only puts a record into a queue, whatever thread that is; a thread for each follower sends what
is there. When the controller is slow the queue is full, and what comes then is counted instead.
"""
from _tendril import DumpError, Mailbox, _thread, sys, worker
from _tendril.failures import payload_of, to_text
from _tendril.inbox import Bell, divert
from _tendril.originals import common

logging, warnings = common('logging'), common('warnings')

MAX_WAITING = 1000  # records
MAX_EXTRA = 1000    # values of one
MAX_SENT = 100      # at a time
MAX_TEXT = 16384    # characters of a message or of an exception; bytes of an extra value
MAX_CALLERS = 16    # frames between the method that user code logs with and callHandlers
STANDARD = set(vars(logging.LogRecord('', 0, '', 0, '', (), None))) | set(['message', 'asctime', 'taskName'])

followers = []
mutex = _thread.allocate_lock()


class Follower(object):
    def __init__(self, channel, level, logger, with_warnings):
        self.channel, self.level, self.logger, self.with_warnings = channel, level, logging.getLogger(logger or None), with_warnings
        self.records, self.dropped, self.emitting, self.is_over, self.sending = Mailbox(), 0, set(), False, _thread.allocate_lock()
        divert(channel, Bell(self.end))

    def end(self, item):
        """While the gateway is ending, what its tasks log until they have ended is heard."""
        self.is_over = self.channel.is_ended or self.channel.is_closed
        self.records.put(None)

    def emit(self, make, *args):
        thread = _thread.get_ident()
        if thread in self.emitting:  # what it takes to read a record logs
            return
        self.emitting.add(thread)
        try:
            if len(self.records.items) >= MAX_WAITING:
                self.dropped += 1
            else:
                self.records.put(make(*args))
        except Exception:  # something in it cannot be read at all
            self.dropped += 1
        finally:
            self.emitting.discard(thread)

    def run(self):
        while not self.is_over:
            if not self.send_waiting():
                self.records.sleep(None)

    def send_waiting(self):
        with self.sending:
            items = self.records.items
            if not items and not self.dropped:
                return False
            batch = [record for record in (items.popleft() for _ in range(min(len(items), MAX_SENT))) if record is not None]
            dropped, self.dropped = self.dropped, 0
            self.channel.send([dropped, batch])
            return True

    def send_all(self):
        while self.send_waiting():
            pass


def follow(channel, level, logger, with_warnings):
    """Sends what is logged from now on until the controller ends its side, and all that was logged before that."""
    follower = Follower(channel, level, logger, with_warnings)
    with mutex:
        followers.append(follower)
        settle()
    try:
        channel.send(None)  # it is heard from now on
        follower.run()
        leave(follower)
        follower.send_all()
    except IOError:  # the controller has closed the channel, or is gone, or the gateway is ending: then no clean end may be told
        channel.is_cut = channel.is_cut or worker.leaving
    finally:
        leave(follower)


def leave(follower):
    with mutex:
        if follower in followers:
            followers.remove(follower)
            settle()


def settle():
    """Has the hooks in place while they are needed."""
    for hook in hooks:
        hook.settle(followers)
    warning.settle([follower for follower in followers if follower.with_warnings])
    if not followers:
        let_through.clear()


class Hook(object):
    """Stands in the first of some places that has a function, around that function."""

    def __init__(self, wrap, *places):
        self.wrap, self.places, self.base, self.ours = wrap, places, None, None

    def settle(self, is_needed):
        held = [place for place in self.places if vars(place[0]).get(place[1]) is self.ours] if self.ours else []
        if is_needed and not held:
            holder, name = [place for place in self.places if vars(place[0]).get(place[1])][0]
            self.base = vars(holder)[name]
            self.ours = self.wrap(self.base, lambda function: self.ours is function)
            setattr(holder, name, self.ours)
        elif not is_needed:  # where somebody has wrapped it, it stays, and does nothing
            for holder, name in held:
                setattr(holder, name, self.base)


# Levels. A record that only a follower wants is made, and given to nobody else.

LOGGING = frozenset(['_log', 'log'])  # what such a method calls
let_through = set()  # ids of the frames of methods that log because of us alone


def wrap_enabled(base, is_active):
    def isEnabledFor(self, level):
        is_enabled = base(self, level)
        logger = self if isinstance(self, logging.Logger) else self.logger
        if is_enabled or not (is_active(isEnabledFor) and is_held_back(logger, level)):
            return is_enabled
        asking = asking_method(sys._getframe(1))
        if asking is not None:
            let_through.add(id(asking))
        return asking is not None

    return isEnabledFor


def is_held_back(logger, level):
    """Whether a follower wants what only the level of its logger, or of one above, holds back. What has been turned off stays so."""
    if followers and not logger.disabled and logger.manager.disable < level:
        for above in lineage(logger):
            if any(follower.logger is above and follower.level <= level for follower in list(followers)):
                return True
            if above.level:
                return False
    return False


def lineage(logger):
    """A logger and those above it, whether or not they have what is logged: propagation is about handlers."""
    while logger is not None:
        yield logger
        logger = logger.parent


def asking_method(frame):
    """The frame of a logger's method that asks before it logs. None for others: they are told what they would be told without us."""
    while frame is not None:
        code = frame.f_code
        first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
        if not isinstance(first, (logging.Logger, logging.LoggerAdapter)) or not hasattr(type(first), code.co_name):
            return None
        if code.co_name != 'isEnabledFor':
            return frame if LOGGING.intersection(code.co_names) else None
        frame = frame.f_back  # an adapter's, or one that a subclass has
    return None


def wrap_calling(base, is_active):
    def callHandlers(self, record):
        if is_active(callHandlers) and followers:
            tell(self, record)
            if is_ours_alone(self, record):
                return None
        return base(self, record)

    return of_logging(callHandlers, base)


def of_logging(function, base):
    """Has a function pass for one of logging's: when a handler fails, logging prints the stack from behind its own frames on."""
    if sys.version_info >= (3, 8) and hasattr(base, '__code__'):
        function.__code__ = function.__code__.replace(co_filename=base.__code__.co_filename, co_firstlineno=base.__code__.co_firstlineno)
    return function


def tell(logger, record):
    above = list(lineage(logger))
    for follower in list(followers):
        if follower.level <= record.levelno and follower.logger in above:
            follower.emit(describe, record)


def is_ours_alone(logger, record):
    if not let_through or enabling.base(logger, record.levelno):
        return False
    found, frame = set(), sys._getframe(2)
    for _ in range(MAX_CALLERS):
        if frame is not None:
            found.add(id(frame))
            frame = frame.f_back
    found.intersection_update(let_through)
    let_through.difference_update(found)
    return bool(found)


enabling = Hook(wrap_enabled, (logging.Logger, 'isEnabledFor'))
hooks = [enabling, Hook(wrap_calling, (logging.Logger, 'callHandlers'))]
if (3, 0) < sys.version_info < (3, 7):  # adapters that look at levels themselves
    hooks.append(Hook(wrap_enabled, (logging.LoggerAdapter, 'isEnabledFor')))


# Warnings: those that are shown. Python 2 has but `showwarning` for that, which user code and logging replace too.

def wrap_message(base, is_active):
    def _showwarnmsg(msg):
        if is_active(_showwarnmsg) and not is_recorded():
            tell_warning(msg.message, msg.category, msg.filename, msg.lineno, msg.file)
        return base(msg)

    return _showwarnmsg


def wrap_showing(base, is_active):
    def showwarning(message, category, filename, lineno, file=None, line=None):
        if is_active(showwarning):
            tell_warning(message, category, filename, lineno, file)
        return base(message, category, filename, lineno, file, line)

    return showwarning


def is_recorded():
    """Whether `catch_warnings` has a list take what would be shown."""
    context = warnings._get_context() if hasattr(warnings, '_get_context') else None  # from Python 3.14 on
    return getattr(context, 'log', None) is not None or isinstance(getattr(warnings._showwarnmsg_impl, '__self__', None), list)


def tell_warning(message, category, filename, lineno, file):
    if file is None and warnings.showwarning is not logging._showwarning:  # that one logs them
        for follower in list(followers):
            if follower.with_warnings and follower.level <= logging.WARNING:
                follower.emit(describe_warning, message, category, filename, lineno)


if hasattr(warnings, '_showwarnmsg'):
    warning = Hook(wrap_message, (warnings, '_showwarnmsg'))
else:  # what logging keeps there while it captures warnings is put back by it
    warning = Hook(wrap_showing, (logging, '_warnings_showwarning'), (warnings, 'showwarning'))


def describe(record):
    try:
        message = record.getMessage()
    except Exception as e:  # the arguments do not fit the message
        message = '%s (%s: %s)' % (record.msg, type(e).__name__, e)
    exception = record.exc_text
    if record.exc_info and not exception:
        exception = logging.Formatter().formatException(record.exc_info)
    extra = [(name, value) for name, value in list(vars(record).items()) if name not in STANDARD][:MAX_EXTRA]
    return entry(record.levelname, record.levelno, record.name, message, record.created, record.pathname, record.lineno, record.funcName,
                 record.threadName, exception, dict((to_text(name), carried(value)) for name, value in extra))


def describe_warning(message, category, filename, lineno):
    record = logging.LogRecord('py.warnings', logging.WARNING, filename, lineno, '', (), None)
    return entry(record.levelname, record.levelno, record.name, '%s: %s' % (category.__name__, message), record.created, filename, lineno, None,
                 record.threadName, None, {})


def entry(level, number, logger, message, created, path, line, function, thread, exception, extra):
    return {'level': to_text(level), 'levelNumber': number, 'logger': to_text(logger), 'message': short(message), 'time': created * 1000.0,
            'file': to_text(path), 'line': line, 'function': function and to_text(function), 'thread': thread and to_text(thread),
            'exception': exception and short(exception), 'extra': extra}


def carried(value):
    """The payload of a value as it is now, when it can be sent and is not long, else of its repr."""
    try:
        payload = payload_of(value)
        if len(payload) <= MAX_TEXT:
            return payload
    except DumpError:
        pass
    return payload_of(short(repr(value)))


def short(text):
    text = to_text(text)
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + u'\u2026'
