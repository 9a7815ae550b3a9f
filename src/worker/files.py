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

    def __repr__(self):
        return '<ChannelFile %d %s>' % (self.channel.id, 'closed' if self.channel.isclosed() else 'open')

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
        self.channel.send(text)
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        pass


class ChannelFileRead(ChannelFile):
    """The text of items, one after the other: a read may end within an item, a line may cross many. What is read is not copied before."""

    def __init__(self, channel, proxyclose):
        ChannelFile.__init__(self, channel, proxyclose)
        self.texts, self.at = [], 0  # items that were not read in full, and how much of the first one was
        self.empty = ''

    def has(self, count):
        """Whether there are more items than that; waits for one. What has come stays when that is interrupted."""
        if count == len(self.texts):
            try:
                self.texts.append(self.channel.receive())
            except EOFError:
                return False
        return True

    def take(self, count, end=None):
        """Takes so many items; of the last one only what is ahead of `end`."""
        if not count:
            return self.empty
        first, last = self.texts[0], self.texts[count - 1]
        if count == 1:
            taken = first[self.at:end]
        else:
            taken = first[:0].join([first[self.at:]] + self.texts[1:count - 1] + [last[:end]])
        self.empty = taken[:0]
        is_whole = end is None or end >= len(last)
        self.texts, self.at = self.texts[count if is_whole else count - 1:], 0 if is_whole else end
        return taken

    def read(self, size=-1):
        count, missing = 0, self.at + size
        while (size < 0 or missing > 0) and self.has(count):
            length = len(self.texts[count])
            count += 1
            if 0 <= size and missing <= length:
                return self.take(count, missing)
            missing -= length
        return self.take(count)

    def readline(self):
        count, at = 0, self.at
        while self.has(count):
            end = self.texts[count].find('\n', at) + 1
            count, at = count + 1, 0
            if end:
                return self.take(count, end)
        return self.take(count)

    def __iter__(self):
        return iter(self.readline, '')
