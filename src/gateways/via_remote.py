"""Runs on a carrier: starts an interpreter beside it and carries its bytes over a channel (twin: src/transports/channel.ts).

From the controller: bytes are input, None ends it, an int is a signal for the whole process group.
To the controller: bytes are output, ('stderr', bytes) is that, ('exit', code) is the end; a code below 0 is a signal.
"""
import os
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
        channel.send(('failed', e.errno, str(e)))
        return
    pumps = [threading.Thread(target=pump, args=(child.stdout, channel.send)),
             threading.Thread(target=pump, args=(child.stderr, lambda data: channel.send(('stderr', data))))]
    for thread in pumps:
        thread.daemon = True
        thread.start()
    feeder = threading.Thread(target=feed, args=(channel, child))
    feeder.daemon = True
    feeder.start()
    code = child.wait()
    for thread in pumps:
        thread.join(0.25)  # a process that it forked may hold the pipes open
    channel.send(('exit', code))


def pump(stream, send):
    while True:
        data = os.read(stream.fileno(), READ_BYTES)
        if not data:
            return
        try:
            send(bytearray(data) if sys.version_info[0] == 2 else data)
        except EOFError:
            return


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
