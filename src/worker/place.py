"""`_tendril.place`: where the worker works, how nicely, and with which variables: for gateways with the keys `chdir`, `nice` or `env:`."""
from _tendril import PY2, os


def take_place(setup):
    """Takes the place asked for; gives what is wrong, or None."""
    try:
        if setup['nice']:
            os.nice(setup['nice'])
        for name, value in setup.get('env', {}).items():
            set_variable(name, value)
        if setup['chdir']:
            chdir = encoded(setup['chdir'])
            if not os.path.isdir(chdir):
                os.makedirs(chdir)
            os.chdir(chdir)
    except (EnvironmentError, AttributeError, UnicodeError) as e:
        return str(e)


def set_variable(name, value):
    if PY2 or os.name != 'posix':
        os.environ[encoded(name)] = encoded(value)
    else:
        os.environb[encoded(name)] = encoded(value)


def encoded(text):
    """As the system has it, whatever the locale there."""
    return text.encode('utf-8') if os.name == 'posix' else text
