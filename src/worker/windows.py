"""`_tendril.windows`: what is printed where there is no select for pipes: a thread each reads, and no drain could know when a pipe is empty."""
from _tendril import READ_BYTES, _thread, os


def forward(output):
    stdout, stderr = output.captured
    _thread.start_new_thread(forward_one, (output, stderr))
    forward_one(output, stdout)


def forward_one(output, fd):
    text = True
    while text:
        text = os.read(fd, READ_BYTES)
        output.send(output.flags[fd], text)
