"""What is counted, not timed: allocations of a request from the cache, and that the timed cases hit and miss as they claim to."""

import dataclasses
import struct
from pathlib import Path

import generators
import servers
from cases import COLD_CACHE

REQUESTS = 20000


@dataclasses.dataclass
class Counters:
    """The numbers that bench/count_calls.c keeps of a server."""

    library: Path
    path: Path

    def read(self):
        return struct.unpack("=QQ", self.path.read_bytes())


def counters_of(workshop, name):
    return Counters(workshop.tool("libcount_calls.so"), workshop.folder / f"{name}.counters")


def count(workshop, server, pool, status=200, /, **options):
    """One run of load; gives (allocations, verifications) of the server in it."""
    before = server.counters.read()
    generators.load(workshop, server, pool, status, **options)
    return tuple(after - earlier for after, earlier in zip(server.counters.read(), before))


def count_allocations(workshop, server, pool, protocol, in_flight):
    """Allocations per request of the hot case; what the connections cost falls out between a short run and a long one."""
    options = {"protocol": protocol, "in_flight": in_flight, "pool": 1}
    short, _ = count(workshop, server, pool, requests=REQUESTS, **options)
    long, _ = count(workshop, server, pool, requests=3 * REQUESTS, **options)
    return (long - short) / (2 * REQUESTS)


def check_verifications(what, wanted, counted):
    if counted != wanted:
        raise SystemExit(f"{what}: {counted} signatures were verified, not {wanted}: the case is not what it claims to be")


def check_hits_and_misses(workshop, pools, settings, warm, cold):
    """One token, or a pool that fits, costs no verification; a pool that does not fit costs one for each request."""
    rows = []
    pool = pools.of("RS256")
    size = settings.pool_tokens
    count(workshop, warm, pool, requests=size, pool=size)
    # A server that uses a MAC for more than signatures is told by what it does for a hit.
    hits = {}
    for choice in ("sequential", "uniform", "zipf"):
        _, hits[choice] = count(workshop, warm, pool, requests=size, pool=size, choice=choice)
        check_verifications(f"pool, {choice}", hits["sequential"], hits[choice])
    per_hit = hits["sequential"] / size
    if per_hit != int(per_hit):
        raise SystemExit(f"pool: {hits['sequential']} verifications in {size} requests: not all of them were hits")
    rows.append({"case": "pool", "requests": size, "verifications_beyond_hits": 0})
    for name, server, source in [(algorithm, cold, pools.of(algorithm)) for algorithm in servers.ALGORITHMS] + [("forged", warm, pools.forged())]:
        requests = source.count + source.count // 4  # round again, to tokens that were there before
        _, verified = count(workshop, server, source, source.status, requests=requests, protocol="h2c", in_flight=16)
        check_verifications(f"cold, {name}", requests, verified - int(per_hit) * requests)
        rows.append({"case": f"cold {name}", "requests": requests, "verifications_beyond_hits": requests})
    return rows


def measure(workshop, pools, settings):
    """Rows of allocations and rows of verifications."""
    warm = workshop.start_introspectd("counted-warm", "64MiB", counters=counters_of(workshop, "warm"))
    cold = workshop.start_introspectd("counted-cold", COLD_CACHE, counters=counters_of(workshop, "cold"))
    ceiling = workshop.start_ceiling(counters=counters_of(workshop, "ceiling"))
    try:
        allocations = [
            {"server": server.name, "protocol": protocol, "in_flight": in_flight,
             "allocations_per_request": round(count_allocations(workshop, server, pools.of("RS256"), protocol, in_flight), 4)}
            for protocol, in_flight in (("h1", 1), ("h2c", 16))
            for server in (warm, ceiling)
        ]  # fmt: skip
        return allocations, check_hits_and_misses(workshop, pools, settings, warm, cold)
    finally:
        for server in (warm, cold, ceiling):
            workshop.stop(server)
