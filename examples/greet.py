"""Greets, as often as it is told to: for `tendril exec examples/greet.py --kwarg greeting=hi --kwarg times=3`."""
greeting = globals().get('greeting', 'hello')  # a --kwarg is a name in scope
times = globals().get('times', 1)

for n in range(times):
    channel.send('%s %d' % (greeting, n + 1))
