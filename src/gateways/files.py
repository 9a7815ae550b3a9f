"""`_tendril.files`: channels as files, for code that wants to print into one or read lines from one (execnet's makefile)."""


def make_file(channel, mode='w', proxyclose=False):
    """A file over a channel. Closing it closes the channel too, if `proxyclose`."""
    if mode == 'w':
        return ChannelFileWrite(channel, proxyclose)
    if mode == 'r':
        return ChannelFileRead(channel, proxyclose)
    raise ValueError('mode %r not available' % (mode,))


class ChannelFile(object):
    def __init__(self, channel, proxyclose):
        self.channel = channel
        self.proxyclose = proxyclose
        self.closed = False

    def isatty(self):
        return False

    def close(self):
        self.closed = True
        if self.proxyclose:
            self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class ChannelFileWrite(ChannelFile):
    """Every write is an item."""

    def write(self, text):
        if self.closed:
            raise IOError('write to a closed file of %r' % self.channel)
        self.channel.send(text)
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        pass


class ChannelFileRead(ChannelFile):
    """The text of items, one after the other: a read may end within an item, a line may cross many."""

    def __init__(self, channel, proxyclose):
        ChannelFile.__init__(self, channel, proxyclose)
        self.rest = None

    def more(self):
        """Appends the next item to what is left; False at the end."""
        try:
            item = self.channel.receive()
        except EOFError:
            return False
        self.rest = item if self.rest is None else self.rest + item
        return True

    def take(self, size):
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def read(self, size=-1):
        while (size < 0 or self.rest is None or len(self.rest) < size) and self.more():
            pass
        if self.rest is None:
            return ''
        return self.take(len(self.rest) if size < 0 else size)

    def readline(self):
        while self.rest is None or '\n' not in self.rest:
            if not self.more():
                return self.read(0) if self.rest is None else self.take(len(self.rest))
        return self.take(self.rest.index('\n') + 1)

    def __iter__(self):
        return iter(self.readline, '')
