"""`_tendril.tree_reader`: the worker's half of get (twin: tree-reader.ts).

A tree is a sequence of items, the same both ways. Names are bytes, of one component, b'' for the root; times are microseconds.
  ('folder', name, mode, modified), all that is in it, ('leave',)
  ('small', name, mode, modified, data)          a file, whole
  ('file', name, mode, modified, size), its bytes, None: a number among the bytes is a hole of that length
  ('link', name, target)
  ('skipped', path, why), ('total', files, size) for whoever watches; ('ask', path, [(name, kind, size)]) is answered by booleans
  ('done',) or ('failed', path, code, text, [path of what is new already]) at the end, the latter from the receiver, too, whose ('done',) means
  that all is in place
"""
from _tendril import PY2, Bytes, errno, os, sys
from _tendril.fault import answering, local
from _tendril.folder import MEMBERS, Gone, flags
from _tendril.originals import own
from _tendril.resolving import resolve
from _tendril.staging import is_staging
from _tendril.trail import Trail

io, stat = own('io'), own('stat')
CHUNK_BYTES, SMALL_BYTES, ASK_ENTRIES = 1024 * 1024, 65536, 1000
ZEROS = bytearray(CHUNK_BYTES)
# A pipe that has taken a file's place must not be waited for.
READ = os.O_RDONLY | flags('O_BINARY', 'O_CLOEXEC', 'O_NOFOLLOW', 'O_NONBLOCK')
GONE = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)  # while we looked, or a link has taken its place


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
        parent, self.name = resolve(self.root, True)
        self.trail = Trail(parent)
        try:
            status = parent.look(self.name)
            if stat.S_ISLNK(status.st_mode):
                raise EnvironmentError(errno.ENOENT, os.strerror(errno.ENOENT))
            self.send_all(self.measured(self.walk(status)) if measures else self.walk(status))
        finally:
            self.trail.close()
            parent.close()
        self.channel.send(('done',))

    def walk(self, status):
        """Yields (name, status) of all that there is, a folder before what is in it; behind that the status is None. The trail leads to where each is."""
        stack = [iter([(self.name, status)])]
        while stack:
            for name, status in stack[-1]:
                yield name, status
                if stat.S_ISDIR(status.st_mode):
                    stack.append(self.entries(name))
                    break
            else:
                stack.pop()
                if stack:
                    self.trail.leave().close()
                    yield b'', None

    def measured(self, steps):
        """All that there was, told anew from a list; how much it is goes ahead."""
        steps = list(steps)
        sizes = [status.st_size for _, status in steps if status and stat.S_ISREG(status.st_mode)]
        self.channel.send(('total', len(sizes), sum(sizes)))
        for name, status in steps:
            if status is None:
                self.trail.leave().close()
            yield name, status
            if status and stat.S_ISDIR(status.st_mode):
                self.enter(name)

    def enter(self, name):
        """Whether the folder was still there; if not, what is looked for in it is not there either."""
        here, path = self.trail.here, self.path_of(name)
        try:
            folder = here.enter(name)
        except EnvironmentError as e:
            if e.errno not in GONE or not self.trail.depth:
                raise
            folder = Gone(path)
        folder.path = path
        self.trail.enter(folder)
        return not isinstance(folder, Gone)

    def send_all(self, steps):
        for name, status in steps:
            if status is None:
                self.channel.send(('leave',))
                continue
            self.at = self.path_of(name)
            shown = name if self.trail.depth else b''
            if stat.S_ISDIR(status.st_mode):
                self.channel.send(('folder', sendable(shown)) + settings(status))
            elif stat.S_ISREG(status.st_mode):
                self.send_file(name, shown)
            elif stat.S_ISLNK(status.st_mode):
                self.send_link(name)
            else:
                self.skip('it is neither a file, a folder nor a link')

    def path_of(self, name):
        return self.trail.here.path_of(name) if self.trail.depth else self.root

    def entries(self, name):
        self.at = self.path_of(name)
        if not self.enter(name):
            self.skip('it vanished')
            return
        names = sorted(name for name in self.trail.here.names() if not is_staging(name))  # a copy into the tree itself is being made in it
        for start in range(0, len(names), ASK_ENTRIES):
            found = list(self.look(names[start:start + ASK_ENTRIES]))
            for entry, is_wanted in zip(found, self.choose(found)):
                if is_wanted:
                    yield entry

    def look(self, names):
        for name in names:
            self.at = self.path_of(name)
            try:
                yield name, self.trail.here.look(name)
            except EnvironmentError as e:
                if e.errno not in GONE:
                    raise

    def choose(self, found):
        if not self.asks:
            return [True] * len(found)
        inside = sendable(self.trail.here.path[len(self.root):].replace(os.sep.encode(), b'/').strip(b'/'))
        self.channel.send(('ask', inside, [(sendable(name), kind(status), status.st_size) for name, status in found]))
        return self.channel.receive()

    def send_link(self, name):
        try:
            target = self.trail.here.read_link(name)
        except EnvironmentError as e:
            if e.errno not in (errno.ENOENT, errno.EINVAL):
                raise
            return self.skip('it vanished')
        self.channel.send(('link', sendable(name), sendable(target)))

    def send_file(self, name, shown):
        try:
            source = io.open(self.trail.here.open(name, READ), 'rb', 0)
        except EnvironmentError as e:
            if not self.trail.depth or e.errno not in GONE:
                raise
            return self.skip('it vanished')
        with source:
            status = os.fstat(source.fileno())
            if not stat.S_ISREG(status.st_mode):
                return self.skip('it is no file any more')
            # No further than it goes now, or one that grows might never end. Files that the system makes up as they are read say 0.
            end = status.st_size or sys.maxsize
            data = read(source, min(end, SMALL_BYTES))
            about = (sendable(shown),) + settings(status)
            if len(data) < SMALL_BYTES or end == SMALL_BYTES:
                return self.channel.send(('small',) + about + (sendable(data),))
            self.channel.send(('file',) + about + (status.st_size,))
            self.channel.send(sendable(data))
            for chunk in chunks(source, len(data), end, getattr(status, 'st_blocks', sys.maxsize) * 512 < status.st_size):
                self.channel.send(chunk)
            self.channel.send(None)

    def skip(self, why):
        if not self.trail.depth:
            raise EnvironmentError(errno.EINVAL, why)
        self.channel.send(('skipped', self.at.decode('utf-8', 'replace'), why))


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
