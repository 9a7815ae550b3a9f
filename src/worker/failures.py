"""`_tendril.failures`: a Python exception as CLOSE carries it (PROTOCOL.md section 4; twin: remoteErrorFrom in src/errors.ts).

Whatever the exception's class, its metaclass, its arguments, their `repr` or the loaders of its modules do (raise SystemExit, give no
text, never come to an end of their own recursion), the failure has its type and its module: those are read past user code, and
all the rest is read by `attempt` and `tolerant`. Nothing is imported but by these: the working directory may hold a `traceback.py`.
"""
from _tendril import PY2, SCALARS, STDERR, _thread, acquire, dumps, errno, extra, extras, loads, os, sys, worker
from _tendril.linecaches import cache_sources, caches
from _tendril.originals import at_hand

confessing = _thread.allocate_lock()
SCARCE = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
PATIENCE = 1.0  # seconds for the last words of a worker
MAX_CAUSES = 10  # of a chain of exceptions: a loop that raises from itself must not fill the frame
MAX_FRAMES = 1500  # of an exception, from its beginning and its end: with those of its causes they are read on the other side in a moment
SHORT_TRACEBACK = 1 << 16  # characters: the lines of its frames are in it
MAX_TEXT = 1 << 20   # characters of a message or a traceback; of longer ones the beginning and the end
MAX_FAILURE = 24 << 20  # bytes of an exception with its causes: the other side reads some more than that
MAX_ARGS = 16 << 20  # bytes of an exception's arguments; those beyond are told by their size
TEXT = (str, type(u''))
LOOKS = 5    # at sources, when other threads have described failures meanwhile
CAUSED = u'\nThe above exception was the direct cause of the following exception:\n\n'


def describe(kind, error, tb):
    """The dict for an exception."""
    try:
        return describe_all(kind, error, tb)
    except BaseException as e:  # there is no memory, or a user's module is in the place of one that it takes
        name, module = names_of(kind)
        message = '(cannot be described: %s)' % names_of(type(e))[0]
        return {'type': name, 'module': module, 'message': message, 'traceback': '%s: %s\n' % (name, message)}


def describe_all(kind, error, tb):
    """The files that it names need not exist here: the worker has the sources of its tasks."""
    references = extras.get('references')
    if references is not None and kind is references.Unfulfilled:
        return error.description
    frame = sys._getframe()
    while tb is not None and is_ours(tb):
        frame, tb = tb.tb_frame, tb.tb_next
    if kind is KeyboardInterrupt:
        cut(tb)
    if kind is not MemoryError:  # whose frames hold what took the memory
        worker.failed = kind, error, tb  # the last one, for who wants to look closer
    for _ in range(LOOKS):
        file, mine = attempt(cache_sources, frame) or (None, None)
        description = failure(kind, error, tb, set())
        if mine is None or all(lines.get(file) is mine for lines in caches()):
            break  # else another thread has described a failure of the same file
    is_short = description['cause'] is None and len(description['traceback']) < SHORT_TRACEBACK
    return description if is_short or extra('memory').size_of(description) <= MAX_FAILURE else fitting(description, 0)


def miss(task, scope):
    """Raises what is said where the source of a task does not define its function."""
    functions = sorted(name for name, value in list(scope.items()) if type(value) is type(miss) and value.__globals__ is scope)
    raise NameError('there is no function %s in %s; it has %s' % (task['function'], task['file'], ', '.join(functions) or 'none'))


def names_of(kind):
    """The name of an exception's class and that of its module, past whatever its metaclass says of them."""
    names = []
    for name in ('__name__', '__module__'):
        try:
            names.append(''.join((type.__dict__[name].__get__(kind) if isinstance(kind, type) else getattr(kind, name),)))
        except (AttributeError, TypeError):  # there is none, or it is no text
            names.append('<unknown>')
    return names


def attempt(function, *args):
    """What the function gives; None, when user code that it meets raises anything at all."""
    try:
        return function(*args)
    except BaseException:
        return None


def tolerant(function, *args):
    """The text that the function gives, or which exception it gave instead."""
    try:
        return function(*args)
    except BaseException as e:
        return '<no text: %s>' % names_of(type(e))[0]


def confess():
    """Tells the exception that is being handled, which ends the worker, and whose fault it is."""
    confessing.acquire()  # of several threads that fail, the first one ends all
    text = worker.describe_failure()['traceback'].rstrip()
    said = text.split(u'\n')[-1]
    reason = reason_of(*sys.exc_info()[:2]) or extra('strikes').whose(*sys.exc_info()[:2])
    say_last((u'%s\ntendril worker: %s: %s\n' % (text, reason, said)).encode('utf-8'))


def reason_of(kind, error):
    """What the system has no more of, when that is why code of ours failed."""
    if kind is MemoryError:
        return u'there is no memory left'
    if kind is _thread.error and 'new thread' in str(error) or isinstance(error, EnvironmentError) and error.errno in SCARCE:
        return u'the system has no more threads, processes, files or memory for it (ulimit -a)'


def say_last(text):
    """Sends it behind all that was printed. It may be this that fails, or that comes to no end: then it goes where a crash would print it."""
    said, done = [], _thread.allocate_lock()

    def send():
        attempt(worker.output.drain)
        attempt(lambda: said.append(worker.output.send(STDERR, text)))
        done.release()

    done.acquire()
    if attempt(_thread.start_new_thread, send, ()) is not None:
        acquire(done, PATIENCE)
    if not said:
        os.write(worker.output.stderr, text)


def print_current():
    """Prints the exception that is being handled, as `traceback.print_exc` does. A forked child ends with it instead of going on as the worker."""
    forked = extras.get('forked')
    if forked is not None and forked.is_child():
        worker.describe_failure()
    say(describe(*sys.exc_info())['traceback'])


def say(text):
    """Writes to Python's stderr, in whose place user code may have put anything."""
    attempt(lambda: sys.stderr.write(text.encode('utf-8') if PY2 and not isinstance(text, bytes) else text))


def is_ours(tb):
    return tb.tb_frame.f_code.co_filename.startswith('<tendril>')


def cut(tb):
    """Takes off what raised an interrupt; Pythons before 3.7 show it."""
    last = tb
    while tb is not None:
        last, tb = last if is_ours(tb) else tb, tb.tb_next
    try:
        last.tb_next = None
    except (AttributeError, TypeError):
        pass


def print_late(channel, description):
    """Of a channel that was closed before its code failed: CLOSE cannot carry it any more."""
    if is_news(description):
        say('channel %d failed after it was closed:\n%s\n' % (channel.id, description['traceback'].rstrip()))


def is_news(description):
    """Not so an interrupt, which somebody wanted, and code that exits without an error (twin: src/channels/untold.ts)."""
    name, args = description['type'], tuple(loads(payload) for payload in description['args'])
    return name != 'KeyboardInterrupt' and (name != 'SystemExit' or args not in ((), (0,), (None,)))


def failure(kind, error, tb, seen):
    seen.add(id(error))
    name, module = names_of(kind)
    cause = describe_cause(cause_of(error, seen), seen)
    message = tolerant(message_of, kind, error)
    frames = attempt(frames_of, tb) or bare_frames(tb)
    text = attempt(formatted, kind, error, tb) or text_of(frames, '%s: %s' % (name, message), cause)
    if len(frames) > MAX_FRAMES:
        frames[MAX_FRAMES // 2:-MAX_FRAMES // 2] = []
    return {'type': to_text(name), 'module': to_text(module), 'message': shortened(message), 'args': args_of(error),
            'traceback': shortened(text), 'frames': frames, 'cause': cause}


def describe_cause(cause, seen):
    return None if cause is None else failure(type(cause), cause, attribute_of(cause, '__traceback__'), seen)


def cause_of(error, seen):
    cause = attribute_of(error, '__cause__')
    if cause is None and not attribute_of(error, '__suppress_context__'):
        cause = attribute_of(error, '__context__')
    return None if id(cause) in seen or len(seen) >= MAX_CAUSES else cause


def attribute_of(error, name):
    """What an exception has under a name of BaseException's, whatever its class makes of it; None where Python 2 has no such name."""
    descriptor = BaseException.__dict__.get(name)
    return descriptor and attempt(descriptor.__get__, error, BaseException)


def message_of(kind, error):
    if issubclass(kind, SyntaxError):
        return to_text(at_hand('traceback').format_exception_only(kind, error)[-1].split(': ', 1)[-1].strip())
    try:
        return to_text(str(error))
    except UnicodeError:
        return to_text(u'%s' % (error,) if PY2 else str(error))


def formatted(kind, error, tb):
    return to_text(''.join(at_hand('traceback').format_exception(kind, error, tb)))


def frames_of(tb):
    return [{'file': to_text(f[0]), 'line': f[1], 'name': to_text(f[2]), 'text': to_text(f[3] or '')} for f in at_hand('traceback').extract_tb(tb)]


def bare_frames(tb):
    """The frames without their lines: nobody is asked for a source."""
    frames = []
    while tb is not None:
        code = tb.tb_frame.f_code
        frames.append({'file': to_text(code.co_filename), 'line': tb.tb_lineno, 'name': to_text(code.co_name), 'text': u''})
        tb = tb.tb_next
    return frames


def text_of(frames, message, cause):
    """A traceback as Python would print it if it could."""
    lines = [u'  File "%(file)s", line %(line)s, in %(name)s\n%(indented)s' % dict(
        frame, indented=frame['text'] and u'    %s\n' % frame['text']) for frame in frames]
    text = u'Traceback (most recent call last):\n%s%s\n' % (''.join(lines), to_text(message))
    return text if cause is None else cause['traceback'] + CAUSED + text


# Arguments.

def args_of(error):
    """A payload each: of what cannot be read on the other side, only that is lost. As they are now: what is sent is what was looked at."""
    args = attempt(lambda: error.args)
    if not issubclass(type(args), tuple):
        args = attribute_of(error, 'args') or ()
    left, payloads = MAX_ARGS, []
    for arg in tuple.__iter__(args):
        size = len(arg) if type(arg) in SCALARS and hasattr(arg, '__len__') else 0
        sent = None if size > left else attempt(payload_of, arg) or payload_of(tolerant(text_of_arg, arg))
        size = size if sent is None else len(sent)
        if size > left:
            sent = payload_of(u'<%s of %d bytes, too long to be sent with an exception>' % (to_text(names_of(type(arg))[0]), size))
        left -= len(sent)
        payloads.append(sent)
    return tuple(payloads)


def payload_of(value):
    return bytes(dumps(value))  # on Python 2 no text either, as it is not UTF-8: as Bytes it would be sent as one, and take thrice as much


def text_of_arg(value):
    return shortened(to_text(repr(value)))


def shortened(text, most=MAX_TEXT):
    return text if len(text) <= most else text[:most // 2] + u'\u2026' + text[-most // 2:]


def fitting(reason, size):
    """Why code failed, or a channel was closed, when that is longer than an item may be: of a failure its type and its module stay."""
    if type(reason) is not dict:
        return extra('memory').too_long('what it failed with', size)
    most = min(worker.max_item, MAX_FAILURE)
    room = most // 32  # for each of its texts, whose characters are four bytes at most
    short = dict((name, shortened(reason[name], room)) for name in ('type', 'module', 'message', 'traceback'))
    args = tuple(arg if len(arg) <= room else payload_of(u'<%d bytes, too long to be sent with an exception>' % len(arg)) for arg in reason['args'])
    frames = []
    for frame in reversed(reason['frames']):
        room -= len(frame['file']) + len(frame['name']) + len(frame['text']) + 100
        if room < 0:
            break
        frames.insert(0, frame)
    return dict(short, args=args if sum(map(len, args)) <= most // 4 else (), frames=frames, cause=None)


def to_text(text):
    """Python 2 has texts of two kinds; what is sent is the one that is text. What a subclass of it adds stays here."""
    if not issubclass(type(text), TEXT):
        return text
    return bytes.decode(text, 'utf-8', 'replace') if PY2 and issubclass(type(text), bytes) else u''.join((text,))
