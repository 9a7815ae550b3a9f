"""The far end of 06-hot-sync: keeps a folder as the other side tells it to, and asks for what it does not have."""
import hashlib
import os


def digest(path):
    try:
        with open(path, 'rb') as f:
            return hashlib.sha256(f.read()).hexdigest()
    except EnvironmentError:
        return None


def mirror(channel, root):
    for wanted in channel:  # {path: digest}, once a round
        missing = [path for path in sorted(wanted) if digest(os.path.join(root, path)) != wanted[path]]
        channel.send(missing)
        for path in missing:
            target = os.path.join(root, path)
            if not os.path.isdir(os.path.dirname(target)):
                os.makedirs(os.path.dirname(target))
            with open(target + '.new', 'wb') as f:
                f.write(channel.receive())
            os.rename(target + '.new', target)
        stale = [path for path in files_in(root) if path not in wanted]
        for path in stale:
            os.remove(os.path.join(root, path))
        channel.send({'written': missing, 'removed': stale})


def files_in(root):
    for folder, _, names in os.walk(root):
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, '/')
