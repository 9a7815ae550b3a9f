"""`_tendril.pieces`: a long payload as the file that an unpickler reads, without joining the pieces that it arrived in.

An unpickler that can (3.8 and later) has long bytes read right into the value: then they are copied once, and each piece is let
go as soon as it has been.
"""
from _tendril import deque
from _tendril.memory import HEAD


class Pieces(object):
    def __init__(self, pieces):
        self.pieces = deque(memoryview(piece) for piece in pieces)
        pieces[:] = [bytes(pieces[0][:HEAD])]  # which tells what it was, should there be no memory for what it holds

    def readinto(self, target):
        target = memoryview(target)
        at = 0
        while at < len(target) and self.pieces:
            piece = self.pieces.popleft()
            size = min(len(piece), len(target) - at)
            target[at:at + size] = piece[:size]
            at += size
            if size < len(piece):
                self.pieces.appendleft(piece[size:])
        return at

    def read(self, size=-1):
        if size < 0:
            size = sum(map(len, self.pieces))
        if self.pieces and size < len(self.pieces[0]):
            piece = self.pieces[0]
            self.pieces[0] = piece[size:]
            return piece[:size].tobytes()
        data = bytearray(size)
        return bytes(data[:self.readinto(data)])

    def readline(self):
        line = bytearray()
        while not line.endswith(b'\n'):
            byte = self.read(1)
            if not byte:
                break
            line += byte
        return bytes(line)
