"""`_tendril.refusing`: a request for which the system has no thread fails, at once and alone.

By whoever reads, or has just freed a place: nothing here waits, and no code of the user's runs. So the request is not read as others are,
which may wait for an object, but as far as that goes without what it names; what it holds is let go.
"""
from _tendril import DATA, ITEM_OVERHEAD, LoadError, channel, dumps, extra, worker
from _tendril.skeleton import reader_of
from _tendril.threads import no_thread


class Refusals(dict):
    """By operation: function(session, call, failure, *arguments) for what is there beside the reply; true when it is not refused after all."""

    def __missing__(self, name):
        if '.' in name:
            extra(name.partition('.')[0])  # it says what there is to do
        return self.get(name, lambda *args: False)


refusals = Refusals()


def refuse(session, call):
    entry, failure = call.entry, no_thread()
    try:
        request = reader_of(entry[0], {'Channel': channel.channel_with, 'Callback': lambda number: session.tell(['dropped', number, 1])}).load()
        if refusals[request[0]](session, call, failure, *request[1:]):
            return
    except Exception:  # it is none, or could not be held
        if '_tendril.references' in worker.sources:
            extra('references').salvage(entry, lambda: failure)
    call.entry, call.is_over = None, True
    session.requests.give_back(entry[1])
    session.ahead.discard(call.number)
    if session.waiting.pop(call.number, None) is not None:  # else it was taken back
        reply(session, [call.number, None, failure])


def taken_back():
    """The failure of what was to come of a request that was taken back before it began."""
    return extra('failures').describe(LoadError, LoadError('what was to make this was aborted before it began'), None)


def reply(session, item):
    """Sends a reply when there is room for it; whoever comes next does so."""
    payload = dumps(item)
    try:
        worker.outgoing.waiting.append((worker.frames_of(DATA, session.requests.id, [payload]), session.requests, len(payload) + ITEM_OVERHEAD, [], []))
        worker.outgoing.pass_on()
    except IOError:  # the gateway is gone, and with it whoever wanted to know
        pass
