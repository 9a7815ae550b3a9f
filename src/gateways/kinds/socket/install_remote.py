"""Runs on the gateway of `installvia=`: starts the server of socket gateways there, which lives as long as the channel does."""
from _tendril import sys
from _tendril.processes import beside, start

SHOWN_BYTES = 4096


def serve(channel, source, args, token):
    """Sends the line that the server prints; when it prints none, what it says last on stderr instead, and its exit code."""
    # In a session of its own: whatever kills this process, the server sees the end of its stdin, and ends its worker in peace.
    server = start([sys.executable, '-c', str(source), '--with-parent'] + [str(word) for word in args], {'TENDRIL_TOKEN': str(token)})
    said = [b'']

    def hear():
        chunk = server.stderr.read(SHOWN_BYTES)
        while chunk:
            said[0] = (said[0] + chunk)[-SHOWN_BYTES:]
            chunk = server.stderr.read(SHOWN_BYTES)

    try:
        has_ended = beside(hear)  # a pipe that is full would stop the server
        line = server.stdout.readline(SHOWN_BYTES + 1).decode('utf-8', 'replace').strip()  # a byte at a time
        if line:
            channel.send(line)
            channel.waitclose()
        else:
            code = server.wait()
            has_ended.acquire()
            channel.send([said[0].decode('utf-8', 'replace').strip(), code])
    finally:
        server.stdin.close()
        server.stdout.close()
        server.wait()
