"""`_tendril.processes`: processes and threads that carry gateways and connections.

The threads of gevent and eventlet stand still while one of them reads from a pipe, and gevent's Popen works in the main thread only:
so neither come from the modules that user code may have patched.
"""
from _tendril import PY2, _thread, errno, extra, os, signal
from _tendril.worlds import anew

subprocess = anew('subprocess')
PIPE = subprocess.PIPE


def start(argv, env):
    """Starts a process in a session of its own, with unbuffered pipes; `env` is what it has beside our environment."""
    env = dict(os.environ, **env)
    session = {'preexec_fn': os.setsid} if PY2 else {'start_new_session': True}
    return subprocess.Popen(argv, bufsize=0, close_fds=True, executable=program(argv[0], env), env=env, stdin=PIPE, stdout=PIPE, stderr=PIPE, **session)


def program(name, env):
    """Where the program of a name lies. Looking for it by itself, Python imports `warnings`, which may be a module of the working directory."""
    if os.name == 'posix' and '/' not in name:
        for folder in env.get('PATH', os.defpath).split(os.pathsep):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return name


def kill(child):
    """Ends a process with all that it has started."""
    if os.name == 'posix':
        os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    child.wait()


def beside(function, *args):
    """Has a thread of its own call a function; gives a lock that is free when it has.

    Where the system has no more threads this is an EnvironmentError, as of all else that it has not: what wanted this one fails alone.
    """
    done = _thread.allocate_lock()
    done.acquire()

    def run():
        try:
            function(*args)
        finally:
            done.release()

    try:
        _thread.start_new_thread(run, ())
    except Exception:
        raise EnvironmentError(errno.EAGAIN, extra('threads').why_no_thread())
    return done
