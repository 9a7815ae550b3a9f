"""`_tendril.resolving`: from a path to the folder that holds what it names, and its name there (twin: resolving.ts)."""
from _tendril import errno, os
from _tendril.fault import Obstacle
from _tendril.folder import FOLLOW, PASS, Folder
from _tendril.originals import own

stat = own('stat')
MOST_LINKS = 40  # as Linux has it
NO_FOLDER = errno.ENOTDIR, errno.ELOOP  # what systems say of a link that is not to be followed
QUESTIONS = 32  # about one and the same link


def resolve(path, is_read=False):
    """Follows the links on a path one by one. The name is that of no link, unless of one that leads nowhere. What `is_read` may be called '.', too."""
    resolving = Resolving(path, is_read)
    given = None
    try:
        given = resolving.run()
    finally:
        for folder, _ in (resolving.last, (resolving.here, None)):
            if folder and folder is not (given and given[0]):
                folder.close()
    return given


class Resolving(object):
    def __init__(self, path, is_read):
        self.here, self.is_read = None, is_read
        self.last = None, None  # the first link that the path ends in: where it is, its name
        self.links = 0
        self.go_on(path, [])

    def go_on(self, path, names):
        """What is left of the way: `path`, then these names."""
        is_posix = os.name == 'posix'
        if self.here is None or path.startswith(b'/') or not is_posix:
            self.come_to(Folder.at(b'/' if path.startswith(b'/') else b'.' if is_posix else os.path.dirname(path)))
        parts = path.split(b'/') if is_posix else [os.path.basename(path)]
        self.names = [name for name in parts if name not in (b'', b'.')] + names

    def come_to(self, folder):
        if self.here and self.here is not self.last[0]:
            self.here.close()
        self.here = folder

    def run(self):
        try:
            return self.walk()
        except EnvironmentError as e:
            if self.last[0] is None or isinstance(e, Obstacle):
                raise
            return self.last

    def walk(self):
        while self.names:
            name = self.names[0]
            if len(self.names) > 1 or name == b'..':
                self.go_through(name)
                continue
            status = self.look(name)
            if not (status and stat.S_ISLNK(status.st_mode)):
                return (self.here, name) if status or not self.last[0] else self.last
            if not self.last[0]:
                self.last = self.here, name
            self.follow(name, status)
        return self.find_name()

    def go_through(self, name):
        """Into a folder on the way, or past a link. Mostly it is the former: to look first would cost as much again."""
        try:
            folder = self.here.enter(name, PASS)
        except EnvironmentError as e:
            status = self.here.look(name) if e.errno in NO_FOLDER else None
            if not (status and stat.S_ISLNK(status.st_mode)):
                raise e
            self.follow(name, status)
        else:
            self.names.pop(0)
            self.come_to(folder)

    def look(self, name):
        try:
            return self.here.look(name)
        except EnvironmentError as e:
            if e.errno != errno.ENOENT:
                raise

    def follow(self, name, status):
        """Past a link. Where anybody may put one, it must be ours or root's: they lead where their owners want us to write."""
        left, folder = self.names[1:], self.here.status()
        is_open_to_all = folder.st_mode & (stat.S_ISVTX | stat.S_IWOTH) and os.name == 'posix'
        if is_open_to_all and status.st_uid not in (0, os.geteuid()):
            self.refuse(name)
        self.links += 1
        if self.links > MOST_LINKS:
            raise EnvironmentError(errno.ELOOP, os.strerror(errno.ELOOP))
        if left and folder.st_dev == device_of_processes():  # /proc/1/root says '/', and leads elsewhere
            self.come_to(self.here.enter(name, FOLLOW))
            self.names = left
        else:
            self.go_on(self.read(name, status) if is_open_to_all else self.here.read_link(name), left)

    def read(self, name, status):
        """Where that very link leads. No system tells whose a link is and where it leads at once: whoever exchanges two of them meanwhile would
        have to guess each time what is asked next."""
        target = self.here.read_link(name)
        for chance in bytearray(os.urandom(QUESTIONS)):
            found = None if chance & 1 else self.here.look(name)
            if not is_same(found, status) if found else self.here.read_link(name) != target:
                self.refuse(name)
        return target

    def refuse(self, name):
        text = "it is a link of another user's, in a folder where anybody may put one"
        raise Obstacle(errno.EACCES, text, self.here.path_of(name))

    def find_name(self):
        """The path is that of a folder in itself, such as '..': its name is looked for."""
        if self.is_read:
            return self.here, b'.'
        status = self.here.status()
        self.come_to(self.here.enter(b'..', PASS))
        if os.path.samestat(status, self.here.status()):
            return self.here, b'.'
        for name in self.here.names():
            if os.path.samestat(status, self.here.look(name)):
                return self.here, name
        raise EnvironmentError(errno.ENOENT, os.strerror(errno.ENOENT))


def is_same(one, other):
    """Also when its number has been given to another one."""
    return os.path.samestat(one, other) and one.st_uid == other.st_uid


def device_of_processes():
    """What all in /proc is on."""
    try:
        device = os.lstat('/proc').st_dev
    except EnvironmentError:
        return None
    return None if device == os.lstat('/').st_dev else device
