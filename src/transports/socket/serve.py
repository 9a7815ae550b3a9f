"""A server for gateways: `socket=HOST:PORT` and `ws=URL` reach it. One file, standard library only, Python 2.7 and 3.6 or newer.

    TENDRIL_TOKEN=... python3 serve.py [--host 127.0.0.1] [--port 0] ...

Whoever connects proves that they know the token before anything else is read, and is shown that the server knows it, too
(PROTOCOL.md, "Servers"). Then each connection gets a worker process of its own, and this one has no part in it any more.
"""
import os
import sys
# Neither from the working directory nor from that of this file, where others may write: these two are there already.
sys.path[:] = [p for p in sys.path if p and os.path.realpath(p) != os.path.dirname(os.path.realpath(sys.argv[0]))]
import argparse
import base64
import binascii
import collections
import errno
import hashlib
import hmac
import json
import random
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

GREETING = b'TENDRIL 1 '
NONCE_BYTES = 32
LINE_BYTES = 256  # no line of a handshake is longer
HEAD_BYTES = 8192  # of an HTTP request
REQUEST_BYTES = RELAY_BYTES = 65536
BUDGET = 512  # connections at a time that have proved nothing
LINES_A_SECOND = 30  # that are written about them
NEVER = float('inf')
GRACE_SECONDS, LINGER_SECONDS = 2, 1
MIN_TOKEN = 22  # characters: 128 bits in base64
KEEPALIVE = (('TCP_KEEPIDLE', 15), ('TCP_KEEPINTVL', 15), ('TCP_KEEPCNT', 3))

clock = getattr(time, 'monotonic', time.time)  # Python 2 has only the latter


class Refused(Exception):
    """A connection that is not served. The text is for the log; the other side learns no more than that."""


class WrongProof(Refused):
    """Somebody does not know the token, and may be guessing."""


def proof(token, role, nonces, request=b''):
    """What only somebody who knows the token can say, in this connection, in this role."""
    text = b'|'.join([b'tendril', role] + nonces + [request])
    return binascii.hexlify(hmac.new(token, text, hashlib.sha256).digest())


def read(stream, count):
    data = b''
    while len(data) < count:
        chunk = stream.recv(count - len(data))
        if not chunk:
            raise Refused('it left, took too long, or made room for another')
        data += chunk
    return data


def read_line(stream):
    """A byte at a time: what comes behind the line is the worker's."""
    line = b''
    while not line.endswith(b'\n'):
        if len(line) == LINE_BYTES:
            raise Refused('a line was too long')
        line += read(stream, 1)
    return line[:-1]


class Talk(object):
    """A connection during its handshake. Whoever begins with HTTP goes on in WebSocket messages (RFC 6455); who serves it reads them, too."""

    def __init__(self, stream, origins=()):
        self.stream = stream
        self.origins = origins  # of the pages that may come
        self.is_websocket = False
        self.left = 0  # of the payload of a message
        self.key = None

    def begin(self):
        """Finds out how the other side speaks; gives the first bytes of what it says."""
        first = read(self.stream, 4)
        if first != b'GET ':
            return first
        head = first
        while not head.endswith(b'\r\n\r\n'):
            if len(head) == HEAD_BYTES:
                raise Refused('its HTTP request is too long')
            head += read(self.stream, 1)
        self.upgrade(head.decode('latin-1').split('\r\n'))
        return read(self, 4)

    def upgrade(self, lines):
        pairs = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(':') for line in lines[1:])]
        for name, value in pairs:
            if name == 'origin' and value not in self.origins:
                self.stream.sendall(b'HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
                raise Refused('it is a page of %r, which no --origin names' % value)
        fields = dict(pairs)
        key = fields.get('sec-websocket-key')
        if fields.get('upgrade', '').lower() != 'websocket' or fields.get('sec-websocket-version') != '13' or not key:
            self.stream.sendall(b'HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
                                b'Connection: close\r\nContent-Length: 0\r\n\r\n')
            raise Refused('it wants no WebSocket: %r' % lines[0])
        accept = base64.b64encode(hashlib.sha1(key.encode('latin-1') + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest())
        self.stream.sendall(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                            b'Sec-WebSocket-Accept: ' + accept + b'\r\n\r\n')
        self.is_websocket = True

    def recv(self, count):
        if not self.is_websocket:
            return self.stream.recv(count)
        while not self.left:
            first, second = bytearray(read(self.stream, 2))
            size = second & 127
            if size > 125:
                size = int(binascii.hexlify(read(self.stream, 2 if size == 126 else 8)), 16)
            self.key = bytearray(read(self.stream, 4) if second & 128 else 4)
            if first & 8:  # of the connection itself: close, ping, pong
                payload = self.unmask(read(self.stream, size & 127))
                if first & 15 == 8:
                    return b''
                if first & 15 == 9:
                    self.send(0x8a, payload)
            else:
                self.left = size
        data = self.stream.recv(min(count, self.left))
        self.left -= len(data)
        return self.unmask(data)

    def unmask(self, data):
        turn = len(data) % 4
        result = bytes(bytearray(byte ^ self.key[at % 4] for at, byte in enumerate(bytearray(data))))
        self.key = self.key[turn:] + self.key[:turn]
        return result

    def sendall(self, data):
        if self.is_websocket:
            self.send(0x82, data)
        else:
            self.stream.sendall(data)

    def send(self, first, data):
        size = len(data)
        self.stream.sendall(bytes(bytearray([first, size] if size < 126 else [first, 126, size >> 8, size & 255])) + data)


def shake_hands(stream, token):
    """Both prove that they know the token; returns what the other side wants to be started."""
    theirs = stream.begin()
    theirs += read(stream, len(GREETING) - len(theirs))
    if theirs != GREETING:
        raise Refused('it does not speak this protocol: %r' % theirs)
    nonces = [read_line(stream), binascii.hexlify(os.urandom(NONCE_BYTES))]
    if len(nonces[0]) != 2 * NONCE_BYTES:
        raise Refused('its nonce has another length')
    stream.sendall(GREETING + nonces[1] + b' ' + proof(token, b'server', nonces) + b'\n')
    shown, _, size = read_line(stream).partition(b' ')
    if not size.isdigit() or int(size) > REQUEST_BYTES:
        raise Refused('its request has no good size')
    request = read(stream, int(size))
    if stream.left:
        raise Refused('something follows its request in the same message')
    if not hmac.compare_digest(bytes(shown), bytes(proof(token, b'client', nonces, request))):
        raise WrongProof('its proof is wrong')
    return Request(request)


class Request(object):
    """What is to be started, in the words of somebody who knows the token."""

    def __init__(self, data):
        try:
            fields = json.loads(data.decode('utf-8'))
            self.python = [native(word) for word in fields['python'] or []]
            self.loader = native(fields['loader'])
            self.variables = dict((native(name), native(value)) for name, value in fields['env'].items())
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise Refused('its request makes no sense: %r' % e)

    def start(self, python, stream):
        """A worker that leads its own session: on the connection itself where that is given, else on pipes."""
        argv = (self.python or [python]) + ['-c', self.loader]
        session = {'preexec_fn': os.setsid} if sys.version_info[0] == 2 else {'start_new_session': True}
        ends = subprocess.PIPE if stream is None else stream
        variables = dict(os.environ)
        variables.update(self.variables)
        return subprocess.Popen(argv, stdin=ends, stdout=ends, env=variables, close_fds=True, bufsize=0, **session)


def native(text):
    """As this Python's own functions want it."""
    if sys.version_info[0] == 2:
        return text.encode('utf-8')
    if not isinstance(text, str):
        raise TypeError('%r is no text' % (text,))
    return text


class Strangers(object):
    """Those who have proved nothing: whichever way they come, they cost so much time and so many places. As in strangers.ts."""

    def __init__(self, budget, patience):
        self.budget, self.patience, self.lock = max(budget, 1), patience, threading.Lock()
        self.places = collections.OrderedDict()  # stream: (network, deadline), the oldest first
        self.second = self.told = self.untold = 0

    def add(self, stream, address):
        """Somebody was accepted."""
        with self.lock:
            if len(self.places) >= self.budget:
                self.make_room()
            self.places[stream] = network_of(address), clock() + self.patience

    def let_in(self, stream):
        """It has proved something, or has left: its deadline is off, and its place is free."""
        with self.lock:
            self.places.pop(stream, None)

    def cut_late(self):
        """Reads no more of those whose time is up. Returns the seconds until the next one's is, None when there is nobody."""
        with self.lock:
            now = clock()
            for stream, (network, deadline) in self.places.items():
                if deadline <= now:
                    self.places[stream] = network, NEVER
                    shut(stream, socket.SHUT_RD)
            left = min([deadline for _, deadline in self.places.values()] + [NEVER]) - now
            return None if left == NEVER else left

    def tell(self, text):
        """Says something of one of them; the rest of what there is to say in a second is only counted, as the log may be on a disk."""
        with self.lock:
            if self.second != int(clock()):
                self.second, self.told, untold, self.untold = int(clock()), 0, self.untold, 0
                if untold:
                    say('%d more were refused or lost' % untold)
            self.told += 1
            if self.told <= LINES_A_SECOND:
                say(text)
            else:
                self.untold += 1

    def make_room(self):
        """Whoever floods a listener has most of its places: so it is the flood that makes room, and not the one beside it."""
        counts = collections.Counter(network for network, _ in self.places.values())
        most = counts.most_common(1)[0][1]
        fullest = random.choice([network for network, count in counts.items() if count == most])
        oldest = next(stream for stream, (network, _) in self.places.items() if network == fullest)
        del self.places[oldest]
        shut(oldest, socket.SHUT_RDWR)


def network_of(address):
    """Who is asked to make room together: an IPv4 address, or an IPv6 /64, all of whose addresses one host may have."""
    try:
        packed = socket.inet_pton(socket.AF_INET6, address.partition('%')[0])
    except EnvironmentError:
        return address
    return packed[12:] if packed.startswith(b'\0' * 10 + b'\xff\xff') else packed[:8]


class Server(object):
    """Listens, and knows who is there."""

    def __init__(self, options, token):
        self.options = options
        self.token = token
        self.context = tls_context(options.cert, options.key) if options.tls else None
        self.listener = listen(options.host, options.port)
        self.strangers = Strangers(options.max_strangers, options.handshake_timeout)
        self.lock = threading.Lock()
        self.workers = {}  # pid: subprocess.Popen
        self.is_stopping = False

    def serve(self):
        woken, waking = socket.socketpair()
        waking.setblocking(False)
        signal.set_wakeup_fd(waking.fileno())  # or a signal that comes right before the wait would not end it
        while True:
            try:
                if self.listener not in select.select([self.listener, woken], [], [], self.strangers.cut_late())[0]:
                    continue
                stream, address = self.listener.accept()
            except (EnvironmentError, select.error):
                time.sleep(0.1)  # no descriptor is left; some will be
                continue
            try:
                if self.context is not None:
                    stream = self.context.wrap_socket(stream, server_side=True, do_handshake_on_connect=False)
                self.strangers.add(stream, address[0])
                in_thread(self.welcome, stream, address[0])
            except (EnvironmentError, ValueError, threading.ThreadError) as e:  # it has left already, or there is no thread for it
                self.strangers.tell('lost %s: %s' % (address[0], e))
                self.strangers.let_in(stream)
                quietly(stream.close)

    def welcome(self, stream, address):
        """One connection, from its first byte to its end."""
        worker = None
        talk = Talk(stream, self.options.origin)
        try:
            try:
                prepare(stream)
                stream.settimeout(self.options.handshake_timeout)  # also of what is written
                if self.context is not None:
                    stream.do_handshake()
                request = shake_hands(talk, self.token)
                self.strangers.let_in(stream)
                stream.settimeout(None)
                worker = self.start(talk, request)
            except Refused as e:
                self.strangers.tell('refused %s: %s' % (address, e))
                if isinstance(e, WrongProof):
                    pause(stream, self.options.penalty)
                stream.settimeout(LINGER_SECONDS)
                quietly(talk.sendall, GREETING + b'refused\n')
            if worker is None:
                hang_up(stream)
        except (EnvironmentError, ValueError) as e:
            self.strangers.tell('lost %s: %s' % (address, e))
        finally:
            self.strangers.let_in(stream)
            if worker is None:
                quietly(stream.close)
        if worker is not None:
            say('%s has the worker with pid %d' % (address, worker.pid))
            self.attend(stream, worker)

    def start(self, talk, request):
        """Starts what was asked for. None when that cannot be done, which is told where the worker's first words would be."""
        with self.lock:
            if self.is_stopping or len(self.workers) >= self.options.max_connections:
                raise Refused('there are %d connections already' % len(self.workers))
            talk.sendall(GREETING + b'ok\n')
            try:
                worker = request.start(self.options.python, talk.stream if self.context is None else None)
            except (EnvironmentError, ValueError, TypeError) as e:
                words = 'cannot start %s: %s' % (request.python, reason(e))
                say(words)
                talk.sendall(words.encode('utf-8', 'replace') + b'\n')
                return None
            self.workers[worker.pid] = worker
            return worker

    def attend(self, stream, worker):
        """Waits for the end of a worker, and carries its bytes where the connection cannot be its own."""
        try:
            if self.context is None:
                worker.wait()
            else:
                Relay(stream, worker).run()
            shut(stream, socket.SHUT_WR)  # what the worker left behind may hold it open
        finally:
            with self.lock:
                del self.workers[worker.pid]
            hang_up(stream)
            quietly(stream.close)

    def stop(self):
        """Takes nobody in any more, and ends all workers with what they started."""
        with self.lock:
            self.is_stopping = True
            workers = list(self.workers.values())
        self.listener.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for worker in workers:
                quietly(os.killpg, worker.pid, number)
            last = clock() + GRACE_SECONDS
            while clock() < last and self.workers:
                time.sleep(0.02)


def in_thread(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.daemon = True
    thread.start()
    return thread


def listen(host, port):
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
        return listener
    except (EnvironmentError, OverflowError, ValueError) as e:
        fail('cannot listen on %s, port %d: %s' % (host, port, reason(e)))


def prepare(stream):
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE:
        if hasattr(socket, name):
            stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def quietly(function, *arguments):
    """What fails only where a connection, or a process, has ended already."""
    try:
        function(*arguments)
    except (EnvironmentError, ValueError):
        pass


def shut(stream, how):
    """Of the connection itself, because another thread may be in its TLS."""
    quietly(socket.socket.shutdown, stream, how)


def pause(stream, seconds):
    """Unless the connection is cut meanwhile."""
    poller = select.poll()
    poller.register(stream, 0)
    poller.poll(seconds * 1000)


def hang_up(stream):
    """Ends our side and waits a moment for the other: bytes that nobody has read would take our last ones away with them."""
    shut(stream, socket.SHUT_WR)
    last = clock() + LINGER_SECONDS
    try:
        while clock() < last:
            stream.settimeout(max(last - clock(), 0.01))
            if not stream.recv(RELAY_BYTES):
                return
    except (EnvironmentError, ValueError):
        pass  # it has ended, or the time is up


class Relay(object):
    """
    Between a connection that is no descriptor, because it is encrypted, and the pipes of a worker. One thread, as OpenSSL wants,
    in which neither direction ever waits for the other: two windows that are full could wait for each other.
    """

    def __init__(self, stream, worker):
        self.stream = stream
        self.worker = worker
        self.connection, self.stdin, self.stdout = stream.fileno(), worker.stdin.fileno(), worker.stdout.fileno()
        self.inward = self.outward = b''  # on the way to the worker, and from it
        self.takes_input = True
        self.has_ended = False

    def run(self):
        """Until the worker exits. Its pipes tell less: a process that it forked may hold them open."""
        import fcntl
        for fd in (self.stdin, self.stdout):
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
        self.stream.setblocking(False)
        exited, told = os.pipe()

        def wait():
            self.worker.wait()
            os.close(told)

        waiter = in_thread(wait)
        try:
            while self.move(exited):
                pass
        except (EnvironmentError, select.error, ValueError):
            pass  # the connection broke: the worker learns it by its pipes, and leaves
        finally:
            self.worker.stdin.close()
            self.worker.stdout.close()
            waiter.join()
            os.close(exited)

    def move(self, exited):
        """Moves what can be moved, for which it waits; False when nothing is left."""
        hears = self.takes_input and not self.inward
        poller = select.poll()
        poller.register(self.connection, (select.POLLIN if hears else 0) | (select.POLLOUT if self.outward else 0))
        if self.inward:
            poller.register(self.stdin, select.POLLOUT)
        if not self.outward:
            poller.register(self.stdout, select.POLLIN)
        if not self.has_ended:
            poller.register(exited, select.POLLIN)
        has_heard = hears and self.stream.pending() > 0
        is_last = self.has_ended and not self.outward
        ready = dict(poller.poll(0 if has_heard or is_last else LINGER_SECONDS * 1000 if self.has_ended else None))
        if not hears and ready.get(self.connection, 0) & ~(select.POLLIN | select.POLLOUT) or self.has_ended and not ready:
            return False  # the connection broke, or nothing is left
        if hears and (has_heard or self.connection in ready):
            self.hear()
        if self.inward:
            self.feed()
        if self.stdout in ready:
            chunk = attempt(os.read, self.stdout, RELAY_BYTES)
            if chunk == b'':
                return False
            self.outward = chunk or b''
        if self.outward:
            self.outward = self.outward[attempt(self.stream.send, self.outward) or 0:]
        if exited in ready:
            self.has_ended, self.takes_input, self.inward = True, False, b''
        return True

    def hear(self):
        chunk = attempt(self.stream.recv, RELAY_BYTES)
        if chunk == b'':
            self.takes_input = False
            self.worker.stdin.close()
        self.inward = chunk or b''

    def feed(self):
        try:
            self.inward = self.inward[attempt(os.write, self.stdin, self.inward) or 0:]
        except EnvironmentError:  # it takes no more, but may have something to say
            self.takes_input, self.inward = False, b''


def attempt(operation, *arguments):
    """None when there is nothing to be had, or no room, for now."""
    import ssl
    try:
        return operation(*arguments)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None
    except EnvironmentError as e:
        if e.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
            return None
        raise


def tls_context(cert, key):
    import ssl
    if not hasattr(ssl, 'SSLContext') or not hasattr(ssl, 'PROTOCOL_TLS'):
        fail('the ssl of this Python is too old for --tls; use Python 3.6 or newer')
    context = ssl.SSLContext(getattr(ssl, 'PROTOCOL_TLS_SERVER', ssl.PROTOCOL_TLS))
    if hasattr(context, 'minimum_version'):
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    else:
        context.options |= ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1
    try:
        context.load_cert_chain(cert, key)
    except (EnvironmentError, ValueError) as e:
        fail('cannot use the certificate %s with the key %s: %s' % (cert, key or cert, reason(e)))
    return context


def make_certificate():
    """With its key, in PEM. It names nobody: clients know it by its fingerprint."""
    folder = tempfile.mkdtemp()
    files = [os.path.join(folder, 'key'), os.path.join(folder, 'cert')]
    command = 'openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=tendril'.split()
    try:
        subprocess.check_output(command + ['-keyout', files[0], '-out', files[1]], stderr=subprocess.STDOUT)
        return b''.join(open(path, 'rb').read() for path in files)
    except (EnvironmentError, subprocess.CalledProcessError) as e:
        fail('--tls without --cert makes a certificate with openssl, and that failed (%s): install openssl, '
             'or name a certificate with --cert and --key' % reason(e))
    finally:
        shutil.rmtree(folder)


def fingerprint(path):
    import ssl
    with open(path) as file:
        text = file.read()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text[text.index('-----BEGIN CERTIFICATE'):])).hexdigest()


def read_secret(path):
    """From a file that is ours, and that only we may read."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), 'rb') as file:  # nobody is waited for who may write to a pipe
            status = os.fstat(file.fileno())
            if status.st_mode & 0o170000 != 0o100000 or status.st_size > REQUEST_BYTES:
                fail('%s is no file of at most %d bytes' % (path, REQUEST_BYTES))
            if status.st_mode & 0o077:
                fail('others may read %s; run "chmod 600" on it' % path)
            if status.st_uid != os.geteuid():
                fail('%s belongs to another user, who knows what is in it; make one of your own' % path)
            return file.read().strip()
    except EnvironmentError as e:
        fail('cannot read %s: %s' % (path, reason(e)))


def keep(name, make):
    """A file of this user's, made where there is none. Of servers that start at the same time one makes it for all."""
    folder = os.path.join(os.environ.get('XDG_CONFIG_HOME') or os.path.join(os.path.expanduser('~'), '.config'), 'tendril')
    path = os.path.join(folder, name)
    if os.path.exists(path):
        return path
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o700)
        fd, temporary = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(fd, 'wb') as file:
                file.write(make())
            os.link(temporary, path)
        finally:
            os.unlink(temporary)
    except EnvironmentError as e:
        if e.errno != errno.EEXIST:
            fail('cannot make %s: %s' % (path, reason(e)))
    return path


def reason(error):
    """Without the number that systems know it by."""
    return getattr(error, 'strerror', None) or str(error)


def say(text):
    try:
        sys.stderr.write('tendril serve: %s\n' % text)
        sys.stderr.flush()
    except EnvironmentError:
        pass  # nobody reads it


def fail(text):
    say(text)
    raise SystemExit(2)


def parse(argv):
    parser = argparse.ArgumentParser(prog='tendril serve', description='Serves gateways on a socket.')
    parser.add_argument('--host', default='127.0.0.1', help='the address to listen on (default: %(default)s)')
    parser.add_argument('--port', type=int, default=0, help='the port to listen on (default: a free one)')
    parser.add_argument('--token-file', help='a file with the token (default: the variable '
                        'TENDRIL_TOKEN, else ~/.config/tendril/token, which is made when it is not there)')
    parser.add_argument('--token', help=argparse.SUPPRESS)
    parser.add_argument('--python', default=sys.executable, help='the interpreter of workers (default: %(default)s)')
    parser.add_argument('--max-connections', type=int, default=64, help='workers at a time (default: %(default)s)')
    parser.add_argument('--handshake-timeout', type=float, default=10, metavar='SECONDS',
                        help='for which a connection may take to prove that it knows the token (default: %(default)s)')
    parser.add_argument('--penalty', type=float, default=1, metavar='SECONDS',
                        help='after which a wrong proof is answered (default: %(default)s)')
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0] % (1 << 62)  # -1 is without end
    parser.add_argument('--max-strangers', type=int, default=min(BUDGET, descriptors // 2), help='connections at a time that have '
                        'proved nothing; then the oldest of the address with most makes room (default: %(default)s)')
    parser.add_argument('--origin', action='append', default=[], help='a page of this origin, such as https://example.org, may come by '
                        'WebSocket; may be given again (default: none)')
    parser.add_argument('--tls', action='store_true', help='encrypt connections')
    parser.add_argument('--cert', help='the certificate chain, in PEM (default: one of our own in ~/.config/tendril, which is made '
                        'with openssl when it is not there; the spec that is printed has its fingerprint)')
    parser.add_argument('--key', help='the private key of the certificate, in PEM')
    parser.add_argument('--with-parent', action='store_true', help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.token is not None:
        fail('everybody on this machine could read a token on a command line: use --token-file or TENDRIL_TOKEN')
    if not 0 <= options.port <= 65535:
        fail('there is no port %d; they go up to 65535' % options.port)
    if options.key and not options.cert or options.cert and not options.tls:
        fail('--key needs --cert, and --cert needs --tls')
    return options


def main(argv):
    if os.name != 'posix':
        fail('it runs on POSIX systems only')
    options = parse(argv)
    token = os.environ.pop('TENDRIL_TOKEN', '')  # workers have no need to know
    token = token if isinstance(token, bytes) else token.encode('utf-8', 'surrogateescape')
    file = options.token_file or (None if token else keep('token', lambda: binascii.hexlify(os.urandom(NONCE_BYTES)) + b'\n'))
    token = read_secret(file) if file else token
    if len(token) < MIN_TOKEN:
        fail('%s has no token of at least %d characters; make one with "python3 -c \'import secrets; '
             'print(secrets.token_urlsafe(32))\'"' % (file or 'TENDRIL_TOKEN', MIN_TOKEN))
    keys = ['tls'] if options.tls else []
    if options.tls and not options.cert:
        options.cert = keep('tls.pem', make_certificate)
        read_secret(options.cert)
        keys += ['fingerprint=%s' % fingerprint(options.cert)]
    server = Server(options, token)
    host, port = server.listener.getsockname()[:2]
    name = '[%s]' % host if ':' in host else host
    keys = ['socket=%s:%d' % (name, port)] + keys
    keys += ['token_file=%s' % os.path.abspath(file)] if file else []
    if not options.tls and not host.startswith('127.') and host != '::1':
        say('whoever is on the way can read and change what is said: use --tls, or an SSH gateway')
    if os.geteuid() == 0:
        say('whoever knows the token is root on this machine: run it as another user, if root is not what they are to be')

    stops = (signal.SIGTERM, signal.SIGINT)

    def leave(number, frame):
        for number in stops:
            signal.signal(number, signal.SIG_IGN)  # once is enough
        raise SystemExit(0)

    for number in stops:
        signal.signal(number, leave)
    try:
        if options.with_parent:
            in_thread(leave_with_parent)
        try:
            print('//'.join(keys))
            sys.stdout.flush()
        except EnvironmentError as e:  # whoever was to read it has gone, or the disk is full
            e.errno == errno.EPIPE or say('cannot write: %s' % e.strerror)
            os._exit(e.errno != errno.EPIPE)
        server.serve()
    except SystemExit:
        server.stop()
        os._exit(0)  # nobody waits for threads that still talk to somebody


def leave_with_parent():
    """Whoever started this process holds the other end of its stdin."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == '__main__':
    main(sys.argv[1:])
