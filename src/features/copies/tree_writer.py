"""`_tendril.tree_writer`: the worker's half of put (twin: tree-writer.ts; tree_reader.py says what the items are)."""
from _tendril import os
from _tendril.fault import answering, local
from _tendril.folder import MEMBERS, set_mode, set_times
from _tendril.originals import own
from _tendril.resolving import resolve
from _tendril.settling import Settling, check
from _tendril.staging import COPY, CREATE, Staging
from _tendril.trail import Trail

io = own('io')
LATEST = 2 ** 62  # microseconds; far beyond what systems keep


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
        self.target = self.at = target
        self.preserve = preserve
        self.renewed = []   # paths, of what has come to its place
        self.place = self.staging = self.trail = None
        self.settings = []  # of the folders that are being filled: mode, modified
        self.file = None    # that is being written: file, path, mode, modified

    def take(self, item):
        if self.staging:
            self.staging.touch()
        if type(item) is list:
            getattr(self, 'on_' + str(item[0]))(*item[1:])
        elif item is None:
            self.end_file()
        elif isinstance(item, (int, type(1 << 64))):
            self.file[0].seek(item, os.SEEK_CUR)
        else:
            write_all(self.file[0], item)

    def on_folder(self, name, mode, modified):
        name = self.name_of(name, True)
        self.trail.enter(self.trail.here.make_folder(name, 0o700 if self.preserve else mode | 0o700))
        self.settings.append((mode, modified))

    def on_leave(self):
        folder = self.trail.leave()
        try:
            self.finish(folder.fd, folder.path, *self.settings.pop())
        finally:
            folder.close()

    def on_small(self, name, mode, modified, data):
        self.on_file(name, mode, modified, len(data))
        write_all(self.file[0], data)
        self.end_file()

    def on_file(self, name, mode, modified, size):
        name, here = self.name_of(name, False), self.trail.here
        first = 0o666 if mode is None else 0o600 if self.preserve else mode
        self.file = io.open(here.open(name, CREATE, first), 'wb', 0), here.path_of(name), mode, modified

    def on_link(self, name, target):
        name = self.name_of(name, False)
        self.trail.here.make_link(name, bytes(target))

    def name_of(self, name, is_folder):
        """That of something new, in the folder that is being filled."""
        if self.trail:
            self.at = self.target + self.trail.here.path_of(bytes(name))[self.root_bytes:]
            return bytes(name)
        self.place, self.name = resolve(self.target)
        self.place.check()
        check(is_folder, self.place, self.name)
        self.staging = Staging(self.place, self.name)
        self.trail = Trail(self.staging.folder)
        self.root_bytes = len(self.staging.folder.path_of(COPY))
        return COPY

    def end_file(self):
        opened, path, mode, modified = self.file
        try:
            opened.truncate()  # a hole at the end is none until now
            self.finish(opened.fileno(), path, mode, modified)
        finally:
            self.file = None
            opened.close()

    def finish(self, fd, path, mode, modified):
        if self.preserve and mode is not None:
            set_mode(fd, path, mode & MEMBERS)
        if self.preserve and modified is not None:
            set_times(fd, path, (int(max(-LATEST, min(modified, LATEST))) * 1000,) * 2)

    def settle(self):
        self.at = self.target
        Settling(self, self.staging.folder, self.place, self.name, self.preserve).run()

    def discard(self):
        """Removes whatever has not been put into its place."""
        try:
            if self.file:
                self.file[0].close()
            if self.trail:
                self.trail.close()
            if self.staging:
                self.staging.discard()
        finally:
            if self.place:
                self.place.close()


def write_all(target, data):
    view = memoryview(data)
    while view:
        view = view[target.write(view):]
