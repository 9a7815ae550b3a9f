"""`_tendril.linecaches`: the sources that worker code has only as texts, in Python's linecache, where tracebacks find their lines."""
from _tendril import Worker, originals, worker

EXECUTE = Worker.execute.__code__
entries = {}  # by name: a text, and what linecache was given for it


def cache_sources(frame):
    """Has tracebacks find the lines of our sources. Tasks without a name share one: its text is that of the one that runs at the frame.

    Gives the name of that text and its entry.
    """
    task = task_at(frame)
    file, text = (task['file'], task['source']) if task else (None, None)
    if isinstance(text, bytes):
        text = worker.texts.get(file)  # as its encoding has it
    mine = None
    if text is not None:
        worker.texts[file] = text
        mine = entry_of(file, text)
    for name, text in list(worker.texts.items()):
        entry_of(name, text)
    gone = set(entries).difference(worker.texts)
    for lines in caches():
        lines.update((name, entry) for name, (_, entry) in list(entries.items()))
        for name in gone:
            lines.pop(name, None)
    for name in gone:
        entries.pop(name, None)
    return file, mine


def caches():
    """What our linecache holds, and that of user code if it has another: who shows lines takes them from there. One that is being imported may hold nothing yet."""
    return [module.cache for module in set([originals.at_hand('linecache'), originals.loaded('linecache')]) if hasattr(module, 'cache')]


def entry_of(name, text):
    """What linecache holds for a text: the same object as long as no other text has that name."""
    known, entry = entries.get(name, (None, None))
    if known is not text:
        entry = len(text), None, text.splitlines(True), name
        entries[name] = text, entry
    return entry


def task_at(frame):
    """What EXEC has said of the task that runs at a frame, if one does."""
    while frame is not None and frame.f_code is not EXECUTE:
        frame = frame.f_back
    return frame and frame.f_locals['task']
