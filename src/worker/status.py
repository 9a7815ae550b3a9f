"""`_tendril.status`: what the worker is doing (PROTOCOL.md section 2; twin: status-requests.ts). Called by the thread that reads: it does not wait."""
from _tendril import worker
from _tendril.setup import info


def status():
    channels = list(worker.channels.values())
    tasks = dict(list(worker.asides.items()) + list(worker.executing.items()))
    return dict(info(), execmodel=str(worker.execmodel), num_executing=sum(not task.is_over for task in tasks.values()),
                num_channels=sum(not channel.is_closed for channel in channels))
