"""
The hit ratio of caches that keep an answer for a fixed time from when it was made, reckoned.

What is asked for is Zipf's: of as many places, the i-th is asked for in proportion to i ** -exponent, at random times (a Poisson
process). The token of a place lives so long, then another one follows. Requests are spread over replicas evenly, and each replica
makes and keeps answers by itself. No bound on bytes is reckoned with.
"""

import bisect
import dataclasses
import functools
import math

EXACT_RANKS = 1000  # beyond them, ranks that differ by this share are taken together
RANK_STEP = 0.01
NEGLIGIBLE = 1e-9
MANY_TTLS = 200  # in one life: then its ends do not count


@dataclasses.dataclass(frozen=True)
class Demand:
    """What callers ask of all replicas together."""

    rate_per_s: float
    tokens: int  # that are alive at a time
    exponent: float
    life_s: float  # of a token

    def rates(self, replicas=1):
        """Requests per second of one token at one replica, with how many tokens have that rate."""
        return [(count, share * self.rate_per_s / replicas) for count, share in popularity(self.tokens, self.exponent)]


@functools.lru_cache
def popularity(tokens, exponent):
    """(how many tokens, each one's share of the requests), the most popular first; the shares add up to one."""
    groups, first = [], 1
    while first <= tokens:
        after = first + 1 if first <= EXACT_RANKS else min(tokens + 1, first + int(first * RANK_STEP))
        middle = (first + after - 1) / 2
        groups.append((after - first, middle**-exponent))
        first = after
    whole = sum(count * weight for count, weight in groups)
    return [(count, weight / whole) for count, weight in groups]


def at_least(count, mean):
    """The chance that a Poisson variable of that mean is count or more."""
    term = below = math.exp(-mean)
    for i in range(1, count):
        term *= mean / i
        below += term
    return 1 - below


def answers_made(rate, life_s, ttl_s):
    """How often one replica makes the answer of one token during its life.

    It is made at the first request, and then at the first one after each ttl_s; the k-th time falls into the life if k requests come
    in what k - 1 times ttl_s leave of it.
    """
    if life_s > MANY_TTLS * ttl_s:
        return life_s / (ttl_s + 1 / rate)
    made, count = 0.0, 1
    while life_s > (count - 1) * ttl_s:
        chance = at_least(count, rate * (life_s - (count - 1) * ttl_s))
        made += chance
        if chance < NEGLIGIBLE:
            break
        count += 1
    return made


def hit_ratio(demand, replicas, ttl_s):
    made = sum(count * answers_made(rate, demand.life_s, ttl_s) for count, rate in demand.rates(replicas))
    return 1 - made / demand.life_s / (demand.rate_per_s / replicas)


def simple_hit_ratio(demand, replicas, ttl_s):
    """The usual formula r T / (1 + r T) for each token: that of tokens that live for ever."""
    rates = demand.rates(replicas)
    hits = sum(count * rate * (rate * ttl_s / (1 + rate * ttl_s)) for count, rate in rates)
    return hits / sum(count * rate for count, rate in rates)


def answers_alive(demand, replicas, ttl_s):
    """How many answers have room to be kept if none is to leave before its time, at most: as many tokens as one replica is asked about
    in the longest time that an answer is good for."""
    longest_s = min(ttl_s, demand.life_s)
    asked = sum(count * -math.expm1(-rate * longest_s) for count, rate in demand.rates(replicas))
    return asked * (1 + longest_s / demand.life_s)  # within it, a token may be followed by the next one


def share_of_new(demand):
    """The share of requests with a token that nobody has asked about before."""
    first = sum(count * -math.expm1(-rate * demand.life_s) for count, rate in demand.rates())
    return first / demand.life_s / demand.rate_per_s


def demand_of(rate_per_s, new_share, tokens, exponent):
    """The demand of which this share of the requests is new: what is looked for is how long its tokens live."""
    exponents = range(-60, 400)  # of lives, from less than a second to ages, in steps of a tenth

    def demand(step):
        return Demand(rate_per_s, tokens, exponent, 1.1**step)

    found = bisect.bisect_left(exponents, -new_share, key=lambda step: -share_of_new(demand(step)))
    below, above = exponents[max(found - 1, 0)], exponents[min(found, len(exponents) - 1)]
    for _ in range(30):
        middle = (below + above) / 2
        below, above = (middle, above) if share_of_new(demand(middle)) > new_share else (below, middle)
    return demand(above)
