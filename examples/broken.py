"""Code with a mistake in it, for 04-errors.mjs: the traceback that arrives names this file and these lines."""


def average(numbers):
    return sum(numbers) / len(numbers)


def report(channel, rows):
    for name, numbers in sorted(rows.items()):
        channel.send('%s: %s' % (name, average(numbers)))
