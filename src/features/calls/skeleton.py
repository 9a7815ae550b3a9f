"""`_tendril.skeleton`: reads a payload as far as it can be read without anything that it names."""
from _tendril import PY2, BytesIO, Unpickler
from _tendril.memory import HEAD, Lost


def reader_of(payload, names={}):
    """Reads a payload without making what it names, but for what `names` has functions for, of names of `_tendril`."""
    def find(module, name):
        return names.get(name, nothing) if module == '_tendril' else nothing

    reader = Skeleton(BytesIO(b''.join(payload) if type(payload) is list else bytes(payload)))
    if PY2:
        reader.find_global, reader.persistent_load = find, nothing
    else:
        reader.find = find
    return reader


class Py3Skeleton(object if PY2 else Unpickler):
    def find_class(self, module, name):
        return self.find(module, name)

    def persistent_load(self, pid):
        return nothing()


Skeleton = Unpickler if PY2 else Py3Skeleton


def nothing(*args):
    return Nothing()


class Nothing(list):
    """Takes members of any kind, and is a key."""

    __hash__ = object.__hash__

    def __setitem__(self, key, value):
        pass


def beginning_of(payload, size):
    """The first members, `size` of them, of the list that a payload holds, where they are plain and within its first bytes: there may be no memory for more; else None."""
    head = payload.head if type(payload) is Lost else bytes((payload[0] if type(payload) is list else payload)[:HEAD])
    if head[2:3] == b'\x95':  # the end of that frame is not here
        head = head[:2] + head[11:]
    for end in range(len(head) + 1):
        try:
            members = reader_of(head[:end] + b'e.').load()  # as if the list ended here
        except Exception:  # amid a member
            continue
        if type(members) is list and len(members) == size:
            return members
