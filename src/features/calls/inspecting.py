"""`_tendril.inspecting`: what threads do now, and what the last exception left (twins: stacks.ts and post-mortem.ts)."""
from _tendril import PY2, Worker, extras, originals, sys, worker
from _tendril.failures import attribute_of, cause_of, failure, to_text, tolerant
from _tendril.linecaches import cache_sources
from _tendril.session import Session, session

MAX_FRAMES = 500    # of a stack that has more, these are its innermost
MAX_LOCALS = 100    # of a frame, and so many innermost frames have any
MAX_TEXT = 1000     # of a local, in characters
OUTCOME, EXECUTE = Session.outcome.__code__, Worker.execute.__code__
ROLES = {'read_all': 'tendril: reads', 'forward': 'tendril: forwards output', 'help': 'tendril: performs calls',
         'run_loop': 'tendril: event loop'}


def stacks(channel):
    """Sends a dict for each thread but the one that this runs in."""
    names = names_of_threads()
    own = sys._getframe()
    for ident, frame in sorted(sys._current_frames().items(), key=lambda item: item[0] != worker.main):
        if frame is not own and frame.f_code is not own.f_code:
            cache_sources(frame)
            channel.send(thread(ident, frame, names))


def thread(ident, frame, names):
    frames, performing, role = [], None, None
    while frame is not None and performing is None:  # how it came to perform that is our own affair
        code = frame.f_code
        if code is OUTCOME:
            performing = title(frame.f_locals.get('request') or ['?'])
        elif code is EXECUTE:
            performing = 'exec of %s' % frame.f_locals['task']['file']
        role = ROLES.get(code.co_name, role) if is_ours(frame) else role
        frames.append((frame, frame.f_lineno))
        frame = frame.f_back
    while performing and frames and is_ours(frames[-1][0]):
        frames.pop()
    shown = [describe(frame, line) for frame, line in reversed(frames[:MAX_FRAMES])]
    return {'ident': ident, 'name': to_text(names.get(ident) or role or 'Thread-%d' % ident), 'is_main': ident == worker.main,
            'performing': performing and to_text(performing), 'frames': shown, 'omitted': max(len(frames) - MAX_FRAMES, 0)}


def title(request):
    return ' '.join([request[0]] + [subject.strip().partition('\n')[0][:80] for subject in request[1:2] if isinstance(subject, (str, type(u'')))])


def describe(frame, line):
    code = frame.f_code
    text = originals.own('linecache').getline(code.co_filename, line, frame.f_globals).strip()
    return {'file': to_text(code.co_filename), 'line': line, 'name': to_text(code.co_name), 'text': to_text(text)}


def is_ours(frame):
    return frame.f_code.co_filename.startswith('<tendril>')


def names_of_threads():
    active = getattr(originals.loaded('threading'), '_active', {})
    names = dict((ident, each.name) for ident, each in list(active.items()) if not each.name.startswith('Dummy-'))
    names[worker.main] = 'MainThread'
    return names


# What runs.

def others(channel, numbers):
    """Sends how much of the user's runs beside the requests of these numbers: calls, tasks, copies, carried gateways and connections."""
    calls = [session.running.get(number) for number in numbers]
    spared = calls + [call.channel for call in calls if call is not None]
    forwarding = extras.get('forward_remote')
    count = sum(not any(task is each for each in spared) for task in list(worker.executing.values()))
    channel.send(count + (len(forwarding.carried) if forwarding else 0))


def threads_of(channel, numbers):
    """Sends the name of the thread of each of these requests; None for one that is awaited, or has ended."""
    names = names_of_threads()
    for number in numbers:
        call = session.running.get(number)
        thread = None if call is None else call.thread
        channel.send(None if thread is None else to_text(names.get(thread) or 'Thread-%d' % thread))


# What the last exception left.

def post_mortem(channel):
    """Sends the failure that was described last, its frames with their locals; None when there was none."""
    failed = getattr(worker, 'failed', None)
    if failed and failed[2]:
        cache_sources(failed[2].tb_frame)
    channel.send(failed and with_locals(*failed))


def with_locals(kind, error, tb):
    described = level = failure(kind, error, tb, set())
    seen = set()
    while level is not None:
        seen.add(id(error))
        add_locals(level['frames'], tb)
        level, error = level['cause'], cause_of(error, seen)
        tb = None if error is None else attribute_of(error, '__traceback__')
    return described


def add_locals(frames, tb):
    entries = []
    while tb is not None:
        entries.append(tb.tb_frame)
        tb = tb.tb_next
    for at, (described, frame) in enumerate(zip(frames, entries)):
        described['locals'] = texts_of(frame.f_locals) if len(entries) - at <= MAX_LOCALS else {}


def texts_of(names):
    kept = sorted(name for name in list(names) if not (name.startswith('__') and name.endswith('__')))[:MAX_LOCALS]
    return dict((to_text(name), text_of(names[name])) for name in kept if name in names)


def text_of(value):
    return tolerant(lambda: to_text(limited.repr(value))[:MAX_TEXT])


limited = originals.own('repr' if PY2 else 'reprlib').Repr()
limited.maxlevel = 4
limited.maxstring = limited.maxother = limited.maxlong = MAX_TEXT
limited.maxlist = limited.maxtuple = limited.maxdict = limited.maxset = limited.maxfrozenset = limited.maxdeque = limited.maxarray = 20
