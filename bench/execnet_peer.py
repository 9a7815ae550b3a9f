"""execnet's side of the bench: `python execnet_peer.py WORK PYTHON [BED]` prints the figures of one work as a line of JSON.

Each function does what its namesake in tendril_side.mjs does, driven by execnet's own controller as its users drive it, and gives
figures under the same keys, in the units of the rows in works.mjs.
"""
import json
import os
import statistics
import sys
import time

import execnet

ECHO = 'for item in channel: channel.send(item)'
CONFIRM = 'for item in channel: channel.send(len(item)); del item'
SEND_ON_DEMAND = '\nitem = make(channel.receive())\nfor _ in channel: channel.send(item)'
MAKE_ROWS = """
def make(n):
    return [{'id': i, 'name': 'User %d' % i, 'email': 'user%d@example.org' % i, 'score': i + 0.5,
             'tags': ['tag%d' % (i % 7), 'tag%d' % (i % 11), 'tag%d' % (i % 13)], 'active': i % 2 == 0} for i in range(n)]
"""
MAKE_FLOATS = 'def make(n): return [i + 0.5 for i in range(n)]'
MAKE_BYTES = 'def make(n): return b"x" * n'

ROUND_TRIPS = 3000
WARM_UP = 10000
INTS = 100000
UNREAD = 300
GATEWAYS = 20
REPEATS = 1000

SSH_ROUND_TRIPS = 2000
SSH_GATEWAYS = 50
SSH_MIB = 256

python = None
bed = {}


def open_gateway(group=execnet):
    return group.makegateway('popen//python=' + python)


def timed_ms(run, *args):
    start = time.perf_counter()
    run(*args)
    return (time.perf_counter() - start) * 1e3


def median_of(times, run, *args):
    return statistics.median(timed_ms(run, *args) for _ in range(times))


def round_trips():
    channel = open_gateway().remote_exec(ECHO)

    def run(times):
        for i in range(times):
            channel.send(i)
            channel.receive()

    cold = timed_ms(run, ROUND_TRIPS) * 1e3 / ROUND_TRIPS
    run(WARM_UP)
    return {'cold': cold, 'awaited': timed_ms(run, ROUND_TRIPS) * 1e3 / ROUND_TRIPS}


def send_ints():
    gateway = open_gateway()

    def run():
        channel = gateway.remote_exec('channel.send(0)\nwhile channel.receive() != -1: pass\nchannel.send(None)')
        channel.receive()
        for i in range(INTS):
            channel.send(i)
        channel.send(-1)
        channel.receive()

    run()
    return {'queued': timed_ms(run) * 1e3 / INTS}


def receive_ints():
    gateway = open_gateway()

    def run():
        channel = gateway.remote_exec('channel.receive()\nfor i in range(%d): channel.send(i)' % INTS)
        channel.send('go')
        for _ in range(INTS):
            channel.receive()

    run()
    return {'receive': timed_ms(run) * 1e3 / INTS}


def transfer(source, n, times):
    scope = {}
    exec(source, scope)
    item = scope['make'](n)
    sink = open_gateway().remote_exec(CONFIRM)
    there = open_gateway().remote_exec(source + SEND_ON_DEMAND)
    there.send(n)

    def to_worker():
        sink.send(item)
        assert sink.receive() == n

    def to_controller():
        there.send('go')
        assert len(there.receive()) == n

    return {'toWorker': median_of(times, to_worker), 'toController': median_of(times, to_controller)}


def start_up():
    def once():
        gateways.append(open_gateway())
        gateways[-1].remote_exec('channel.send(1)').receive()

    gateways = []
    once()
    figures = []
    for _ in range(5):
        figures.append(timed_ms(once))
        gateways[-1].exit()
    return {'launched': statistics.median(figures)}


def many_gateways():
    group = execnet.Group()

    def run():
        for _ in range(GATEWAYS):
            open_gateway(group)
        group.remote_exec('channel.send(1)').receive_each()

    return {'all': timed_ms(run)}


def resident_mib(pid, name='VmRSS'):
    with open('/proc/%s/status' % pid) as status:
        return [int(line.split()[1]) for line in status if line.startswith(name + ':')][0] / 1024


def idle_memory():
    gateway = open_gateway()
    pid = gateway.remote_exec('import os; channel.send(os.getpid())').receive()
    time.sleep(0.2)
    return {'worker': resident_mib(pid)}


def unread():
    gateway = open_gateway()
    pid = gateway.remote_exec('import os; channel.send(os.getpid())').receive()
    sink = gateway.remote_exec('channel.gateway.newchannel().receive()')
    before, here = resident_mib(pid), resident_mib('self')
    for i in range(UNREAD):
        sink.send(bytes(bytearray(1 << 20)))
    time.sleep(1)
    figures = {'toWorker': resident_mib(pid, 'VmHWM') - before, 'toWorkerHere': resident_mib('self', 'VmHWM') - here}
    source = 'import os; channel.send(os.getpid()); channel.receive()\nfor i in range(%d): channel.send(bytes(bytearray(1 << 20)))'
    channel = open_gateway().remote_exec(source % UNREAD)
    pid = channel.receive()
    before, here = resident_mib(pid), resident_mib('self')
    channel.send('go')
    time.sleep(2)
    figures['toController'] = resident_mib('self', 'VmHWM') - here
    figures['toControllerThere'] = resident_mib(pid, 'VmHWM') - before
    return figures


def many_execs():
    gateway = open_gateway()

    def run():
        for _ in range(REPEATS):
            channel = gateway.remote_exec('channel.send(1)')
            channel.receive()
            channel.waitclose()

    return {'each': timed_ms(run) * 1e3 / REPEATS}


def many_channels():
    gateway = open_gateway()
    carrier = gateway.remote_exec('for other in channel:\n    other.send(1)\n    other.close()')

    def run():
        for _ in range(REPEATS):
            channel = gateway.newchannel()
            carrier.send(channel)
            channel.receive()
            channel.waitclose()

    return {'each': timed_ms(run) * 1e3 / REPEATS}


def open_ssh(group=execnet):
    return group.makegateway(bed['spec'] + '//python=' + python)


def ssh_round_trips():
    channel = open_ssh().remote_exec(ECHO)

    def run(times):
        for i in range(times):
            channel.send(i)
            channel.receive()

    run(SSH_ROUND_TRIPS)
    each = timed_ms(run, SSH_ROUND_TRIPS) * 1e3 / SSH_ROUND_TRIPS
    return {'ssh2': each, 'openssh': each}


def ssh_gateways():
    group = execnet.Group()

    def run():
        for _ in range(SSH_GATEWAYS):
            open_ssh(group)
        group.remote_exec('channel.send(1)').receive_each()

    return {'all': timed_ms(run)}


def ssh_far():
    def run():
        open_ssh().remote_exec('channel.send(1)').receive()

    return {'cold': timed_ms(run)}


def ssh_bytes():
    item = b'x' * (1 << 20)
    gateway = open_ssh()
    sink = gateway.remote_exec('while 1:\n  left = channel.receive()\n  while left: left -= len(channel.receive())\n  channel.send(1)')
    source = gateway.remote_exec('item = b"x" * (1 << 20)\nfor count in channel:\n  for _ in range(count): channel.send(item)')

    def to_worker():
        sink.send(SSH_MIB << 20)
        for _ in range(SSH_MIB):
            sink.send(item)
        sink.receive()

    def to_controller():
        source.send(SSH_MIB)
        for _ in range(SSH_MIB):
            source.receive()

    return {'toWorker': timed_ms(to_worker), 'toController': timed_ms(to_controller)}


def open_socket():
    return execnet.makegateway(bed['execnet'])


def socket_round_trips():
    channel = open_socket().remote_exec(ECHO)

    def run(times):
        for i in range(times):
            channel.send(i)
            channel.receive()

    run(ROUND_TRIPS)
    return {'each': timed_ms(run, ROUND_TRIPS) * 1e3 / ROUND_TRIPS}


def socket_bytes():
    item = b'x' * (64 << 20)
    gateway = open_socket()
    sink = gateway.remote_exec(CONFIRM)
    source = gateway.remote_exec(MAKE_BYTES + SEND_ON_DEMAND)
    source.send(len(item))

    def to_worker():
        sink.send(item)
        sink.receive()

    def to_controller():
        source.send(1)
        source.receive()

    return {'toWorker': timed_ms(to_worker), 'toController': timed_ms(to_controller)}


works = {
    'roundtrip-pinned': round_trips,
    'roundtrip-free': round_trips,
    'ints-to-worker': send_ints,
    'ints-to-controller': receive_ints,
    'rows': lambda: transfer(MAKE_ROWS, 10000, 3),
    'floats': lambda: transfer(MAKE_FLOATS, 200000, 3),
    'bytes': lambda: transfer(MAKE_BYTES, 64 << 20, 3),
    'startup': start_up,
    'gateways': many_gateways,
    'idle': idle_memory,
    'unread': unread,
    'channels': many_channels,
    'execs': many_execs,
    'socket-roundtrip': socket_round_trips,
    'socket-bytes': socket_bytes,
    'ws-roundtrip': socket_round_trips,  # it has no WebSockets
    'ws-bytes': socket_bytes,
    'ssh-roundtrip': ssh_round_trips,
    'ssh-gateways': ssh_gateways,
    'ssh-bytes': ssh_bytes,
    'ssh-far': ssh_far,
    'ssh-hosts': dict,
}

if __name__ == '__main__':
    python = sys.argv[2]
    bed = json.loads(sys.argv[3])
    print(json.dumps(works[sys.argv[1]]()), flush=True)
    os._exit(0)  # the gateways' own way out is not what is measured here
