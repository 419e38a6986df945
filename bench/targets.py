"""The figures that are to be reached, and whether they were; and the table of everything timed."""

import dataclasses
import statistics

import micro_figures
from results import median_of, ratios

MAX_GROWTH_PERCENT = 1.0
# None: libh2o itself allocates by how requests happen to arrive together, and that differs a little from run to run.
NO_ALLOCATIONS = 0.01
HOT = {("h1", 1): 1.10, ("h2c", 16): 1.45, ("tls-h2", 16): 1.35}
COLD = {"RS256": 1.20, "ES256": 1.10, "EdDSA": 1.10}


@dataclasses.dataclass(frozen=True)
class Target:
    what: str
    figure: float
    bound: float
    is_least: bool = False  # the figure must be at least the bound; else at most

    def is_reached(self):
        return self.figure >= self.bound if self.is_least else self.figure <= self.bound


KEY = ("part", "algorithm", "choice", "protocol", "in_flight", "body")


def group(rows):
    """Rows by case, then by server."""
    cases = {}
    for row in rows:
        key = tuple(str(row[name]) for name in KEY)
        cases.setdefault(key, {}).setdefault(row["server"], []).append(row)
    return cases


def reference_of(by_server):
    return [by_server[name] for name in ("bare libh2o", "raw verify") if name in by_server]


def ratio_of(by_server):
    """Median, least and most over the rounds."""
    values = ratios(by_server["introspectd"], reference_of(by_server))
    return statistics.median(values), min(values), max(values)


def print_cases(rows):
    print(f"\n{'server CPU per request, us (medians)':<52}{'introspectd':>12}{'bare':>8}{'verify':>8}{'both in one':>12}{'ratio':>7}{'(least-most)':>14}"
          f"{'req/s':>9}{'p50':>8}{'p99':>8}{'p99.9 us':>10}")  # fmt: skip
    for key, by_server in group(rows).items():
        product = by_server["introspectd"]
        ratio, least, most = ratio_of(by_server)
        raw, both = (
            f"{median_of(by_server[name], 'cpu_us_per_request'):.2f}" if name in by_server else ""
            for name in ("raw verify", "libh2o that verifies")
        )
        print(f"{' '.join(key):<52}{median_of(product, 'cpu_us_per_request'):>12.2f}"
              f"{median_of(by_server['bare libh2o'], 'cpu_us_per_request'):>8.2f}{raw:>8}{both:>12}{ratio:>7.2f}{f'({least:.2f}-{most:.2f})':>14}"
              f"{median_of(product, 'requests_per_s'):>9.0f}{median_of(product, 'p50_us'):>8.0f}{median_of(product, 'p99_us'):>8.0f}"
              f"{median_of(product, 'p999_us'):>10.0f}")  # fmt: skip


def timed_targets(rows):
    """The targets that the rows of timed parts speak of."""
    for key, by_server in group(rows).items():
        part, algorithm, _, protocol, in_flight, body = key
        bound = None
        if part == "hot" and body == "form":
            bound = HOT.get((protocol, int(in_flight)))
        elif part == "cold":
            bound = COLD.get(algorithm)
        if bound is not None:
            what = f"{part} {algorithm}, {protocol}, {in_flight} in flight: CPU over"
            over = "the ceiling" if part == "hot" else "ceiling + verify"
            yield Target(f"{what} {over}", ratio_of(by_server)[0], bound)
            if part == "cold":
                floor = ratios(by_server["introspectd"], [by_server["libh2o that verifies"]])
                yield Target(f"{what} libh2o that verifies", statistics.median(floor), bound)


def allocation_targets(allocations):
    for protocol in dict.fromkeys(row["protocol"] for row in allocations):
        by_server = {row["server"]: float(row["allocations_per_request"]) for row in allocations if row["protocol"] == protocol}
        beyond = by_server["introspectd"] - by_server["bare libh2o"]
        yield Target(f"allocations of a hot request beyond libh2o's, {protocol}", beyond, NO_ALLOCATIONS)


def memory_targets(figures):
    yield Target("memory per entry beyond the answer, bytes", figures["bytes_per_entry_beyond_the_answer"], 128)
    yield Target("idle RSS, MiB", figures["idle_rss_mib"], 12)
    yield Target(f"growth over a mixed run of {figures['mixed_seconds']:.0f} s, percent", figures["mixed_growth_percent"], MAX_GROWTH_PERCENT)


def micro_targets(rows):
    hit = micro_figures.select(rows, "cache-get", "hit", "entries=100000 threads=1")
    yield Target("cache hit, 100,000 entries, one thread, ns", float(hit["ns_per_operation"]), 150)
    single, four = (micro_figures.select(rows, "cache-pool", "hit", f"entries=10000 threads={threads}") for threads in (1, 4))
    ratio = float(four["operations_per_second"]) / float(single["operations_per_second"])
    yield Target("cache hits a second, pool: 4 threads over 1", ratio, 2.5, is_least=True)


def print_targets(targets):
    print(f"\n{'to reach':<62}{'figure':>9}{'':>10}{'bound':>7}")
    for target in targets:
        verdict = "reached" if target.is_reached() else "NOT reached"
        direction = "at least" if target.is_least else "at most"
        print(f"{target.what:<62}{target.figure:>9.2f}{direction:>10}{target.bound:>7.2f}  {verdict}")
