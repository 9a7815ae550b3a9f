"""The worker's end of a connection that is no plain stream: a WebSocket (RFC 6455), TLS, or one over the other.

Goes ahead of the loader line, in the same text (twin: src/transports/websocket/link.ts), into an interpreter whose stdin and
stdout are a connection on which all handshakes are over. Python 2.7 and 3.6 or newer, standard library only.
"""
import errno
import os
import select
import socket
import struct
import sys

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
READ_BYTES = 65536
LONG = 16384  # bytes, from which on a table is faster than one number (xor)


class Link(object):
    """What a worker reads from and writes to."""

    worker = None
    ahead = b''    # what came together with the bootstrap
    headed = None  # gives bytes behind a header of this link's

    def attach(self, worker):
        """The worker speaks through this from now on, by what it keeps of `os` and `select`: user code may patch those."""
        global os, select
        os, select = sys.modules['_tendril'].os, sys.modules['_tendril'].select
        os.close(worker.fd_in)
        self.worker, worker.fd_in = worker, self.fd_in
        worker.hang_up = lambda: hang_up(worker.fd_in)
        worker.receive, worker.transmit = self.receive_ahead if self.ahead else self.receive, self.transmit
        worker.headed = self.headed

    def receive_ahead(self, fd, size):
        self.worker.receive = self.receive
        return self.ahead


class Plain(Link):
    """The descriptors themselves."""

    def __init__(self):
        self.fd_in = private(os.dup(0))

    def receive(self, fd, size):
        return os.read(self.fd_in, size)

    transmit = staticmethod(os.write)


class Encrypted(Link):
    """What an `ssl` socket lets through. OpenSSL wants one call at a time, and none may wait while it has its turn."""

    def __init__(self, stream):
        import threading
        import ssl
        stream.setblocking(False)
        self.stream, self.fd_in = stream, stream.fileno()
        self.turn = threading.Lock()
        self.waits = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self.reading = ssl.SSLWantReadError

    def receive(self, fd, size):
        """As WebSocket.receive. Nothing is left behind, or nobody would be told of it."""
        if not self.stream.pending():
            select.select([self.fd_in], [], [])
        with self.turn:
            try:
                data = self.stream.recv(size)
                while self.stream.pending():
                    data += self.stream.recv(size)
                return data
            except self.waits:
                return None

    def transmit(self, fd, data):
        while True:
            try:
                with self.turn:
                    return self.stream.send(data)
            except self.waits as e:
                is_reading = isinstance(e, self.reading)
                select.select([self.fd_in] if is_reading else [], [] if is_reading else [self.fd_in], [])


class WebSocket(Link):
    """Has the worker read payloads, whatever frames they come in, and write each piece as a message."""

    def __init__(self, below, masks):
        self.below, self.transmit = below, below.transmit
        self.fd_in = below.fd_in
        self.masks = masks   # as a client must: with a key of zeros, which changes nothing
        self.head = b''      # the beginning of a frame whose header is not complete
        self.left = 0        # bytes of payload that the frame still has
        self.key = None      # what they are masked with, beginning with the next byte
        self.opcode = BINARY
        self.control = b''   # what has come of a control frame's payload
        self.is_over = False

    def receive(self, fd, size):
        """Payload; b'' when there will be none any more, None when there is none yet. Blocks as the descriptor does."""
        if self.is_over:
            return b''
        data = self.below.receive(fd, size)
        if not data:
            return data
        if len(data) <= self.left and self.opcode < CLOSE:
            return self.take(data)
        pieces, data, at = [], self.head + data, 0
        while at < len(data) and not self.is_over:
            if self.left:
                piece = data[at:at + self.left]
                at += len(piece)
                if self.opcode < CLOSE:
                    pieces.append(self.take(piece))
                else:
                    self.control += self.take(piece)
            else:
                size = self.begin(data[at:at + 14])
                if not size:
                    break
                at += size
            if not self.left and self.opcode >= CLOSE:
                self.answer()
        self.head = data[at:]
        return b''.join(pieces) or (b'' if self.is_over else None)

    def begin(self, head):
        """Reads the header of a frame; its size, or 0 when it is not complete."""
        if len(head) < 2:
            return 0
        first, second = struct.unpack('BB', head[:2])
        extended = {126: 2, 127: 8}.get(second & 127, 0)
        size = 2 + extended + (4 if second & 128 else 0)
        if len(head) < size:
            return 0
        self.opcode = first & 15 or BINARY
        self.left = struct.unpack('>H' if extended == 2 else '>Q', head[2:2 + extended])[0] if extended else second & 127
        key = head[2 + extended:size]
        self.key = key if key.strip(b'\0') else None
        self.control = b''
        return size

    def take(self, data):
        self.left -= len(data)
        if self.key is None:
            return data
        key, turn = self.key, len(data) % 4
        self.key = key[turn:] + key[:turn]
        return xor(data, key)

    def answer(self):
        """A control frame is complete."""
        if self.opcode == PING:
            self.post(PONG, self.control)
        elif self.opcode == CLOSE:
            self.post(CLOSE, self.control[:2])
            self.is_over = True
        self.opcode = BINARY

    def post(self, opcode, payload):
        """Before any other frame, and never in the middle of one."""
        frame = self.header(opcode, len(payload)) + payload
        if self.worker is None:
            self.write(1, frame)
        else:
            self.worker.outgoing.post((frame, []))

    def write(self, fd, data):
        """All of it, while there is no worker that could."""
        data = memoryview(data)
        while data:
            try:
                data = data[self.transmit(fd, data):]
            except EnvironmentError as e:
                if e.errno not in (errno.EAGAIN, errno.EINTR):
                    raise
                select.select([], [fd], [])

    def headed(self, data, more):
        """Bytes as a message has them, which goes on with `more` bytes."""
        return self.header(BINARY, len(data) + more) + data

    def header(self, opcode, size):
        mask = 128 if self.masks else 0
        if size < 126:
            head = struct.pack('>BB', 128 | opcode, mask | size)
        elif size < 65536:
            head = struct.pack('>BBH', 128 | opcode, mask | 126, size)
        else:
            head = struct.pack('>BBQ', 128 | opcode, mask | 127, size)
        return head + b'\0\0\0\0' if self.masks else head


def hang_up(fd):
    """For whoever finds the worker gone: over a network nobody else tells the controller, and what the worker forked may hold the connection open."""
    try:
        stream = socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM)
        stream.shutdown(socket.SHUT_RDWR)
    except EnvironmentError:
        pass  # the controller was faster


def xor(data, key):
    """As one number where that is short, else every fourth byte at a time by a table: nothing else is nearly as fast."""
    size = len(data)
    if size < LONG and hasattr(int, 'from_bytes'):
        mask = int.from_bytes((key * (size // 4 + 1))[:size], 'big')
        return (int.from_bytes(data, 'big') ^ mask).to_bytes(size, 'big')
    result = bytearray(size)
    for at, byte in enumerate(bytearray(key)):
        table = bytes(bytearray(byte ^ value for value in range(256)))
        result[at::4] = data[at::4].translate(table)
    return bytes(result)


def private(fd):
    """Keeps a descriptor from child processes. Python 3 does so by itself."""
    if sys.version_info[0] == 2:
        import fcntl
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    return fd


def open_link(size, layers, stream=None):
    """Reads as much as the loader will, and puts it where that looks; what comes behind it is for the worker.

    `layers` are none of a plain stream, 'tls', whose `ssl` socket is `stream`, and 'server' or 'client', the side of a WebSocket that this is.
    """
    global attach
    if not layers:
        def attach(worker):
            worker.hang_up = lambda: hang_up(worker.fd_in)
        return
    link = Encrypted(stream) if 'tls' in layers else Plain()
    if layers != ['tls']:
        link = WebSocket(link, 'client' in layers)
    data = b''
    while len(data) < size:
        try:
            piece = link.receive(link.fd_in, READ_BYTES)
        except EnvironmentError as e:
            if e.errno not in (errno.EAGAIN, errno.EINTR):
                raise
            select.select([link.fd_in], [], [])
            continue
        if piece == b'':
            sys.exit('the controller is gone')
        data += piece or b''
    link.ahead = data[size:]
    source, end = os.pipe()  # it holds as much as a bootstrap has
    os.write(end, data[:size])
    os.close(end)
    os.dup2(source, 0)
    os.close(source)
    attach = link.attach  # which the worker calls when it begins
