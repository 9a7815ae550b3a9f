"""`_tendril.trail`: the way from a folder to one further in (twin: trail.ts)."""
MOST_OPEN = 16  # however deep a tree is: those further up are opened again from below


class Trail(object):
    """The folders from the first one down to the one `here`."""

    def __init__(self, folder):
        self.folders = [folder]

    @property
    def here(self):
        return self.folders[-1]

    @property
    def depth(self):
        return len(self.folders) - 1

    def enter(self, folder):
        self.folders.append(folder)
        if self.depth > MOST_OPEN and folder.fd is not None:
            self.folders[-1 - MOST_OPEN].set_aside()
        return folder

    def leave(self):
        """Goes up; gives the folder that is left, still open."""
        left = self.folders.pop()
        if self.folders and self.here.fd is None and left.fd is not None:
            self.here.reopen(left)
        return left

    def close(self):
        """All but the first one, which belongs to whoever gave it."""
        for folder in self.folders[1:]:
            folder.close()
        del self.folders[1:]
