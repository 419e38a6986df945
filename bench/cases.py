"""The timed cases: which requests, to which server, and what is noted of each run.

A case is measured in rounds; in each, the servers (and for new tokens OpenSSL by itself) take their turns, so that a machine that
changes its pace changes it for all. What is compared is the processor time that the server took over the requests that were answered:
requests per second say more about the load generator than about a server.
"""

import dataclasses
import json
import sys

import generators
import servers
from results import median_of
from settings import CONNECTIONS, SERVER_CPU

# Small: with more tokens than fit going through it in order, each has left again before its turn comes.
COLD_CACHE = "512KiB"
CALIBRATION_REQUESTS = 10000  # where tokens are new, MIN_REQUESTS
MIN_REQUESTS = 2000
ZIPF_EXPONENT = 1.0


@dataclasses.dataclass(frozen=True)
class Case:
    part: str
    protocol: str
    in_flight: int
    body: str = "form"
    algorithm: str = "RS256"
    choice: str = "one"  # which token comes next: one, uniform, zipf, sequential

    def __str__(self):
        return f"{self.part}: {self.algorithm}, {self.choice}, {self.protocol}, {self.in_flight} in flight, {self.body}"


def cases_of(part, is_quick):
    """The cases of a timed part."""
    pair = (("h1", 1), ("h2c", 16))
    if part == "hot":
        if is_quick:
            return [Case("hot", protocol, in_flight) for protocol, in_flight in (("h1", 1), ("h2c", 16), ("tls-h2", 16))]
        return [
            Case("hot", protocol, in_flight, body)
            for body in ("form", "json")
            for protocol in generators.PROTOCOLS
            for in_flight in (1, 16, 100)
        ]
    if part == "pool":
        return [Case("pool", *how, choice=choice) for choice in ("uniform", "zipf") for how in (pair[1:] if is_quick else pair)]
    if part == "cold":
        return [
            Case("cold", *how, algorithm=algorithm, choice="sequential")
            for algorithm in servers.ALGORITHMS
            for how in (pair[:1] if is_quick else pair)
        ]
    if part == "inactive":
        return [Case("inactive", *how, choice=choice) for choice in ("one", "sequential") for how in (pair[1:] if is_quick else pair)]
    raise ValueError(part)


class Field:
    """The servers of the timed parts, all on one processor, of which one at a time has something to do."""

    def __init__(self, workshop, pools, settings):
        self.workshop, self.pools, self.settings = workshop, pools, settings
        for body in servers.CONTENT_TYPES:
            (workshop.folder / f"request.{body}").write_text(pools.request(body))
        self.warm = workshop.start_introspectd("warm", "64MiB")
        self.cold = workshop.start_introspectd("cold", COLD_CACHE)
        self.ceiling = workshop.start_ceiling()
        self.verifying = {algorithm: workshop.start_verifying(algorithm) for algorithm in servers.ALGORITHMS}
        bodies = {body: pools.request(body) for body in servers.CONTENT_TYPES}
        for product in (self.warm, self.cold):
            servers.check_alike((product, self.ceiling), workshop, bodies)

    def servers(self):
        return [self.warm, self.cold, self.ceiling, *self.verifying.values()]

    def servers_of(self, case):
        """The product first."""
        if case.part == "cold":
            return [self.cold, self.ceiling, self.verifying[case.algorithm]]
        return [self.warm, self.ceiling]

    def generate(self, case, server, requests):
        """One run of load; gives the generator's outcome."""
        if case.part == "hot" and (case.in_flight == 1 or not case.protocol.endswith("h1")):
            return generators.h2load(self.workshop, server, case.protocol, case.in_flight, case.body, requests)
        pool = self.pools.forged() if case.part == "inactive" else self.pools.of(case.algorithm)
        options = {"protocol": case.protocol, "in_flight": case.in_flight, "requests": requests}
        if case.body == "json":
            options["json"] = True
        if case.choice == "one":
            options["pool"] = 1
        elif case.choice == "sequential":
            options["offset"] = pool.take(requests)
        else:
            options |= {"choice": case.choice, "pool": self.settings.pool_tokens, "exponent": ZIPF_EXPONENT}
        status = pool.status if server in (self.warm, self.cold) else 200
        return generators.load(self.workshop, server, pool, status, **options)

    def fill(self, case):
        """Brings the pool into the cache."""
        if case.part == "pool":
            pool = self.pools.of(case.algorithm)
            generators.load(self.workshop, self.warm, pool, 200, requests=self.settings.pool_tokens, pool=self.settings.pool_tokens)

    def spend(self, case, server, requests):
        """One run of load; gives the generator's outcome and the processor time that the server took, in us."""
        before = server.cpu_ns()
        outcome = self.generate(case, server, requests)
        return outcome, (server.cpu_ns() - before) / 1000

    def measure(self, case, server, requests):
        # Handshakes are paid once a connection: left in, they would make the servers look more alike the shorter a run is.
        _, setup_us = self.spend(case, server, CONNECTIONS) if case.protocol.startswith("tls") else (None, 0)
        outcome, spent_us = self.spend(case, server, requests)
        counted = requests - CONNECTIONS if setup_us else requests
        return {
            **dataclasses.asdict(case),
            "server": server.name,
            "requests": outcome.requests,
            "requests_per_s": round(outcome.requests / outcome.seconds),
            "cpu_us_per_request": round((spent_us - setup_us) / counted, 4),
            "p50_us": outcome.p50_us,
            "p99_us": outcome.p99_us,
            "p999_us": outcome.p999_us,
        }

    def measure_raw(self, case):
        """OpenSSL's own time for the signatures of the case's tokens, on the server's processor."""
        command = ["taskset", "-c", SERVER_CPU, self.workshop.tool("raw_verify"), "--key", self.workshop.key(case.algorithm)]
        command += ["--tokens", self.pools.of(case.algorithm).path, "--seconds", self.settings.seconds / 2]
        answer = json.loads(servers.run(*command))
        if answer["algorithm"] != case.algorithm:
            raise SystemExit(f"raw_verify measured {answer['algorithm']}")
        empty = dict.fromkeys(("requests", "requests_per_s"), "")
        times = dict.fromkeys(("p50_us", "p99_us", "p999_us"), "")
        cpu = {"cpu_us_per_request": round(answer["cpu_ns"] / 1000, 4)}
        return {**dataclasses.asdict(case), "server": "raw verify", **empty, **cpu, **times}

    def count_requests(self, case, server):
        """How many requests take about as long as a run is to be."""
        outcome = self.generate(case, server, MIN_REQUESTS if case.choice == "sequential" else CALIBRATION_REQUESTS)
        return max(MIN_REQUESTS, int(outcome.requests / outcome.seconds * self.settings.seconds))


def measure_case(field, case):
    compared = field.servers_of(case)
    field.fill(case)
    counts = {server: field.count_requests(case, server) for server in compared}
    rows = []
    for number in range(1, field.settings.rounds + 1):
        for server in compared if number % 2 else reversed(compared):
            rows.append({"round": number, **field.measure(case, server, counts[server])})
        if case.choice == "sequential":
            rows.append({"round": number, **field.measure_raw(case)})
    medians = [f"{name} {median_of([row for row in rows if row['server'] == name], 'cpu_us_per_request'):.2f}" for name in names_of(rows)]
    print(f"{case}: {', '.join(medians)} us", file=sys.stderr)
    return rows


def names_of(rows):
    return list(dict.fromkeys(row["server"] for row in rows))


def measure_part(field, part):
    """Every run of a part."""
    return [row for case in cases_of(part, field.settings.is_quick) for row in measure_case(field, case)]
