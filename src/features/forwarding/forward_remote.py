"""`_tendril.forward_remote`: the worker's half of port forwarding (twins: local-listener.ts and remote-listener.ts).

A forward has a channel for itself. To the worker go (channel, host, port, timeout), a connection to be made and carried over that
channel as via_remote.py says, and the id of a channel whose connection is to be dropped. A listener says first where it listens,
(host, port), or what keeps it from that, (None, code, text); then (channel, peer) of each connection that it takes.
For a Unix socket the host is its path, and the port None.
"""
from _tendril import PY2, errno, os, sys, time
from _tendril.members import newchannel
from _tendril.originals import own
from _tendril.processes import beside
from _tendril.via_remote import Exchange, addresses_of, code_of, dial, failure, reset_on_close

socket = own('_socket')  # what gevent and eventlet leave as it is
carried = {}  # connections of all forwards, by the id of their channel


def serve(control):
    """Makes the connections that the controller asks for."""
    beside(Connections().follow, control)


def listen(control, host, port):
    """Takes connections, for the controller to make them go on."""
    beside(take_all, control, host, port)


class Connections(object):
    """Those of one forward that are open."""

    def __init__(self):
        self.exchanges = {}  # by the id of their channel

    def follow(self, control):
        """Does what the controller says, until it closes the channel; then nothing is left."""
        try:
            for item in control:
                if isinstance(item, int):
                    self.drop(item)
                else:
                    self.begin(*item)
        finally:
            for channel_id in list(self.exchanges):
                self.drop(channel_id)

    def begin(self, channel, *where):
        try:
            try:
                beside(self.connect, channel, *where)
            except EnvironmentError as e:
                channel.send(failure(e))
                channel.close()
        except EnvironmentError:
            pass  # nobody waits for it any more

    def connect(self, channel, host, port, timeout):
        try:
            stream = dial(channel, host, port, timeout)
            if stream is not None:
                self.carry(Exchange(channel, stream))
        except EnvironmentError:
            pass  # nobody waits for it any more
        finally:
            channel.close()

    def carry(self, exchange):
        channel = exchange.channel
        self.exchanges[channel.id] = carried[channel.id] = exchange
        try:
            exchange.run()
        finally:
            del self.exchanges[channel.id], carried[channel.id]
            channel.close()

    def begin_with(self, exchange):
        try:
            beside(self.carry, exchange)
        except EnvironmentError as e:
            exchange.refuse(e)
            exchange.channel.close()

    def drop(self, channel_id):
        exchange = self.exchanges.get(channel_id)
        if exchange is not None:
            exchange.cut()


def take_all(control, host, port):
    try:
        server, address = bind(host, port)
    except EnvironmentError as e:
        return refuse(control, e)
    connections = Connections()
    try:
        try:
            beside(take, control, address, server, connections)
        except EnvironmentError as e:
            return refuse(control, e)
        connections.follow(control)
    finally:
        try:
            server.shutdown(socket.SHUT_RDWR)  # wakes accept
        except EnvironmentError:
            pass
        server.close()
        if port is None:
            os.unlink(host)


def refuse(control, error):
    control.send((None, code_of(error), error.strerror or str(error)))
    control.close()


def bind(host, port):
    """A listening socket, and where it listens."""
    family, kind, protocol, _, address = addresses_of(host, port, socket.AI_PASSIVE)[0]
    server = socket.socket(family, kind, protocol)
    try:
        server.settimeout(None)  # whatever default user code has set
        reset_on_close(server, True)
        if os.name == 'posix':
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bind_privately(server, address) if port is None else server.bind(address)
        server.listen(128)
    except EnvironmentError:
        server.close()
        raise
    return server, (host, None) if port is None else tuple(server.getsockname()[:2])


def bind_privately(server, path):
    """A Unix socket is for its user alone, whatever the umask. By a mode that is set later another user could come between."""
    if sys.platform.startswith('linux'):
        os.fchmod(server.fileno(), 0o600)  # which the file takes over
        return server.bind(path)
    before = os.umask(0o177)
    try:
        server.bind(path)
    finally:
        os.umask(before)


def accept(server):
    """A connection that waits, and its peer."""
    if PY2:
        stream, peer = server.accept()
    else:
        fd, peer = server._accept()
        stream = socket.socket(server.family, server.type, server.proto, fd)
    stream.settimeout(None)
    return stream, peer


def take(control, address, server, connections):
    control.send(address)
    while True:
        try:
            stream, peer = accept(server)
        except EnvironmentError as e:
            if e.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(0.1)  # until a connection ends
            elif e.errno not in (errno.ECONNABORTED, errno.EINTR):
                return  # it has been closed
            continue
        try:
            channel = newchannel()
            control.send((channel, '%s:%s' % peer[:2] if isinstance(peer, tuple) else ''))
            connections.begin_with(Exchange(channel, stream))
        except EnvironmentError:
            stream.close()  # the forward, or the connection, has ended
