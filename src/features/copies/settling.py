"""`_tendril.settling`: how a tree comes to its place (twin: settling.ts)."""
from _tendril import errno, os
from _tendril.fault import Obstacle
from _tendril.folder import MEMBERS, OWNER, Folder, by_owner, proc, times_of
from _tendril.originals import own
from _tendril.staging import COPY
from _tendril.trail import Trail

stat = own('stat')
FORBIDDEN = errno.EPERM, errno.EACCES, errno.EROFS
TRIES = 100  # others may put things into the same place meanwhile


def check(is_folder, place, name):
    """Whether there is something that a copy fills or replaces."""
    try:
        mode = place.look(name).st_mode
    except EnvironmentError as e:
        if e.errno != errno.ENOENT:
            raise
        return False
    if stat.S_ISDIR(mode) and not is_folder:
        raise Obstacle(errno.EISDIR, 'it is a folder', place.path_of(name))
    if is_folder and not stat.S_ISDIR(mode):
        raise Obstacle(errno.ENOTDIR, 'it is no folder', place.path_of(name))
    if not (is_folder or stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise Obstacle(errno.EEXIST, 'it is neither a file, a folder nor a link', place.path_of(name))
    return True


class Settling(object):
    """Of what is staged, in the folder `place` under the name `name`. Folders that are there already are filled; with `preserve` they become
    as what they are filled from. Whatever can be found out is found out before anything is changed."""

    def __init__(self, side, staged, place, name, preserve):
        self.side, self.staged, self.place, self.name, self.preserve = side, staged, place, name, preserve
        self.mounts = None

    def run(self):
        self.go_through(self.may_move, False)
        self.go_through(self.move, self.preserve)

    def go_through(self, act, preserve):
        """Looks at what is staged and at what is in its place side by side; `act` says which folders are there already, and it goes on in those."""
        staged, placed = Trail(self.staged), Trail(self.place)
        left, before = [[(COPY, stat.S_ISDIR(self.staged.look(COPY).st_mode))]], []
        try:
            while left:
                if left[-1]:
                    name, is_folder = left[-1].pop()
                    its_name = name if before else self.name
                    self.side.at = placed.here.path_of(its_name)
                    if let_in(placed, before, lambda: act(staged.here, name, is_folder, placed.here, its_name)):
                        before.append(let_in(placed, before, lambda: self.enter(staged, name, placed, its_name)))
                        left.append(staged.here.entries())
                        let_in(placed, before, lambda: self.check_filling(staged, placed, left[-1]))
                    continue
                left.pop()
                if left:
                    self.side.at = placed.here.path
                    leave(staged, placed, *before.pop(), preserve=preserve)
        except BaseException:
            try:
                while before:
                    leave(staged, placed, *before.pop(), preserve=False)
            except EnvironmentError:
                pass  # what went wrong first is told
            raise
        finally:
            staged.close()
            placed.close()

    def enter(self, staged, name, placed, its_name):
        """Things can be renamed into a folder, and out of it, only by whom its mode lets in."""
        folder, staged_before = staged.here.enter_own(name)
        staged.enter(folder)
        try:
            folder, before = placed.here.enter_own(its_name)
        except BaseException:
            shut(staged.leave(), staged_before)
            raise
        placed.enter(folder)
        return staged_before, before

    def check_filling(self, staged, placed, entries):
        if not entries:
            return
        is_elsewhere = placed.here.status().st_dev != staged.here.status().st_dev
        if is_elsewhere or placed.here.path in (self.mounts or ()):
            raise Obstacle(errno.EXDEV, 'it is another file system than the folder around it', placed.here.path)
        if not placed.here.may_write():
            raise Obstacle(errno.EACCES, 'it may not be written to', placed.here.path)

    def may_move(self, staged, name, is_folder, place, its_name):
        if not check(is_folder, place, its_name):
            return False
        if not is_folder:
            self.check_replacing(place, its_name)
        elif self.mounts is None:
            self.mounts = mounts_in(place, its_name)
        return is_folder

    def check_replacing(self, place, name):
        """Has the system look whether a file could be taken away: as it is no folder, it is not."""
        at = place.path_of(name)
        if self.mounts and at in self.mounts:
            raise Obstacle(errno.EBUSY, 'another file system is mounted there', at)
        try:
            place.remove_folder(name)
        except EnvironmentError as e:
            if e.errno in FORBIDDEN:
                raise Obstacle(e.errno, 'it cannot be replaced', at)

    def move(self, staged, name, is_folder, place, its_name):
        for _ in range(TRIES):
            if is_folder and check(is_folder, place, its_name):
                return True
            try:
                (move_folder if is_folder else Folder.move)(staged, name, place, its_name)
            except EnvironmentError as e:
                if e.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                continue  # somebody else has put a folder there since
            self.side.renewed.append(place.path_of(its_name))
            return False
        raise Obstacle(errno.EBUSY, 'others keep putting things there', place.path_of(its_name))


def let_in(placed, before, work):
    """Does something in a folder that may not let us in any more: another copy that was in it, too, has given it its mode back."""
    for _ in range(TRIES):
        try:
            return work()
        except EnvironmentError as e:
            status = placed.here.status()
            if e.errno != errno.EACCES or not before or status.st_mode & OWNER == OWNER or status.st_uid != os.geteuid():
                raise
            placed.here.set_mode(stat.S_IMODE(status.st_mode) | OWNER)
            before[-1] = before[-1][0], status
    return work()


def leave(staged, placed, staged_before, before, preserve):
    folder = placed.leave()
    try:
        shut(staged.leave(), staged_before)
        if preserve:
            by_owner(folder.set_mode, stat.S_IMODE(before.st_mode) & ~MEMBERS | staged_before.st_mode & MEMBERS)
            by_owner(folder.set_times, times_of(staged_before))
        else:
            let_be(folder, before)
    finally:
        folder.close()


def let_be(folder, before):
    if before.st_mode & OWNER != OWNER:
        by_owner(folder.set_mode, stat.S_IMODE(before.st_mode))


def shut(folder, before):
    """Leaves it as it was."""
    try:
        let_be(folder, before)
    finally:
        folder.close()


def move_folder(staged, name, place, its_name):
    """One that cannot be written to does not change its parent."""
    folder, before = staged.enter_own(name)
    try:
        staged.move(name, place, its_name)
    finally:
        shut(folder, before)


def mounts_in(place, name):
    """Where other file systems, or other parts of this one, are mounted in a folder; nowhere when the system does not tell."""
    try:
        root = os.path.join(os.readlink(proc(place.fd)), name)
        with open('/proc/self/mountinfo', 'rb') as file:
            points = [unescaped(line.split(b' ')[4]) for line in file]
    except EnvironmentError:
        return set()
    return set(place.path_of(name) + point[len(root):] for point in points if (point + b'/').startswith(root + b'/'))


def unescaped(path):
    parts = path.split(b'\\')
    return parts[0] + b''.join(bytes(bytearray([int(part[:3], 8)])) + part[3:] for part in parts[1:])
