"""A server for gateways: `socket=HOST:PORT` reaches it. One file, standard library only, Python 2.7 and 3.6 or newer.

    TENDRIL_TOKEN=… python3 serve.py [--host 127.0.0.1] [--port 0] …

Whoever connects proves that they know the token before anything else is read, and is shown that the server knows it, too
(PROTOCOL.md, "Servers"). Then each connection gets a worker process of its own, and this one has no part in it any more.
"""
from __future__ import print_function

import argparse
import binascii
import errno
import hashlib
import hmac
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

GREETING = b'TENDRIL 1 '
NONCE_BYTES = 32
PROOF_DIGITS = 64
LINE_BYTES = 256  # no line of a handshake is longer
REQUEST_BYTES = 65536
HANDSHAKE_SECONDS = 10
PENDING = 32  # handshakes at a time
FAILURES = 5  # of an address, for which it then waits
PENALTY_SECONDS = 10
GRACE_SECONDS = 2
RELAY_BYTES = 65536
MIN_TOKEN = 22  # characters: 128 bits in base64
KEEPALIVE = (('TCP_KEEPIDLE', 15), ('TCP_KEEPINTVL', 15), ('TCP_KEEPCNT', 3))


class Refused(Exception):
    """A connection that is not served. The text is for the log; the other side learns no more than that."""

    def __init__(self, text, is_suspect=True):
        Exception.__init__(self, text)
        self.is_suspect = is_suspect


def proof(token, role, nonces, request=b''):
    """What only somebody who knows the token can say, in this connection, in this role."""
    text = b'|'.join([b'tendril', role] + nonces + [request])
    return binascii.hexlify(hmac.new(token, text, hashlib.sha256).digest())


def are_equal(a, b):
    """In a time that does not depend on where they differ."""
    return hmac.compare_digest(bytes(a), bytes(b))


def read(stream, count):
    data = b''
    while len(data) < count:
        chunk = stream.recv(count - len(data))
        if not chunk:
            raise Refused('it left, or took too long')
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


def shake_hands(stream, token):
    """Both prove that they know the token; returns what the other side wants to be started."""
    theirs = read(stream, len(GREETING))
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
    if not are_equal(shown, proof(token, b'client', nonces, request)):
        raise Refused('its proof is wrong')
    return json.loads(request.decode('utf-8'))


class Server(object):
    """Listens, and knows who is there."""

    def __init__(self, options, token):
        self.options = options
        self.token = token
        self.listener = listen(options.host, options.port)
        self.context = tls_context(options) if options.tls else None
        self.pending = threading.Semaphore(PENDING)
        self.lock = threading.Lock()
        self.workers = {}  # pid: subprocess.Popen
        self.failures = {}  # address: (how many, when the last one was)
        self.is_stopping = False

    def serve(self):
        while not self.is_stopping:
            try:
                connection, address = self.listener.accept()
            except (EnvironmentError, socket.error):
                if self.is_stopping:
                    return
                time.sleep(0.1)  # no descriptor is left; some will be
                continue
            self.pending.acquire()
            thread = threading.Thread(target=self.welcome, args=(connection, address[0]))
            thread.daemon = True
            thread.start()

    def welcome(self, connection, address):
        """One connection, from its first byte to its end."""
        stream = connection
        try:
            try:
                if not self.may_try(address):
                    raise Refused('it has failed too often', is_suspect=False)
                prepare(connection)
                if self.context is not None:
                    stream = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                request = self.hear(stream)
            finally:
                self.pending.release()
            self.forgive(address)
            self.run(stream, request, address)
        except Refused as e:
            if e.is_suspect:
                self.blame(address)
            say('refused %s: %s' % (address, e))
            refuse(stream)
        except (EnvironmentError, ValueError, KeyError, TypeError) as e:  # the connection broke, or the request makes no sense
            say('lost %s: %s' % (address, e))
        finally:
            close(stream)

    def hear(self, stream):
        """The handshake, within its time: a byte a second is too slow."""
        late = threading.Timer(HANDSHAKE_SECONDS, lambda: shut(stream, socket.SHUT_RDWR))
        late.daemon = True
        late.start()
        try:
            if self.context is not None:
                stream.do_handshake()
            return shake_hands(stream, self.token)
        finally:
            late.cancel()

    def run(self, stream, request, address):
        """Starts what was asked for, on the connection itself where that is a descriptor, and waits for its end."""
        is_direct = self.context is None and os.name == 'posix'
        with self.lock:
            if self.is_stopping or len(self.workers) >= self.options.max_connections:
                raise Refused('there are %d connections already' % len(self.workers), is_suspect=False)
            stream.sendall(GREETING + b'ok\n')
            try:
                worker = start(request, self.options.python, stream if is_direct else None)
            except EnvironmentError as e:
                stream.sendall(('cannot start %s: %s\n' % (request['python'], e)).encode('utf-8'))
                raise
            self.workers[worker.pid] = worker
        say('%s has the worker with pid %d' % (address, worker.pid))
        try:
            if not is_direct:
                relay(stream, worker)
            worker.wait()
        finally:
            shut(stream, socket.SHUT_RDWR)  # what the worker left behind may hold it open
            with self.lock:
                del self.workers[worker.pid]

    def may_try(self, address):
        with self.lock:
            count, last = self.failures.get(address, (0, 0))
            return count < FAILURES or time.time() - last > PENALTY_SECONDS

    def blame(self, address):
        with self.lock:
            if len(self.failures) > 10000:
                self.failures.clear()
            self.failures[address] = (self.failures.get(address, (0, 0))[0] + 1, time.time())

    def forgive(self, address):
        with self.lock:
            self.failures.pop(address, None)

    def stop(self):
        """Takes nobody in any more, and ends all workers with what they started."""
        with self.lock:
            self.is_stopping = True
            workers = list(self.workers.values())
        self.listener.close()
        for number in (signal.SIGTERM, getattr(signal, 'SIGKILL', signal.SIGTERM)):
            for worker in workers:
                end(worker, number)
            last = time.time() + GRACE_SECONDS
            while time.time() < last and any(worker.poll() is None for worker in workers):
                time.sleep(0.02)


def listen(host, port):
    family = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0][0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == 'posix':
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(128)
    return listener


def prepare(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE:
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def refuse(stream):
    """The same few bytes, whatever was wrong."""
    try:
        stream.settimeout(1)
        stream.sendall(GREETING + b'refused\n')
        shut(stream, socket.SHUT_WR)
        while stream.recv(RELAY_BYTES):  # unread bytes would take the answer away with them
            pass
    except (EnvironmentError, ValueError):
        pass


def shut(stream, how):
    try:
        stream.shutdown(how)
    except (EnvironmentError, ValueError):
        pass


def close(stream):
    try:
        stream.close()
    except EnvironmentError:
        pass


def start(request, python, stream):
    argv = [str(word) for word in request['python'] or [python]] + ['-c', str(request['loader'])]
    variables = dict(os.environ)
    variables.update((str(name), str(value)) for name, value in request['env'].items())
    group = {} if os.name != 'posix' else {'preexec_fn': os.setsid} if sys.version_info[0] == 2 else {'start_new_session': True}
    ends = stream if stream is not None else subprocess.PIPE
    return subprocess.Popen(argv, stdin=ends, stdout=ends, env=variables, close_fds=True, bufsize=0, **group)


def end(worker, number):
    try:
        if os.name == 'posix':
            os.killpg(worker.pid, number)
        else:
            worker.kill()
    except EnvironmentError:
        pass  # it has ended


def relay(stream, worker):
    """Between a connection that is no descriptor, because it is encrypted, and the pipes of a worker; one thread, as OpenSSL wants."""
    import fcntl
    import ssl
    stdin, stdout = worker.stdin.fileno(), worker.stdout.fileno()
    for fd in (stdin, stdout):
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
    stream.setblocking(False)
    inward, outward, is_open = b'', b'', True
    try:
        while True:
            readers = ([stream] if is_open and not inward else []) + ([] if outward else [stdout])
            writers = ([stdin] if inward else []) + ([stream] if outward else [])
            ready, _, _ = select.select(readers, writers, [], 0 if stream in readers and stream.pending() else None)
            if stream in readers and (stream in ready or stream.pending()):
                inward = attempt(ssl, stream.recv, RELAY_BYTES)
                if inward == b'':
                    is_open = False
                    worker.stdin.close()
            if stdout in ready:
                outward = os.read(stdout, RELAY_BYTES)
                if not outward:
                    break
            if inward and is_open:
                inward = inward[attempt(ssl, lambda data: os.write(stdin, data), inward) or 0:]
            if outward:
                outward = outward[attempt(ssl, stream.send, outward) or 0:]
    except EnvironmentError:
        end(worker, signal.SIGTERM)
    finally:
        stream.settimeout(1)
        shut(stream, socket.SHUT_RDWR)


def attempt(ssl, operation, argument):
    """None when there is nothing to be had, or no room, for now."""
    try:
        return operation(argument)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
        return None


def tls_context(options):
    import ssl
    if os.name != 'posix':
        sys.exit('tendril serve: --tls needs a POSIX system; put a TLS proxy in front')
    if not hasattr(ssl, 'SSLContext') or not hasattr(ssl, 'PROTOCOL_TLS'):
        sys.exit('tendril serve: the ssl of this Python is too old for --tls; use Python 3.6 or newer')
    context = ssl.SSLContext(getattr(ssl, 'PROTOCOL_TLS_SERVER', ssl.PROTOCOL_TLS))
    context.options |= ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1
    context.load_cert_chain(options.cert, options.key)
    return context


def read_token(path):
    """From a file that only its owner may read."""
    if os.name == 'posix' and os.stat(path).st_mode & 0o077:
        sys.exit('tendril serve: others may read %s; run "chmod 600" on it' % path)
    with open(path) as file:
        return file.read().strip()


def make_token_file():
    """The file that clients of this user look into by themselves; it is made where there is none."""
    folder = os.path.join(os.environ.get('XDG_CONFIG_HOME') or os.path.join(os.path.expanduser('~'), '.config'), 'tendril')
    path = os.path.join(folder, 'token')
    if not os.path.isdir(folder):
        os.makedirs(folder, 0o700)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as e:
        if e.errno != errno.EEXIST:
            raise
        return path
    with os.fdopen(fd, 'w') as file:
        file.write(binascii.hexlify(os.urandom(NONCE_BYTES)).decode('ascii') + '\n')
    return path


def check_token(token, origin):
    if len(token) < MIN_TOKEN:
        sys.exit('tendril serve: %s has no token of at least %d characters; make one with "python3 -c \'import secrets; '
                 'print(secrets.token_urlsafe(32))\'"' % (origin, MIN_TOKEN))
    return token.encode('utf-8')


def say(text):
    sys.stderr.write('tendril serve: %s\n' % text)
    sys.stderr.flush()


def parse(argv):
    parser = argparse.ArgumentParser(prog='tendril serve', description='Serves gateways on a socket.')
    parser.add_argument('--host', default='127.0.0.1', help='the address to listen on (default: %(default)s)')
    parser.add_argument('--port', type=int, default=0, help='the port to listen on (default: a free one)')
    parser.add_argument('--token-file', help='a file with the token (default: the variable '
                        'TENDRIL_TOKEN, else ~/.config/tendril/token, which is made when it is not there)')
    parser.add_argument('--token', help=argparse.SUPPRESS)
    parser.add_argument('--python', default=sys.executable, help='the interpreter of workers (default: %(default)s)')
    parser.add_argument('--max-connections', type=int, default=64, help='workers at a time (default: %(default)s)')
    parser.add_argument('--tls', action='store_true', help='encrypt connections; needs --cert and --key')
    parser.add_argument('--cert', help='the certificate chain, in PEM')
    parser.add_argument('--key', help='the private key of the certificate, in PEM')
    options = parser.parse_args(argv)
    if options.token:
        parser.error('everybody on this machine could read a token on a command line: use --token-file or TENDRIL_TOKEN')
    if options.tls and not (options.cert and options.key):
        parser.error('--tls needs --cert and --key')
    return options


def main(argv):
    options = parse(argv)
    token = os.environ.pop('TENDRIL_TOKEN', '')
    file = options.token_file or (None if token else make_token_file())
    server = Server(options, check_token(read_token(file) if file else token, file or 'TENDRIL_TOKEN'))
    host, port = server.listener.getsockname()[:2]
    name = '[%s]' % host if ':' in host else host
    keys = ['socket=%s:%d' % (name, port)] + (['tls'] if options.tls else [])
    keys += ['token_file=%s' % os.path.abspath(file)] if file else []
    if not options.tls and not is_loopback(host):
        say('whoever is on the way can read and change what is said: use --tls, or an SSH gateway')
    print('//'.join(keys))
    sys.stdout.flush()

    stops = (signal.SIGTERM, signal.SIGINT)

    def leave(number, frame):
        for number in stops:
            signal.signal(number, signal.SIG_IGN)  # once is enough
        raise SystemExit(0)

    for number in stops:
        signal.signal(number, leave)
    try:
        server.serve()
    finally:
        server.stop()


def is_loopback(host):
    return host.startswith('127.') or host == '::1'


if __name__ == '__main__':
    main(sys.argv[1:])
