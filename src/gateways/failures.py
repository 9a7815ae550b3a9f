"""`_tendril.failures`: a Python exception as CLOSE carries it (PROTOCOL.md section 4; twin: remoteErrorFrom in src/errors.ts)."""
import linecache
import sys
import traceback

from _tendril import DumpError, dumps, worker

MAX_CAUSES = 10  # of a chain of exceptions: a loop that raises from itself must not fill the frame


def describe(kind, error, tb):
    """The dict for an exception. The files that it names need not exist here: the worker has the sources of its tasks."""
    for name, text in worker.texts.items():
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith('<tendril>'):
        tb = tb.tb_next
    return failure(kind, error, tb, set())


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
        'cause': cause_of(error, seen),
    }


def cause_of(error, seen):
    cause = getattr(error, '__cause__', None)
    if cause is None and not getattr(error, '__suppress_context__', False):
        cause = getattr(error, '__context__', None)
    if cause is None or id(cause) in seen or len(seen) >= MAX_CAUSES:
        return None
    return failure(type(cause), cause, cause.__traceback__, seen)


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
