"""How much memory introspectd takes: at rest, per token in its cache, and over a mixed run."""

import contextlib
import dataclasses
import functools
import itertools
import statistics
import subprocess
import sys
import time

import calls
import generators

FIRST_PART = 10  # one in so many entries goes in first: what is not the cache's has then taken its memory
SLICE_S = 5
SAMPLE_S = 1
SETTLE_S = 1


@dataclasses.dataclass(frozen=True)
class Slice:
    """One kind of load in the mixed run."""

    name: str
    pool: object
    options: dict


def settle(server):
    """The memory once the connections are gone."""
    time.sleep(SETTLE_S)
    return server.rss_kib()


def measure_idle(workshop):
    """Straight after the start, with the threads that the machine gives: all, and what is not a file's."""
    server = workshop.start_introspectd("idle", "64MiB", threads=None)
    time.sleep(SETTLE_S)
    sizes = server.rss_kib(), server.rss_kib("RssAnon")
    workshop.stop(server)
    return sizes


def measure_entries(workshop, pools, answer_len):
    """The memory of a full cache and of each entry in it."""
    server = workshop.start_introspectd("many", "4GiB", counters=calls.counters_of(workshop, "many"))
    pool = pools.many()
    first = pool.count // FIRST_PART
    options = {"protocol": "h2c", "in_flight": 16}
    calls.count(workshop, server, pool, requests=first, **options)
    _, of_hits = calls.count(workshop, server, pool, requests=first, **options)
    before = settle(server)
    calls.count(workshop, server, pool, requests=pool.count - first, offset=first, **options)
    after = settle(server)
    _, again = calls.count(workshop, server, pool, requests=pool.count, **options)
    calls.check_verifications("memory, asked again", of_hits * FIRST_PART, again)
    workshop.stop(server)
    per_entry = (after - before) * 1024 / (pool.count - first)
    return {
        "entries": pool.count,
        "rss_mib_with_entries": round(after / 1024, 1),
        "bytes_per_entry": round(per_entry, 1),
        "bytes_per_entry_beyond_the_answer": round(per_entry - answer_len, 1),
    }


def mixed_slices(pools):
    both = ({"protocol": "h1", "in_flight": 1}, {"protocol": "h2c", "in_flight": 16})
    many = pools.many()
    return [
        Slice("one token", pools.of("RS256"), {**both[1], "pool": 1}),
        Slice("one token, TLS", pools.of("RS256"), {"protocol": "tls-h2", "in_flight": 16, "pool": 1}),
        Slice("pool", pools.of("RS256"), {**both[0], "choice": "zipf", "pool": pools.settings.pool_tokens, "json": True}),
        Slice("new HS256", many, both[1]),
        Slice("forged", pools.forged(), both[1]),
        Slice("new ES256", pools.of("ES256"), both[0]),
        Slice("new EdDSA", pools.of("EdDSA"), {**both[1], "json": True}),
    ]


def run_slice(workshop, server, part, seconds, note):
    """One slice of load; calls note about every second."""
    options = {**part.options, "requests": 1 << 40, "seconds": seconds}
    if "pool" not in options:
        options["offset"] = part.pool.sent % part.pool.count
    command = generators.pinned(generators.load_command(workshop, server, part.pool, options))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SAMPLE_S)
                break
            note()
        output, errors = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"mixed run, {part.name}: {errors}")
    outcome = generators.read_load(output, part.pool.status, f"mixed run, {part.name}")
    if "pool" not in options:
        part.pool.sent += outcome.requests


def measure_mixed(workshop, pools, settings):
    """Samples of the memory over the mixed run, which begins with a full cache, and after each kind of load was there once."""
    server = workshop.start_introspectd("mixed", settings.mixed_cache)
    many = pools.many()
    generators.load(workshop, server, many, 200, requests=many.count, protocol="h2c", in_flight=16)
    slices = mixed_slices(pools)
    slice_s = min(SLICE_S, settings.mixed_seconds / (2 * len(slices)))
    for part in slices:
        run_slice(workshop, server, part, slice_s, lambda: None)
    samples = []
    begun = time.monotonic()

    def note(name):
        samples.append({"seconds": round(time.monotonic() - begun, 1), "load": name, "rss_kib": server.rss_kib()})

    for part in itertools.cycle(slices):
        if time.monotonic() - begun >= settings.mixed_seconds:
            break
        run_slice(workshop, server, part, slice_s, functools.partial(note, part.name))
        note(part.name)
    workshop.stop(server)
    return samples


def growth_percent(samples):
    """How much larger the memory was in the second half of the run than in the first, by the medians."""
    sizes = [float(sample["rss_kib"]) for sample in samples]
    middle = len(sizes) // 2
    first, second = statistics.median(sizes[:middle]), statistics.median(sizes[middle:])
    return 100 * (second - first) / first


def measure(workshop, pools, settings, answer_len):
    """The figures, and the samples of the mixed run."""
    idle, idle_anonymous = measure_idle(workshop)
    figures = {"idle_rss_mib": round(idle / 1024, 2), "idle_anonymous_mib": round(idle_anonymous / 1024, 2)}
    figures |= measure_entries(workshop, pools, answer_len)
    print(f"memory: {figures}", file=sys.stderr)
    samples = measure_mixed(workshop, pools, settings)
    figures |= {"mixed_seconds": settings.mixed_seconds, "mixed_growth_percent": round(growth_percent(samples), 2)}
    return figures, samples
