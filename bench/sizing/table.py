"""
How many replicas, and how much memory, for what is asked: a table in Markdown.

Measured, and read from the results folder: processor time per request with the answer in the cache (hot) and with a new token (cold),
memory at rest and per kept answer (memory). Reckoned here: the hit ratio (closed_form), and with it processor time, replicas and
memory. A new token over TLS is not measured; what is taken for it is one without TLS and the difference that TLS makes to a hit.
"""

import dataclasses
import math
import sys

from results import median_of, read_csv
from sizing import closed_form

BUSY = 0.6  # the share of its one thread's processor that a replica may be planned to use
MAX_TTL_S = 300  # cache.max_ttl by default
EXPONENT = 1.0
INACTIVE_SHARE = 1 / 16  # of cache.max_bytes
MIB = 1 << 20
NEEDED = ("hot", "cold", "memory")


@dataclasses.dataclass(frozen=True)
class Deployment:
    """What is asked of an installation."""

    rate_per_s: float
    new_share: float  # of the requests: with a token that nobody has asked about before
    tokens: int  # alive at a time


DEPLOYMENTS = (
    Deployment(1_000, 0.01, 10_000),
    Deployment(10_000, 0.001, 100_000),
    Deployment(10_000, 0.01, 100_000),
    Deployment(10_000, 0.1, 1_000_000),
    Deployment(50_000, 0.01, 1_000_000),
    Deployment(50_000, 0.1, 1_000_000),
    Deployment(200_000, 0.01, 1_000_000),
    Deployment(200_000, 0.1, 1_000_000),
)
# How callers talk: the measured case of a hit, and how many requests are in flight on a connection of it.
WAYS = {"HTTP/1.1": ("h1", "1"), "TLS HTTP/2": ("tls-h2", "16")}
WITHOUT_TLS = {"h1": "h1", "tls-h1": "h1", "h2c": "h2c", "tls-h2": "h2c"}
ALGORITHMS = ("RS256", "ES256")


@dataclasses.dataclass(frozen=True)
class Costs:
    """What was measured of one way of talking and one algorithm."""

    hit_us: float
    miss_us: float
    idle_bytes: float
    answer_bytes: float  # of one kept answer, with what it takes to keep it

    def cores(self, rate_per_s, hit_ratio):
        """The processors that are busy with it, all replicas together."""
        return rate_per_s * (hit_ratio * self.hit_us + (1 - hit_ratio) * self.miss_us) / 1e6


@dataclasses.dataclass(frozen=True)
class Size:
    """What an installation needs."""

    replicas: int
    hit_ratio: float
    cores: float  # of all replicas together
    max_bytes: int  # cache.max_bytes of each
    memory_bytes: float  # of each, with a full cache and no connection

    @property
    def hit_percent(self):
        return 100 * self.hit_ratio


def cpu_us(rows, **wanted):
    """The median of introspectd's rows that have these values."""
    chosen = [row for row in rows if row["server"] == "introspectd" and row["body"] == "form" and all(row[name] == value for name, value in wanted.items())]
    if not chosen:
        raise SystemExit(f"not measured: {wanted}")
    return median_of(chosen, "cpu_us_per_request")


def read_costs(folder, way, algorithm):
    missing = [name for name in NEEDED if not (folder / f"{name}.csv").exists()]
    if missing:
        raise SystemExit(f"no results of {', '.join(missing)} in {folder}")
    hot, cold, memory = (read_csv(folder / f"{name}.csv") for name in NEEDED)
    protocol, in_flight = WAYS[way]
    plain = WITHOUT_TLS[protocol]
    hit = cpu_us(hot, protocol=protocol, in_flight=in_flight)
    plain_hit = cpu_us(hot, protocol=plain, in_flight=in_flight)
    miss = cpu_us(cold, protocol=plain, in_flight=in_flight, algorithm=algorithm)
    return Costs(hit, miss + hit - plain_hit, float(memory[0]["idle_rss_mib"]) * MIB, float(memory[0]["bytes_per_entry"]))


def round_up(size, unit=MIB):
    """To the next power of two of units."""
    return unit << max(0, math.ceil(math.log2(size / unit)))


def size_of(deployment, costs):
    """The fewest replicas of one thread each that none of them is busier than BUSY."""
    demand = closed_form.demand_of(deployment.rate_per_s, deployment.new_share, deployment.tokens, EXPONENT)
    replicas = 1
    while True:
        hit_ratio = closed_form.hit_ratio(demand, replicas, MAX_TTL_S)
        cores = costs.cores(deployment.rate_per_s, hit_ratio)
        if cores <= BUSY * replicas:
            break
        replicas += 1
    answers = closed_form.answers_alive(demand, replicas, MAX_TTL_S)
    max_bytes = round_up(answers * costs.answer_bytes / (1 - INACTIVE_SHARE))
    return Size(replicas, hit_ratio, cores, max_bytes, costs.idle_bytes + max_bytes)


def lines(folder, deployments):
    both = " / ".join(ALGORITHMS)
    yield f"| requests/s | new tokens | live tokens | callers | replicas, {both} | cores busy | hit ratio | `cache.max_bytes` | memory each |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for deployment in deployments:
        for way in WAYS:
            sizes = [size_of(deployment, read_costs(folder, way, algorithm)) for algorithm in ALGORITHMS]
            largest = max(sizes, key=lambda size: size.max_bytes)
            asked = f"| {deployment.rate_per_s:,.0f} | {100 * deployment.new_share:g} % | {deployment.tokens:,} | {way} "
            columns = ("{0.replicas}", "{0.cores:.2f}", "{0.hit_percent:.1f} %")
            found = "".join(f"| {' / '.join(column.format(size) for size in sizes)} " for column in columns)
            yield f"{asked}{found}| {largest.max_bytes // MIB}MiB | {largest.memory_bytes / MIB:.0f} MiB |"


def report(folder, deployments=()):
    """Prints the table."""
    print("\nmeasured (medians of the results folder): processor time per request, memory at rest and per kept answer")
    for way in WAYS:
        for algorithm in ALGORITHMS:
            costs = read_costs(folder, way, algorithm)
            print(f"  {way}, {algorithm}: {costs.hit_us:.1f} us from the cache, {costs.miss_us:.1f} us for a new token")
    print(f"  {costs.idle_bytes / MIB:.1f} MiB at rest, {costs.answer_bytes:.0f} bytes per kept answer")
    print(f"reckoned: the rest. Zipf exponent {EXPONENT:g}, cache.max_ttl {MAX_TTL_S} s, one thread a replica, busy for {100 * BUSY:.0f} % of its processor at most;")
    print("replicas for the load alone: add what may fail or be replaced. Memory without connections (bodies, TLS).\n")
    for line in lines(folder, deployments or DEPLOYMENTS):
        print(line)
    sys.stdout.flush()
