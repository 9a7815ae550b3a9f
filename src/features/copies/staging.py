"""`_tendril.staging`: where a copy is made, before it goes to its place (twin: staging.ts).

That is a folder beside the place, `.tendril-KEY-RANDOM`, which only its owner may enter; KEY is of the name that the copy will have. In it
are the `copy`, and an empty file that says whose it is, `owner-MACHINE-PID`: without one, a folder is none of ours, whatever it is called.
"""
from _tendril import clock, errno, os, sys
from _tendril.fault import Obstacle
from _tendril.folder import flags
from _tendril.trail import Trail

COPY = b'copy'
OTHERS_TOO = 0o077
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags('O_BINARY', 'O_CLOEXEC', 'O_NOFOLLOW')
WEEK, HOUR = 7 * 86400, 3600  # after a week without a sign of life, whoever cannot be asked is taken for dead


class Staging(object):
    """A folder for one copy that is to be called `name` in the folder `place`. What was left there of others is removed."""

    def __init__(self, place, name):
        self.place = place
        prefix = ('.tendril-%08x-' % key_of(name)).encode()
        self.name = prefix + hex_of(os.urandom(12))
        try:
            self.folder = place.make_folder(self.name, 0o700)
        except EnvironmentError as e:
            if e.errno == errno.EPERM and not isinstance(e, Obstacle):  # so some systems say that there are no new folders here
                e.errno, e.strerror = errno.EACCES, os.strerror(errno.EACCES)
            raise
        self.owner = b'owner-' + machine() + ('-%d' % os.getpid()).encode()
        try:
            self.sign()
        except EnvironmentError:
            self.give_up()
            raise
        self.clear(prefix)

    def sign(self):
        """Says whose it is; what is in the folder's place by now may be somebody else's."""
        file = self.folder.open(self.owner, CREATE)
        made = os.fstat(file)
        os.close(file)
        status = self.folder.status()
        # A disk that keeps no modes, or knows other owners, does so for both.
        self.privacy = status.st_uid, made.st_mode & OTHERS_TOO and status.st_mode & OTHERS_TOO
        if self.privacy != (made.st_uid, status.st_mode & OTHERS_TOO) or self.folder.names() != [self.owner]:
            raise Obstacle(errno.EPERM, 'somebody has put another folder into its place', self.folder.path)
        self.identity, self.touched = status, clock()

    def give_up(self):
        for remove, name in (self.folder.remove, self.owner), (self.place.remove_folder, self.name):
            try:
                remove(name)
            except EnvironmentError:
                pass  # what went wrong before is told
        self.folder.close()

    def clear(self, prefix):
        try:
            names = self.place.names()
        except EnvironmentError:  # one may write to it, and not look
            return
        for name in names:
            if name.startswith(prefix) and name != self.name:
                try:
                    self.clear_one(name)
                except EnvironmentError:
                    pass  # it is not ours, or somebody else clears it

    def clear_one(self, name):
        folder = self.place.enter(name)
        try:
            status = folder.status()
            is_ours = (status.st_uid, status.st_mode & OTHERS_TOO) == self.privacy
            owner = self.left_by(folder, status) if is_ours else None
            if owner:
                empty(folder, owner)
                self.place.remove_folder(name)
        finally:
            folder.close()

    def left_by(self, folder, status):
        """Says who made it, when that one is dead: on this machine, and among the processes that can be seen from here, that can be told."""
        owners = [name for name in folder.names() if name.startswith(b'owner-')]
        for owner in owners:
            words = owner.split(b'-')
            if len(words) == 3 and words[1] == machine() != b'' and words[2].isdigit():
                return None if is_alive(int(words[2])) else owner
        is_old = self.identity.st_mtime - status.st_mtime > WEEK  # both by the clock of whoever has the disk
        return owners[0] if owners and is_old else None

    def touch(self):
        """A sign of life, for those who cannot ask."""
        if clock() - self.touched > HOUR:
            self.touched = clock()
            self.folder.set_times()

    def discard(self):
        """Removes it, with all that has not been put into its place. What cannot be removed now is left for the next copy."""
        try:
            empty(self.folder, self.owner)
            if os.path.samestat(self.identity, self.place.look(self.name)):
                self.place.remove_folder(self.name)
        except EnvironmentError:
            pass
        finally:
            self.folder.close()


def is_staging(name):
    """Whether something is called as such a folder is: what is in it is no part of any tree."""
    words = name.split(b'-')
    return [len(word) for word in words] == [8, 8, 24] and words[0] == b'.tendril' and not (words[1] + words[2]).strip(b'0123456789abcdef')


def key_of(name):
    key = 0
    for byte in bytearray(name):
        key = (key * 31 + byte) & 0xffffffff
    return key


found = []


def machine():
    found[:] = found[:] or [find_machine()]
    return found[0]


def find_machine():
    """Where a process can be asked for by its id: this system, since its start, and this namespace of processes. Empty when that cannot be told."""
    if not sys.platform.startswith('linux'):
        return hex_of(os.uname()[1].encode('utf-8')) if os.name == 'posix' else b''
    try:
        with open('/proc/sys/kernel/random/boot_id', 'rb') as file:
            return file.read().strip().replace(b'-', b'') + b'.' + os.readlink(b'/proc/self/ns/pid').strip(b'pid:[]')
    except EnvironmentError:
        return b''


def hex_of(data):
    return ''.join('%02x' % byte for byte in bytearray(data)).encode()


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except (EnvironmentError, OverflowError) as e:
        return getattr(e, 'errno', errno.ESRCH) != errno.ESRCH
    return True


def empty(folder, owner):
    """Removes all that is in a folder of ours, whatever modes there are; what says whose it is last."""
    trail = Trail(folder)
    left = [[entry for entry in folder.entries() if entry[0] != owner]]
    inside = []
    try:
        while left:
            if left[-1]:
                name, is_folder = left[-1].pop()
                if is_folder:
                    left.append(trail.enter(trail.here.enter_own(name)[0]).entries())
                    inside.append(name)
                else:
                    trail.here.remove(name)
                continue
            left.pop()
            if left:
                trail.leave().close()
                trail.here.remove_folder(inside.pop())
        folder.remove(owner)
    finally:
        trail.close()
