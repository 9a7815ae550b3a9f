"""`_tendril.tree_reader`: the worker's half of get (twin: tree-reader.ts).

A tree is a sequence of items, the same both ways. Names are bytes, of one component, b'' for the root; times are microseconds.
  ('folder', name, mode, modified), all that is in it, ('leave',)
  ('small', name, mode, modified, data)          a file, whole
  ('file', name, mode, modified, size), its bytes, None: a number among the bytes is a hole of that length
  ('link', name, target)
  ('skipped', path, why), ('total', files, size) for whoever watches; ('ask', path, [(name, kind, size)]) is answered by booleans
  ('done',) or ('failed', path, code, text) at the end, the latter from the receiver, too, whose ('done',) means that all is in place
"""
import errno
import io
import os
import stat
import sys

from _tendril import PY2, Bytes
from _tendril.staging import MEMBERS, answering, local, walk

CHUNK_BYTES, SMALL_BYTES, ASK_ENTRIES = 1024 * 1024, 65536, 1000
ZEROS = bytearray(CHUNK_BYTES)
# A pipe that has taken a file's place must not be waited for.
READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in ('O_BINARY', 'O_CLOEXEC', 'O_NOFOLLOW', 'O_NONBLOCK'))
GONE = (errno.ENOENT, errno.ELOOP)  # while we looked, or a link has taken its place


def send(channel, path, asks, measures):
    """Sends what is at `path`; `asks` has the controller choose, `measures` tells first how much there is."""
    reader = TreeReader(channel, local(path), asks)
    answering(channel, reader, lambda: reader.send_tree(measures))


def sendable(data):
    return Bytes(data) if PY2 else data  # or it would go as text


class TreeReader(object):
    """Tells a tree as items."""

    def __init__(self, channel, root, asks):
        self.channel = channel
        self.root = self.at = root
        self.asks = asks

    def send_tree(self, measures):
        steps = walk(self.root, os.stat(self.root), self.entries)
        if measures:
            steps = list(steps)
            sizes = [status.st_size for _, _, status in steps if status and stat.S_ISREG(status.st_mode)]
            self.channel.send(('total', len(sizes), sum(sizes)))
        for self.at, name, status in steps:
            self.send_step(self.at, name, status)
        self.channel.send(('done',))

    def send_step(self, path, name, status):
        if status is None:
            self.channel.send(('leave',))
        elif stat.S_ISDIR(status.st_mode):
            self.channel.send(('folder', sendable(name)) + settings(status))
        elif stat.S_ISREG(status.st_mode):
            self.send_file(path, name)
        elif stat.S_ISLNK(status.st_mode):
            self.send_link(path, name)
        else:
            self.skip(path, name, 'it is neither a file, a folder nor a link')

    def entries(self, path):
        self.at = path
        try:
            names = sorted(os.listdir(path))
        except EnvironmentError as e:
            if e.errno not in GONE or path == self.root:
                raise
            self.skip(path, path, 'it vanished')
            return
        for start in range(0, len(names), ASK_ENTRIES):
            found = list(self.look(path, names[start:start + ASK_ENTRIES]))
            for entry, is_wanted in zip(found, self.choose(path, found)):
                if is_wanted:
                    yield entry

    def look(self, folder, names):
        for name in names:
            self.at = os.path.join(folder, name)
            try:
                yield self.at, name, os.lstat(self.at)
            except EnvironmentError as e:
                if e.errno not in GONE:
                    raise

    def choose(self, folder, found):
        if not self.asks:
            return [True] * len(found)
        inside = sendable(folder[len(self.root):].replace(os.sep.encode(), b'/').strip(b'/'))
        self.channel.send(('ask', inside, [(sendable(name), kind(status), status.st_size) for _, name, status in found]))
        return self.channel.receive()

    def send_link(self, path, name):
        try:
            target = os.readlink(path)
        except EnvironmentError as e:
            if e.errno not in (errno.ENOENT, errno.EINVAL):
                raise
            return self.skip(path, name, 'it vanished')
        self.channel.send(('link', sendable(name), sendable(target)))

    def send_file(self, path, name):
        try:
            source = io.open(os.open(path if name else os.path.realpath(path), READ), 'rb', 0)
        except EnvironmentError as e:
            if not name or e.errno not in GONE:
                raise
            return self.skip(path, name, 'it vanished')
        with source:
            status = os.fstat(source.fileno())
            if not stat.S_ISREG(status.st_mode):
                return self.skip(path, name, 'it is no file any more')
            # No further than it goes now, or one that grows might never end. Files that the system makes up as they are read say 0.
            end = status.st_size or sys.maxsize
            data = read(source, min(end, SMALL_BYTES))
            about = (sendable(name),) + settings(status)
            if len(data) < SMALL_BYTES or end == SMALL_BYTES:
                return self.channel.send(('small',) + about + (sendable(data),))
            self.channel.send(('file',) + about + (status.st_size,))
            self.channel.send(sendable(data))
            for chunk in chunks(source, len(data), end, getattr(status, 'st_blocks', sys.maxsize) * 512 < status.st_size):
                self.channel.send(chunk)
            self.channel.send(None)

    def skip(self, path, name, why):
        if not name:
            raise EnvironmentError(errno.EINVAL, why)
        self.channel.send(('skipped', path.decode('utf-8', 'replace'), why))


def kind(status):
    return 'folder' if stat.S_ISDIR(status.st_mode) else 'link' if stat.S_ISLNK(status.st_mode) else 'file'


def settings(status):
    return status.st_mode & MEMBERS, int(status.st_mtime * 1e6 + 0.2) if PY2 else status.st_mtime_ns // 1000


def read(source, size):
    """So many bytes, fewer only at the end of the file."""
    parts = []
    while size > 0:
        part = source.read(size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b''.join(parts)


def chunks(source, at, end, is_sparse):
    """The bytes from `at` to `end`, and the lengths of holes among them. A chunk is good until the next one is asked for."""
    buffer = bytearray(CHUNK_BYTES)
    while at < end:
        hole = next_data(source, at, end) - at if is_sparse else 0
        if hole:
            at += hole
            yield hole
            continue
        view = memoryview(buffer)[:min(CHUNK_BYTES, end - at)]
        size = source.readinto(view)
        if not size:
            return
        at += size
        if is_sparse and size == CHUNK_BYTES and buffer == ZEROS:
            yield size
        else:
            yield buffer if size == CHUNK_BYTES else bytearray(view[:size])


def next_data(source, at, end):
    """Where the hole ends that begins at `at`; `at` itself where there is none, or the system does not tell."""
    if not hasattr(os, 'SEEK_DATA'):
        return at
    try:
        return min(source.seek(at, os.SEEK_DATA), end)
    except EnvironmentError as e:
        source.seek(at)
        return min(os.fstat(source.fileno()).st_size, end) if e.errno == errno.ENXIO else at
