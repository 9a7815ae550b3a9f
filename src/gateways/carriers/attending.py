"""`_tendril.attending`: a process that ends those that a carrier has started, were that killed (twin: src/transports/attendant.ts).

A worker among them would be ended by its guard; but that waits for the end of the carrier before it counts, and an interpreter that
hangs in its start has none.
"""
from _tendril import PY2, _thread, os
from _tendril.processes import start

lock = _thread.allocate_lock()
groups = set()
attendants = []  # one, while there is any group


def attend(script, group):
    """Has a process group end with this process."""
    with lock:
        if not attendants:
            attendant = start(['sh', '-c', script], {})
            attendant.stdout.close()
            attendant.stderr.close()
            attendants.append(attendant)
        groups.add(group)
        say('+', group)


def release(group):
    """It has ended."""
    with lock:
        if group in groups:
            groups.discard(group)
            say('-', group)
            if not groups:
                attendant = attendants.pop()
                attendant.stdin.close()
                attendant.wait()


def say(verb, group):
    line = '%s %d\n' % (verb, group)
    try:
        os.write(attendants[0].stdin.fileno(), line if PY2 else line.encode('ascii'))
    except EnvironmentError:
        pass  # somebody has killed it
