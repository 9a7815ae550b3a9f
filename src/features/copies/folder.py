"""`_tendril.folder`: folders that are held open, so that what is done in them by name is done there and nowhere else (twin: folder.ts).

Whoever may write to a folder on the way of a path can make it lead elsewhere between any two steps of ours. So every name is one name, in a
folder that is open: by `dir_fd`, or, on Pythons without, by /proc/self/fd. Where there is neither, nobody else may be able to write to it.
"""
from _tendril import PY2, errno, os, sys
from _tendril.fault import Obstacle
from _tendril.originals import own

stat = own('stat')
OWNER, OTHERS = 0o700, 0o022
MEMBERS = 0o777  # never setuid, setgid or sticky: whoever owned the file may be somebody else here
# Python 2 has no names for these.
LINUX = {'O_CLOEXEC': 0o2000000, 'O_PATH': 0o10000000} if sys.platform.startswith('linux') else {}


def flags(*names):
    return sum(getattr(os, name, LINUX.get(name, 0)) for name in names)


LIST = os.O_RDONLY | flags('O_DIRECTORY', 'O_NOFOLLOW', 'O_CLOEXEC')
PASS = LIST | flags('O_PATH')  # a folder on the way need not be readable
FOLLOW = PASS & ~flags('O_NOFOLLOW')
BY_DIR_FD = os.open in getattr(os, 'supports_dir_fd', ())
SCANS = BY_DIR_FD and getattr(os, 'scandir', None) in os.supports_fd


def proc(fd):
    return ('/proc/self/fd/%d' % fd).encode()


def has_proc(fd):
    try:
        return os.path.samestat(os.stat(proc(fd)), os.fstat(fd))
    except EnvironmentError:
        return False


class Folder(object):
    """A folder that is open. Its path is for texts, and for systems without descriptors of folders."""

    def __init__(self, fd, path, by_proc):
        self.path, self.by_proc = path, by_proc
        self.is_held = BY_DIR_FD or by_proc
        self.hold(fd)

    @classmethod
    def at(cls, path):
        """The one that a path leads to, wherever its links lead."""
        fd = os.open(path, FOLLOW) if os.name == 'posix' else None
        return cls(fd, b'' if path == b'.' else path, fd is not None and has_proc(fd))

    def hold(self, fd):
        self.fd, self.inside, self.start = fd, {}, os.path.join(self.path, b'')
        if BY_DIR_FD:
            self.inside, self.start = {'dir_fd': fd}, b''
        elif self.by_proc:
            self.start = proc(fd) + b'/'

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def set_aside(self):
        """Closes it, until it is reopened."""
        self.identity = self.status()
        self.close()

    def reopen(self, inner):
        """Opens it again, from a folder in it that is still open and must not have been moved meanwhile."""
        self.hold(inner.open(b'..', LIST) if self.is_held else os.open(self.start or b'.', LIST))
        if not os.path.samestat(self.status(), self.identity):
            raise Obstacle(errno.ESTALE, 'what is in it was moved elsewhere meanwhile', self.path)

    def check(self):
        """Complains unless names here are those of the open folder, or only we and root can exchange what they lead to."""
        if self.is_held or self.fd is None:
            return
        status = self.status()
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & OTHERS:
            self.close()
            raise Obstacle(errno.EPERM, 'others may write to it, which is only safe where there is a /proc', self.path)

    def path_of(self, name):
        return os.path.join(self.path, name)

    def status(self):
        return os.lstat(self.path or b'.') if self.fd is None else os.fstat(self.fd)

    def look(self, name):
        return os.lstat(self.start + name, **self.inside)

    def names(self):
        if not self.inside:
            return os.listdir(self.start or b'.')
        fd = self.open(b'.', LIST)
        try:
            return [os.fsencode(name) for name in os.listdir(fd)]
        finally:
            os.close(fd)

    def entries(self):
        """Names, and whether it is a folder."""
        if not SCANS:
            return [(name, stat.S_ISDIR(self.look(name).st_mode)) for name in self.names()]
        fd = self.open(b'.', LIST)
        try:
            with os.scandir(fd) as found:
                return [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in found]
        finally:
            os.close(fd)

    def open(self, name, how, mode=0o600):
        return os.open(self.start + name, how, mode, **self.inside)

    def enter(self, name, how=LIST):
        """The folder of that name, which is no link."""
        path = os.path.dirname(self.path) if name == b'..' else self.path_of(name)
        folder = Folder(self.open(name, how) if os.name == 'posix' else None, path, self.by_proc)
        if how == LIST:
            folder.check()
        return folder

    def enter_own(self, name):
        """Enters a folder from which its mode keeps its owner, who is let in; gives its status before, too. One of somebody else's stays as it is."""
        before = None
        try:
            folder = self.enter(name)
        except EnvironmentError as e:
            if e.errno != errno.EACCES:
                raise
            before = self.open_up(name)
            folder = self.enter(name)
        before = before or folder.status()
        if before.st_mode & OWNER != OWNER:
            by_owner(folder.set_mode, stat.S_IMODE(before.st_mode) | OWNER)
        return folder, before

    def open_up(self, name):
        """As nobody may open it, its mode is set by what stands for it; where nothing does, that is refused."""
        fd = self.open(name, PASS)
        try:
            status = os.fstat(fd)
            if not has_proc(fd):
                raise EnvironmentError(errno.EACCES, os.strerror(errno.EACCES))
            os.chmod(proc(fd), stat.S_IMODE(status.st_mode) | OWNER)
            return status
        finally:
            os.close(fd)

    def make_folder(self, name, mode):
        os.mkdir(self.start + name, mode, **self.inside)
        return self.enter(name)

    def make_link(self, name, target):
        os.symlink(target, self.start + name, **self.inside)

    def read_link(self, name):
        return os.readlink(self.start + name, **self.inside)

    def move(self, name, folder, its_name):
        """Puts it into another folder, in the place of what has its name there."""
        if self.inside:
            os.rename(name, its_name, src_dir_fd=self.fd, dst_dir_fd=folder.fd)
        else:
            getattr(os, 'replace', os.rename)(self.start + name, folder.start + its_name)

    def remove(self, name):
        os.unlink(self.start + name, **self.inside)

    def remove_folder(self, name):
        """An empty one."""
        os.rmdir(self.start + name, **self.inside)

    def may_write(self):
        """Whether things can be moved into it, as far as the system tells."""
        if not self.inside:
            return os.name != 'posix' or os.getuid() != os.geteuid() or os.access(self.start + b'.', os.W_OK | os.X_OK)
        return os.access not in os.supports_effective_ids or os.access(b'.', os.W_OK | os.X_OK, effective_ids=True, **self.inside)

    def set_mode(self, mode):
        set_mode(self.fd, self.path, mode)

    def set_times(self, times=None):
        set_times(self.fd, self.path, times)


class Gone(Folder):
    """One that vanished before it could be entered."""

    def __init__(self, path):
        self.path, self.fd = path, None

    def open(self, *_):
        raise EnvironmentError(errno.ENOENT, os.strerror(errno.ENOENT))

    look = read_link = enter = open

    def close(self):
        pass


def set_mode(fd, path, mode):
    """Of what is open."""
    if fd is not None and hasattr(os, 'fchmod'):
        os.fchmod(fd, mode)
    else:
        os.chmod(path, mode)


def set_times(fd, path, times):
    """Of what is open: when it was accessed, and modified, in nanoseconds; now without."""
    if PY2:  # as a float it may be a little less
        os.utime(proc(fd) if fd is not None and has_proc(fd) else path, times and tuple((time + 500 * (time > 0)) / 1e9 for time in times))
    else:
        os.utime(fd if fd is not None and os.utime in os.supports_fd else path, **({'ns': times} if times else {}))


def times_of(status):
    return tuple(int(time * 1e9) for time in (status.st_atime, status.st_mtime)) if PY2 else (status.st_atime_ns, status.st_mtime_ns)


def by_owner(change, argument):
    """A folder that is somebody else's (/tmp) stays as it is: nobody but its owner may change it."""
    try:
        change(argument)
    except EnvironmentError as e:
        if e.errno != errno.EPERM:
            raise
