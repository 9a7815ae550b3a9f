"""Runs on the gateway of `installvia=`: starts the server of socket gateways there, which lives as long as the channel does."""
import os
import subprocess
import sys
import threading


def serve(channel, source, args, token):
    """Sends the line that the server prints; when it prints none, what it says on stderr instead, and its exit code."""
    variables = dict(os.environ, TENDRIL_TOKEN=str(token))
    # A session of its own: whatever kills this process, the server sees the end of its stdin, and ends its worker in peace.
    session = {'preexec_fn': os.setsid} if sys.version_info[0] == 2 else {'start_new_session': True}
    server = subprocess.Popen([sys.executable, '-c', str(source), '--with-parent'] + [str(word) for word in args],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables, **session)
    line = server.stdout.readline().decode('utf-8').strip()
    if not line:
        channel.send([server.stderr.read().decode('utf-8', 'replace').strip(), server.wait()])
        return
    channel.send(line)
    log = threading.Thread(target=server.stderr.read)  # nobody wants it, and a pipe that is full would stop the server
    log.daemon = True
    log.start()
    try:
        channel.waitclose()
    finally:
        server.stdin.close()
        server.wait()
