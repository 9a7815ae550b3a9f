"""`_tendril.setup`: what the worker is told first and what it says of itself (PROTOCOL.md section 3; twin: hello.ts)."""
import os
import sys

from _tendril import HEADER, HELLO, PROTOCOL, VERSION, channel, dumps, output, worker


def apply(setup):
    """Sets the worker up, before any user code, and says hello; an error in it ends the worker."""
    worker.id, worker.execmodel, worker.window = setup['id'], setup['execmodel'], setup['window']
    sys.dont_write_bytecode = sys.dont_write_bytecode or setup['dont_write_bytecode']
    error = settle(setup['nice'], setup['chdir'])
    worker.channel, worker.output = channel, output.Output()
    if hasattr(os, 'fork'):
        from _tendril import guard
        guard.start()
    hello = dumps(dict(info(), version=VERSION, pickle=PROTOCOL, error=error))
    worker.write_all(worker.marker.encode('ascii') + HEADER.pack(HELLO, 0, 0, len(hello)) + hello)
    if error is not None:
        os._exit(1)


def settle(nice, chdir):
    """Takes the place asked for; gives what is wrong, or None."""
    try:
        if nice:
            os.nice(nice)
        if chdir:
            chdir = chdir.encode('utf-8') if os.name == 'posix' else chdir  # whatever the locale there
            if not os.path.isdir(chdir):
                os.makedirs(chdir)
            os.chdir(chdir)
    except (EnvironmentError, AttributeError, UnicodeError) as e:
        return str(e)


def info():
    try:
        cwd = os.getcwd()
    except OSError:
        cwd = None
    return {'pid': os.getpid(), 'executable': sys.executable, 'version_info': list(sys.version_info), 'platform': sys.platform,
            'implementation': 'PyPy' if '__pypy__' in sys.builtin_module_names else 'CPython', 'cwd': cwd}


def status():
    channels = list(worker.channels.values())
    return dict(info(), execmodel=worker.execmodel, num_executing=len(worker.executing),
                num_channels=sum(not channel._closed for channel in channels))
