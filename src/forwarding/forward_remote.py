"""`_tendril.forward_remote`: the worker's half of port forwarding (twins: local-listener.ts and remote-listener.ts).

A forward has a channel for itself. To the worker go (channel, host, port, timeout), a connection to be made and carried over that
channel as via_remote.py says, and the id of a channel whose connection is to be dropped. A listener says first where it listens,
(host, port), or what keeps it from that, (None, code, text); then (channel, peer) of each connection that it takes.
For a Unix socket the host is its path, and the port None.
"""
import errno
import os
import socket
import time

from _tendril import worker
from _tendril.via_remote import beside, code_of, dial, exchange


def serve(control):
    """Makes the connections that the controller asks for."""
    beside(Connections().follow, control)


def listen(control, host, port):
    """Takes connections, for the controller to make them go on."""
    beside(take_all, control, host, port)


class Connections(object):
    """Those of one forward that are open."""

    def __init__(self):
        self.streams = {}  # by the id of their channel

    def follow(self, control):
        """Does what the controller says, until it closes the channel; then nothing is left."""
        try:
            for item in control:
                if isinstance(item, int):
                    self.drop(item)
                else:
                    beside(self.connect, *item)
        finally:
            for channel_id in list(self.streams):
                self.drop(channel_id)

    def connect(self, channel, host, port, timeout):
        try:
            stream = dial(channel, host, port, timeout)
            if stream is not None:
                self.carry(channel, stream)
        except EnvironmentError:
            pass  # nobody waits for it any more
        finally:
            channel.close()

    def carry(self, channel, stream):
        self.streams[channel.id] = stream
        try:
            exchange(channel, stream)
        finally:
            del self.streams[channel.id]
            channel.close()

    def drop(self, channel_id):
        """Wakes whoever waits in a call on it."""
        stream = self.streams.get(channel_id)
        try:
            if stream is not None:
                stream.shutdown(socket.SHUT_RDWR)
        except EnvironmentError:
            pass  # it has ended


def take_all(control, host, port):
    try:
        server, address = bind(host, port)
    except EnvironmentError as e:
        control.send((None, code_of(e), e.strerror or str(e)))
        control.close()
        return
    control.send(address)
    connections = Connections()
    beside(take, control, server, connections)
    try:
        connections.follow(control)
    finally:
        try:
            server.shutdown(socket.SHUT_RDWR)  # wakes accept
        except EnvironmentError:
            pass
        server.close()
        if port is None:
            os.unlink(host)


def bind(host, port):
    """A listening socket, and where it listens."""
    if port is None:
        server, address = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), host
    else:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)[0]
        server = socket.socket(family, kind, protocol)
    try:
        if os.name == 'posix':
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(128)
    except EnvironmentError:
        server.close()
        raise
    return server, (host, None) if port is None else tuple(server.getsockname()[:2])


def take(control, server, connections):
    while True:
        try:
            stream, peer = server.accept()
        except EnvironmentError as e:
            if e.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(0.1)  # until a connection ends
            elif e.errno not in (errno.ECONNABORTED, errno.EINTR):
                return  # it has been closed
            continue
        try:
            channel = worker.newchannel()
            control.send((channel, '%s:%s' % peer[:2] if isinstance(peer, tuple) else ''))
            beside(connections.carry, channel, stream)
        except EnvironmentError:
            stream.close()  # the forward has ended
