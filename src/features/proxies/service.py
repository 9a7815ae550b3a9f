"""`_tendril.service`: modules of which only some functions can be called (twin: service.ts beside it)."""
from _tendril import os, session, sys, worker
from _tendril.scheduling import Lane
from _tendril.session import operations
from _tendril.sources import UNNAMED

services = {}  # by number: (name of the module, functions by name)


def start(call, number, source, file, names, threads=None):
    """Runs a source as a module of its own, and finds the functions that may be called."""
    stem = os.path.splitext(os.path.basename(file))[0].strip('<>')
    module = type(sys)(str('service%d_%s' % (number, stem.replace('.', '_').replace(' ', '_'))))
    module.__file__ = file
    sys.modules[module.__name__] = module
    try:
        exec(worker.compile(source, '<service %d>' % number if file == UNNAMED else file), module.__dict__)
        functions = dict((name, function_of(module, file, name)) for name in names)
    except BaseException:
        del sys.modules[module.__name__]
        raise
    services[number] = module.__name__, functions
    if threads is not None:
        session.session.lanes[number] = Lane(threads, has_main=False)


def function_of(module, file, name):
    function = module.__dict__.get(name)
    if not callable(function):
        raise AttributeError('%s defines no function %r, so that it cannot be exposed' % (file, str(name)))
    return function


def perform(call, number, name, args, kwargs={}):
    if number not in services:
        raise LookupError('the service was disposed of')
    functions = services[number][1]
    if name not in functions:
        raise AttributeError('the service does not expose %r; it exposes %s' % (str(name), ', '.join(sorted(functions))))
    return functions[name](*args, **kwargs)


def stop(call, number):
    module = services.pop(number, None)
    worker.texts.pop('<service %d>' % number, None)
    if module is not None:
        sys.modules.pop(module[0], None)
    lane = session.session.lanes.pop(number, None)
    if lane is not None:
        lane.close()


operations.update({'service.start': start, 'service.call': perform, 'service.stop': stop})
