"""`_tendril.tree_writer`: the worker's half of put (twin: tree-writer.ts; tree_reader.py says what the items are)."""
import io
import os

from _tendril import PY2
from _tendril.staging import MEMBERS, answering, check, local, make_staging, move, moves, remove

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | sum(getattr(os, name, 0) for name in ('O_BINARY', 'O_CLOEXEC', 'O_NOFOLLOW'))


def receive(channel, path, preserve):
    """Makes what the controller sends, beside `path`, and puts it there when it is complete."""
    writer = TreeWriter(local(path), preserve)

    def work():
        try:
            item = channel.receive()
            while item != ['done']:
                writer.take(item)
                item = channel.receive()
            writer.settle()
        finally:
            writer.discard()
        channel.send(('done',))

    answering(channel, writer, work)


class TreeWriter(object):
    """Makes a tree of items, under a name of its own beside the target."""

    def __init__(self, target, preserve):
        self.target = self.at = os.path.realpath(target) if os.path.exists(target) else target.rstrip(b'/') or target
        self.preserve = preserve
        self.staging = None
        self.folders = []  # those that are being filled: path, mode, modified
        self.file = None   # that is being written: file, path, mode, modified

    def take(self, item):
        if type(item) is list:
            getattr(self, 'on_' + str(item[0]))(*item[1:])
        elif item is None:
            self.end_file()
        elif isinstance(item, (int, type(1 << 64))):
            self.file[0].seek(item, os.SEEK_CUR)
        else:
            write_all(self.file[0], item)

    def on_folder(self, name, mode, modified):
        path = self.place(name, True)
        os.mkdir(path, 0o700 if self.preserve else mode | 0o700)
        self.folders.append((path, mode, modified))

    def on_leave(self):
        self.finish(*self.folders.pop())

    def on_small(self, name, mode, modified, data):
        self.on_file(name, mode, modified, len(data))
        write_all(self.file[0], data)
        self.end_file()

    def on_file(self, name, mode, modified, size):
        path = self.place(name, False)
        first = 0o666 if mode is None else 0o600 if self.preserve else mode
        self.file = io.open(os.open(path, CREATE, first), 'wb', 0), path, mode, modified

    def on_link(self, name, target):
        os.symlink(bytes(target), self.place(name, False))

    def place(self, name, is_folder):
        """The path of something new."""
        if self.folders:
            path = os.path.join(self.folders[-1][0], bytes(name))
            self.at = self.target + path[len(self.staging):]
            return path
        check(is_folder, self.target)
        self.staging = make_staging(self.target)
        return self.staging

    def end_file(self):
        opened, path, mode, modified = self.file
        opened.truncate()  # a hole at the end is none until now
        opened.close()
        self.file = None
        self.finish(path, mode, modified)

    def finish(self, path, mode, modified):
        if self.preserve and mode is not None:
            os.chmod(path, mode & MEMBERS)
        if self.preserve and modified is not None:
            if PY2:
                os.utime(path, ((modified + 0.5) / 1e6,) * 2)  # as a float it may be a little less
            else:
                os.utime(path, ns=(modified * 1000, modified * 1000))

    def settle(self):
        self.at = self.target
        for staged, target in moves(self.staging, self.target):
            self.at = target
            move(staged, target)

    def discard(self):
        """Removes whatever has not been put into its place."""
        if self.file:
            self.file[0].close()
        if self.staging and os.path.lexists(self.staging):
            remove(self.staging)


def write_all(target, data):
    view = memoryview(data)
    while view:
        view = view[target.write(view):]
