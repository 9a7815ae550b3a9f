"""`_tendril.failures`: a Python exception as CLOSE carries it (PROTOCOL.md section 4; twin: remoteErrorFrom in src/errors.ts)."""
import linecache
import sys
import traceback

from _tendril import DumpError, dumps, worker

MAX_CAUSES = 10  # of a chain of exceptions: a loop that raises from itself must not fill the frame


def describe(kind, error, tb):
    """The dict for an exception. The files that it names need not exist here: the worker has the sources of its tasks."""
    if (kind.__module__, kind.__name__) == ('_tendril.references', 'Unfulfilled'):
        return error.description
    for name, text in worker.texts.items():
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    while tb is not None and is_ours(tb):
        tb = tb.tb_next
    if kind is KeyboardInterrupt:
        cut(tb)
    worker.failed = kind, error, tb  # the last one, for who wants to look closer
    return failure(kind, error, tb, set())


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


def failure(kind, error, tb, seen):
    seen.add(id(error))
    return {
        'type': kind.__name__,
        'module': kind.__module__,
        'message': message_of(kind, error),
        'args': tuple(sendable(arg) for arg in getattr(error, 'args', ())),
        'traceback': to_text(''.join(traceback.format_exception(kind, error, tb))),
        'frames': [{'file': to_text(f[0]), 'line': f[1], 'name': to_text(f[2]), 'text': to_text(f[3] or '')}
                   for f in traceback.extract_tb(tb)],
        'cause': describe_cause(cause_of(error, seen), seen),
    }


def describe_cause(cause, seen):
    return None if cause is None else failure(type(cause), cause, cause.__traceback__, seen)


def cause_of(error, seen):
    cause = getattr(error, '__cause__', None)
    if cause is None and not getattr(error, '__suppress_context__', False):
        cause = getattr(error, '__context__', None)
    return None if id(cause) in seen or len(seen) >= MAX_CAUSES else cause


def message_of(kind, error):
    try:
        if issubclass(kind, SyntaxError):
            return to_text(traceback.format_exception_only(kind, error)[-1].split(': ', 1)[-1].strip())
        return to_text(str(error))
    except Exception as e:  # an exception's own __str__ may fail
        return '<no message: %s>' % type(e).__name__


def sendable(value):
    try:
        dumps(value)
        return value
    except DumpError:
        try:
            return to_text(repr(value))
        except Exception as e:
            return '<no repr: %s>' % type(e).__name__


def to_text(text):
    """Python 2 has texts of two kinds; what is sent is the one that is text."""
    return text.decode('utf-8', 'replace') if sys.version_info[0] == 2 and isinstance(text, bytes) else text
