"""What kind of Python is this, and where? Runs on any gateway: the answer is one item on the channel."""
import os
import platform
import sys

# One item: a dict of plain values.
channel.send({
    'host': platform.node(),
    'python': '.'.join(str(number) for number in sys.version_info[:3]),
    'implementation': platform.python_implementation(),
    'system': platform.system(),
    'machine': platform.machine(),
    'pid': os.getpid(),
    'executable': sys.executable,
})
