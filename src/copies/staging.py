"""`_tendril.staging`: trees that nobody sees before they are complete, and how they come to their place (twin: staging.ts)."""
import binascii
import errno
import os
import stat
import zlib

MEMBERS = 0o777  # never setuid, setgid or sticky: whoever owned the file may be somebody else here


class Obstacle(EnvironmentError):
    """What is in the place where a copy should go; `filename` says where."""


def answering(channel, side, work):
    """Does it; what goes wrong is told to the controller, with the path that `side` is at."""
    try:
        work()
    except EOFError:
        pass  # the controller has given up
    except EnvironmentError as e:
        if not channel.isclosed():
            path = e.filename if isinstance(e, Obstacle) else side.at
            channel.send(('failed', path.decode('utf-8', 'replace'), errno.errorcode.get(e.errno, ''), e.strerror or str(e)))


def local(path):
    """Paths are bytes, which every name on every system has; Windows takes UTF-8 for them."""
    return path.encode('utf-8') if isinstance(path, type(u'')) else bytes(path)


def walk(root, status, entries):
    """Yields (path, name, status) of all that is at `root`, a folder before what is in it; behind that the status is None."""
    stack = [iter([(root, b'', status)])]
    while stack:
        for path, name, status in stack[-1]:
            yield path, name, status
            if stat.S_ISDIR(status.st_mode):
                stack.append(entries(path))
                break
        else:
            stack.pop()
            if stack:
                yield path, b'', None


def make_staging(target):
    """A name beside the target that is free. What a process that was killed has left there of a copy to it is removed."""
    folder, name = os.path.split(target)
    host = os.uname()[1] if os.name == 'posix' else ''
    prefix = '.tendril-%08x-' % (zlib.crc32(name + b'\0' + host.encode('utf-8')) & 0xffffffff)
    for other in os.listdir(folder or b'.'):
        if other.startswith(prefix.encode()) and not is_alive(int(other.split(b'-')[2])):
            remove(os.path.join(folder, other))
    return os.path.join(folder, ('%s%d-' % (prefix, os.getpid())).encode() + binascii.hexlify(os.urandom(4)))


def is_alive(pid):
    if os.name != 'posix':  # there is no asking there
        return True
    try:
        os.kill(pid, 0)
    except EnvironmentError as e:
        return e.errno != errno.ESRCH
    return True


def moves(staging, target):
    """What to rename so that a tree is where it belongs; folders that are there already are filled. Complains before anything is done."""
    found, left = [], [(staging, target)]
    while left:
        staged, target = left.pop()
        is_folder = stat.S_ISDIR(os.lstat(staged).st_mode)
        if check(is_folder, target) and is_folder:
            left.extend((os.path.join(staged, name), os.path.join(target, name)) for name in os.listdir(staged))
        else:
            found.append((staged, target))
    return found


def check(is_folder, target):
    """Whether there is something that a copy fills or replaces."""
    try:
        mode = os.lstat(target).st_mode
    except EnvironmentError as e:
        if e.errno != errno.ENOENT:
            raise
        return False
    if stat.S_ISDIR(mode) and not is_folder:
        raise Obstacle(errno.EISDIR, 'it is a folder', target)
    if is_folder and not stat.S_ISDIR(mode):
        raise Obstacle(errno.ENOTDIR, 'it is no folder', target)
    if not (is_folder or stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise Obstacle(errno.EEXIST, 'it is neither a file, a folder nor a link', target)
    return True


def move(staged, target):
    mode = os.lstat(staged).st_mode
    is_locked = stat.S_ISDIR(mode) and not mode & stat.S_IWUSR  # a folder that cannot be written to does not change its parent
    if is_locked:
        os.chmod(staged, mode & MEMBERS | stat.S_IWUSR)
    getattr(os, 'replace', os.rename)(staged, target)
    if is_locked:
        os.chmod(target, mode & MEMBERS)


def remove(root):
    """Removes a tree of ours, whatever its modes."""
    folders = []

    def entries(path):
        os.chmod(path, 0o700)
        folders.append(path)
        return iter([(inner, name, os.lstat(inner)) for name in os.listdir(path) for inner in [os.path.join(path, name)]])

    for path, _, status in walk(root, os.lstat(root), entries):
        if status and not stat.S_ISDIR(status.st_mode):
            os.unlink(path)
    for path in reversed(folders):
        os.rmdir(path)
