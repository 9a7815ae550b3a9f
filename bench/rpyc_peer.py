"""RPyC's side of the works about calls: `python rpyc_peer.py WORK PYTHON` prints the figures of one work as a line of JSON.

Classic mode over a socket of this machine, which is what its users have; both ends run on the interpreter that runs this. Each figure
is what its namesake in calls_side.mjs is.
"""
import json
import os
import subprocess
import sys
import time

import rpyc

CALLS = 3000
AT_ONCE = 1000
ITEMS = 20000
SERVE = """
import rpyc
from rpyc.utils.server import ThreadedServer
server = ThreadedServer(rpyc.classic.SlaveService, hostname='127.0.0.1', port=0)
print(server.port, flush=True)
server.start()
"""


def timed_ms(run):
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def connect(port):
    while True:
        try:
            return rpyc.classic.connect('127.0.0.1', port)
        except ConnectionRefusedError:  # it has its port, and does not listen yet
            time.sleep(0.01)


def calls():
    server = subprocess.Popen([sys.executable, '-c', SERVE], stdout=subprocess.PIPE)
    connection = connect(int(server.stdout.readline()))
    add = connection.modules.operator.add
    later = rpyc.async_(add)

    def sequential():
        for i in range(CALLS):
            add(i, 1)

    def pipelined():
        for result in [later(i, 1) for i in range(AT_ONCE)]:
            result.wait()

    def iterate():
        for _ in connection.namespace['data']:
            pass

    connection.execute('data = list(range(%d))' % ITEMS)
    for warm_up in (sequential, pipelined):
        warm_up()
    try:
        return {'sequential': timed_ms(sequential) * 1e3 / CALLS, 'pipelined': timed_ms(pipelined) * 1e3 / AT_ONCE,
                'list': timed_ms(iterate)}
    finally:
        server.kill()


if __name__ == '__main__':
    print(json.dumps(calls()), flush=True)
    os._exit(0)
