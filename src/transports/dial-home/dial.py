"""Brings this Python to a controller that listens (`tendril listen`): a gateway that dials home.

    TENDRIL_TOKEN=... python3 dial.py tcp://HOST:PORT
    python3 dial.py wss://HOST/PATH [--retry] - <FILE     the token is the first line of what it reads

An address is tcp://, tls://, ws:// or wss://; behind a `#` it may have the SHA-256 fingerprint of the one certificate that is
trusted. Nothing is run before the controller has proved that it knows the token (PROTOCOL.md, "Dialing home"). One file,
standard library only, Python 2.7 and 3.6 or newer, POSIX.
"""
import os
import sys

# Neither from the working directory nor from that of this file, where others may write: these two are there already.
sys.path[:] = [p for p in sys.path if p and os.path.realpath(p) != os.path.dirname(os.path.realpath(sys.argv[0]))]

import base64
import binascii
import hashlib
import hmac
import socket

GREETING = b'TENDRIL 1 '
NONCE_BYTES = 32
LINE_BYTES = 256
SOURCE_BYTES = 65536
NAME_BYTES = 64
HANDSHAKE_SECONDS = 30
RETRY_SECONDS = (1, 60)  # at first, and at most
PORTS = {'ws': 80, 'wss': 443}
KEEPALIVE = (('TCP_KEEPIDLE', 15), ('TCP_KEEPINTVL', 15), ('TCP_KEEPCNT', 3))


class Failed(Exception):
    """The way to the controller has ended; the text says why."""


def hex_of(data):
    return binascii.hexlify(data)


def proof(token, role, nonces, words=b''):
    return hex_of(hmac.new(token, b'|'.join([b'tendril', role] + nonces + [words]), hashlib.sha256).digest())


def read(stream, count):
    data = b''
    while len(data) < count:
        chunk = stream.recv(count - len(data))
        if not chunk:
            raise Failed('the controller hung up')
        data += chunk
    return data


def read_line(stream):
    line = b''
    while not line.endswith(b'\n'):
        if len(line) == LINE_BYTES:
            raise Failed('it is no controller: it said %r' % line[:80])
        line += read(stream, 1)
    return line[:-1]


def shake_hands(stream, token):
    """Both prove that they know the token; returns the source to run."""
    nonces = [hex_of(os.urandom(NONCE_BYTES))]
    stream.sendall(GREETING + nonces[0] + b' ' + hex_of(hashlib.sha256(b'tendril|id|' + token).digest())[:16] + b'\n')
    said = read_line(stream)
    words = said[len(GREETING):].split(b' ')
    if said == GREETING + b'refused':
        raise Failed('the controller refused us: its token is another one, or has been used')
    if not said.startswith(GREETING) or len(words) != 2:
        raise Failed('it is no controller: it said %r' % said[:80])
    nonces.append(words[0])
    if not hmac.compare_digest(words[1], proof(token, b'listener', nonces)):
        raise Failed('the controller does not know the token, or it has been used: nothing of the controller was run')
    name = socket.gethostname()
    name = hex_of((name if isinstance(name, bytes) else name.encode('utf-8'))[:NAME_BYTES])
    stream.sendall(proof(token, b'worker', nonces, name) + b' ' + name + b'\n')
    said = read_line(stream)
    size = said[len(GREETING) + 3:]
    if not said.startswith(GREETING + b'ok ') or not size.isdigit() or int(size) > SOURCE_BYTES:
        raise Failed('the controller refused us: its token is another one, or has been used')
    return read(stream, int(size)).decode('utf-8')


class Messages(object):
    """A WebSocket (RFC 6455) during the handshake: what is received is payload, what is sent is a message, masked with zeros."""

    def __init__(self, stream, host, path):
        self.stream, self.left = stream, 0
        key = base64.b64encode(os.urandom(16))
        stream.sendall(('GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
                        'Sec-WebSocket-Key: %s\r\n\r\n' % (path, host, key.decode('ascii'))).encode('ascii'))
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            if len(head) == 8192:
                raise Failed('it is no WebSocket server: it said %r' % head[:80])
            head += read(stream, 1)
        accept = base64.b64encode(hashlib.sha1(key + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest())
        if b' 101 ' not in head.split(b'\r\n')[0] or accept not in head:
            raise Failed('it is no WebSocket server: it said %r' % head.split(b'\r\n')[0])

    def recv(self, count):
        while not self.left:
            first, second = bytearray(read(self.stream, 2))
            size = second & 127
            if size > 125:
                size = int(hex_of(read(self.stream, 2 if size == 126 else 8)), 16)
            if first & 8:  # of the connection itself; pings are answered once the worker is there
                read(self.stream, size)
                if first & 15 == 8:
                    return b''
            else:
                self.left = size
        data = self.stream.recv(min(count, self.left))
        self.left -= len(data)
        return data

    def sendall(self, data):
        size = len(data)
        head = [0x82, 128 | size] if size < 126 else [0x82, 254, size >> 8, size & 255]
        self.stream.sendall(bytes(bytearray(head + [0] * 4)) + data)


def parse(address):
    scheme, _, rest = address.partition('://')
    rest, _, fingerprint = rest.partition('#')
    place, slash, path = rest.partition('/')
    host, colon, port = place.rpartition(':')
    if not port.isdigit():
        host, port = place, PORTS.get(scheme, '')
    if scheme not in ('tcp', 'tls', 'ws', 'wss') or not host or not port:
        raise Failed('%r is no address; write tcp://HOST:PORT, tls://HOST:PORT#FINGERPRINT, or ws(s)://HOST/PATH' % address)
    return scheme, host.strip('[]'), int(port), place, slash + path or '/', fingerprint.replace(':', '').lower()


def encrypt(stream, host, fingerprint):
    import ssl
    context = ssl.create_default_context()
    if fingerprint:  # a certificate that is known by itself needs nobody to vouch for it, nor a name
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    stream = context.wrap_socket(stream, server_hostname=host)
    shown = hashlib.sha256(stream.getpeercert(True)).hexdigest()
    if fingerprint and shown != fingerprint:
        raise Failed('the certificate of %s is another one: %s' % (host, shown))
    return stream


def dial(address, token):
    """Becomes a worker; returns only if that fails."""
    scheme, host, port, place, path, fingerprint = parse(address)
    stream = connection = socket.create_connection((host, port), HANDSHAKE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE:
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    if scheme in ('tls', 'wss'):
        stream = connection = encrypt(connection, host, fingerprint)
    if scheme in ('ws', 'wss'):
        stream = Messages(connection, place, path)
    source = shake_hands(stream, token)
    connection.settimeout(None)
    for fd in (0, 1):
        os.dup2(connection.fileno(), fd)
    if os.getpid() != os.getsid(0) and os.getpid() != os.getpgrp():
        os.setsid()  # the worker ends its whole group
    sys.argv[:] = ['-c']
    if scheme in ('tcp', 'ws'):
        connection.close()
    exec(compile(source, '<tendril>', 'exec'), {'__name__': '__main__', 'stream': connection})


def dial_again_and_again(address, token):
    """A process for each arrival; what comes back at once waits longer and longer."""
    import time
    wait, most = RETRY_SECONDS
    while True:
        began = time.time()
        child = os.fork()
        if not child:
            os.setsid()
            return attempt(address, token)
        os.waitpid(child, 0)
        wait = RETRY_SECONDS[0] if time.time() - began > most else min(wait * 2, most)
        time.sleep(wait)


def attempt(address, token):
    try:
        dial(address, token)
    except (Failed, EnvironmentError, ValueError) as e:
        sys.exit('tendril: cannot dial %s: %s' % (address.partition('#')[0], e))


def main(argv):
    argv, retries = [word for word in argv if word != '--retry'], '--retry' in argv
    token = os.environ.pop('TENDRIL_TOKEN', '')
    if len(argv) == 2:
        if argv[1] != '-':
            sys.exit('tendril: everybody on this machine could read a token on a command line: use TENDRIL_TOKEN, or - and standard input')
        token = sys.stdin.readline().strip()
    if len(argv) not in (1, 2) or not token or argv[0].startswith('-'):
        sys.exit(__doc__)
    (dial_again_and_again if retries else attempt)(argv[0], token.encode('utf-8'))


if __name__ == '__main__':
    main(sys.argv[1:])
