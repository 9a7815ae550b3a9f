"""CPU work for 03-gather.mjs: counts the primes of every range that arrives, until no more ranges come."""


def is_prime(n):
    return n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1))


# A channel can be looped over: the loop ends when the other side has said sendEnd().
for start, stop in channel:
    channel.send(sum(is_prime(n) for n in range(start, stop)))
