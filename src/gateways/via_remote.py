"""Runs on a carrier: starts a process beside it, or makes a connection from there, and carries the bytes over a channel.

The other halves are src/transports/channel.ts and src/transports/channel-stream.ts. Items of both: bytes are bytes, None ends them.
Of a process besides: an int to it is a signal for its whole group; from it ('stderr', bytes) is that, ('exit', code) is the end,
a code below 0 a signal, ('failed', code, text) that it did not start.
A connection says None first, when it is there, or (code, text) when it cannot be made; a text is why it broke. Features use
both, from the module `_tendril.via_remote` that this is.
"""
import errno
import os
import socket
import struct
import subprocess
import sys
import threading

READ_BYTES = 65536


def carry(channel, argv, env):
    """Starts the words of `argv`, of which None is the interpreter that runs this."""
    variables = dict(os.environ)
    variables.update((str(name), str(value)) for name, value in env.items())
    start = {'preexec_fn': os.setsid} if sys.version_info[0] == 2 else {'start_new_session': True}
    try:
        child = subprocess.Popen([word or sys.executable for word in argv], bufsize=0, env=variables, close_fds=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **start)
    except EnvironmentError as e:
        channel.send(('failed', code_of(e), str(e)))
        return
    pumps = [beside(pump, child.stdout, channel.send),
             beside(pump, child.stderr, lambda data: channel.send(('stderr', data)))]
    beside(feed, channel, child)
    code = child.wait()
    for thread in pumps:
        thread.join(0.25)  # a process that it forked may hold the pipes open
    channel.send(('exit', code))


def beside(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.daemon = True
    thread.start()
    return thread


def code_of(error):
    if isinstance(error, socket.gaierror):
        return 'ENOTFOUND'
    return errno.errorcode.get(error.errno, '')


def pump(stream, send):
    while True:
        data = os.read(stream.fileno(), READ_BYTES)
        if not data:
            return
        try:
            send(sendable(data))
        except EOFError:
            return


def sendable(data):
    return bytearray(data) if sys.version_info[0] == 2 else data  # or it would go as text


def feed(channel, child):
    """Input and signals, until the controller is gone: then the child is, too."""
    for item in channel:
        try:
            if item is None:
                child.stdin.close()
            elif isinstance(item, int):
                os.killpg(child.pid, item)
            else:
                write_all(child.stdin.fileno(), item)
        except EnvironmentError:
            pass  # it has ended, which wait() tells
    try:
        child.stdin.close()
    except EnvironmentError:
        pass


def write_all(fd, data):
    data = memoryview(data)
    while data:
        data = data[os.write(fd, data):]


def connect(channel, host, port, timeout):
    """Connects to a port, or where that is None to the Unix socket `host`; `timeout` is in seconds, or None."""
    stream = dial(channel, host, port, timeout)
    if stream is not None:
        exchange(channel, stream)


def dial(channel, host, port, timeout):
    """A connection, after the controller has been told of it, or None."""
    try:
        stream = socket.create_connection((host, port), timeout) if port is not None else dial_unix(host, timeout)
    except EnvironmentError as e:
        channel.send(failure(e))
        return None
    stream.settimeout(None)
    channel.send(None)
    return stream


def dial_unix(path, timeout):
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        stream.settimeout(timeout)
        stream.connect(path)
    except EnvironmentError:
        stream.close()
        raise
    return stream


def failure(error):
    return code_of(error) or 'ETIMEDOUT', error.strerror or str(error)


def exchange(channel, stream):
    """Carries both directions of a connection, until both have ended or the channel is closed."""
    if stream.family != getattr(socket, 'AF_UNIX', None):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    feeder = beside(feed_stream, channel, stream)
    try:
        while True:
            data = stream.recv(READ_BYTES)
            channel.send(sendable(data) if data else None)
            if not data:
                break
        feeder.join()  # the other direction may go on
    except EnvironmentError as e:
        if not channel.isclosed():
            channel.send(failure(e)[1])
    finally:
        stream.close()


def feed_stream(channel, stream):
    """Input, until the controller ends it, or closes the channel: then nothing is read any more, either."""
    how = socket.SHUT_RDWR
    try:
        for item in channel:
            if item is None:
                how = socket.SHUT_WR
                break
            stream.sendall(item)
        stream.shutdown(how)
        if how == socket.SHUT_WR:
            channel.waitclose()
            stream.shutdown(socket.SHUT_RDWR)
    except channel.RemoteError:
        reset(stream)
    except EnvironmentError:
        pass  # the reading side tells


def reset(stream):
    """The far end must not take what has come so far for all."""
    try:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('hh' if os.name == 'nt' else 'ii', 1, 0))
        stream.shutdown(socket.SHUT_RD)  # wakes the reading side, whose close is the reset
    except EnvironmentError:
        pass  # it has ended
