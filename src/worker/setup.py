"""`_tendril.setup`: what the worker is told first and what it says of itself (PROTOCOL.md section 3; twin: hello.ts)."""
from _tendril import HEADER, HELLO, PROTOCOL, PY2, VERSION, channel, dumps, extra, os, outgoing, output, plain, signal, sys, worker


def apply(setup):
    """Sets the worker up, before any user code, and says hello; an error in it ends the worker."""
    worker.id, worker.execmodel = setup['id'], setup['execmodel']
    worker.window, worker.max_item = setup['window'], setup['max_item']
    sys.dont_write_bytecode = sys.dont_write_bytecode or setup['dont_write_bytecode']
    if hasattr(signal, 'pthread_sigmask'):  # what ends and interrupts workers; who started this one may have it blocked
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGTERM])
    error = None
    if setup['nice'] or setup['chdir'] or 'env' in setup:
        error = worker.sources['_tendril.place'] and extra('place').take_place(setup)  # nothing waits for it here
    make_main()
    worker.channel, worker.outgoing, worker.output = channel, outgoing.Outgoing(), output.Output()
    worker.guard = None
    if hasattr(os, 'fork'):
        from _tendril import guard, relay
        worker.guard = guard.start(relay.Relay(worker.output.flags))
        worker.output.read_from(worker.guard.relay)
    hello = dumps(dict(info(), version=VERSION, pickle=PROTOCOL, error=error))
    worker.outgoing.post(worker.frame(worker.marker.encode('ascii') + HEADER.pack(HELLO, 0, 0, len(hello)) + hello))
    if error is not None:
        os._exit(1)
    # From here on the working directory is searched, as `python -c` does: by user code, for nothing of ours (`_tendril.originals`).
    worker.modules = dict(sys.modules)
    if not (getattr(sys.flags, 'isolated', 0) or getattr(sys.flags, 'safe_path', 0)):
        sys.path.insert(0, '')
        for name in worker.modules:
            top = name.split('.')[0]
            if top not in plain.union(sys.builtin_module_names) and any(map(os.path.exists, (top, top + '.py'))):  # user code has its own there
                del sys.modules[name]


def make_main():
    """Gives user code a `__main__` as `python -c` has it, without the names of what has started us. C code that imports needs `__builtins__` there."""
    worker.loader = sys.modules['__main__']  # Python 2 empties a module with its last reference
    main = sys.modules['__main__'] = type(sys)('__main__')
    main.__builtins__ = sys.modules['__builtin__' if PY2 else 'builtins']
    main.__package__ = None
    if not PY2:
        main.__loader__ = sys.modules['_frozen_importlib'].BuiltinImporter
    if '__annotations__' in worker.loader.__dict__:  # before Python 3.14
        main.__annotations__ = {}


def info():
    try:
        cwd = os.getcwd()
    except OSError:
        cwd = None
    return {'pid': os.getpid(), 'executable': sys.executable, 'version_info': list(sys.version_info), 'platform': sys.platform,
            'implementation': 'PyPy' if '__pypy__' in sys.builtin_module_names else 'CPython', 'cwd': cwd}
