"""What is left of a server for its good callers while it is attacked, attack by attack (tests/hostile).

Good callers with a token that is cached, and others with new ones, ask in a closed loop: undisturbed, then while the attack goes on,
and again from one second after its end. Each attack has a server of its own. What is compared stands side by side in time, because the
machine changes its pace.
"""

import json
import subprocess
import sys
import threading
import time

import generators
from cases import COLD_CACHE
from settings import ROOT

sys.path.insert(0, str(ROOT / "tests"))
from hostile import catalogue, process  # noqa: E402

CACHED_CONNECTIONS, NEW_CONNECTIONS = 4, 2
NEW_ALGORITHM = "RS256"  # of the good callers' new tokens
ATTACK_ALGORITHM = "ES256"  # the dearer one to verify
RECOVERY_S = 1  # how long after the attack the rate is taken again
AFTER_S = 0.7
LEAD_S = 0.05  # the callers' connections are there when the attack begins
SAMPLE_S = 0.02
GENERATOR_TIMEOUT_S = 60

OTHERS_ADDRESS, OWN_ADDRESS = "127.0.0.2", "127.0.0.1"
FROM_OWN_ADDRESS = ("rapid-reset", "ping-flood", "misses-in-flight", "idle", "many-connections", "churn", "h1-guesses", "h2-guesses")

MIN_KEPT_PERCENT, MAX_P99_RATIO, MAX_RSS_RATIO = 40, 20, 3
# Of what the server did in a second of its own processor time, which the machine's other work hardly changes; and of its rate, which
# that does change.
MIN_AFTER_CPU_PERCENT, MIN_AFTER_PERCENT = 65, 30


class Callers:
    """One run of good callers of both sorts."""

    def __init__(self, workshop, server, pool, seconds):
        self.server, self.cpu_ns = server, server.cpu_ns()
        both = {
            "cached": {"connections": CACHED_CONNECTIONS, "pool": 1},
            "new": {"connections": NEW_CONNECTIONS, "offset": pool.sent % pool.count},
        }
        self.pool = pool
        self.processes = {}
        for name, options in both.items():
            command = generators.load_command(workshop, server, pool, {**options, "requests": 1 << 40, "seconds": seconds})
            self.processes[name] = subprocess.Popen(
                generators.pinned(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )

    def finish(self):
        """By sort: requests a second, the 99th percentile in us, and how many were not answered with 200; and what went wrong."""
        figures, problems = {}, []
        for name, generator in self.processes.items():
            try:
                output, errors = generator.communicate(timeout=GENERATOR_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                generator.kill()
                output, errors = generator.communicate()
                errors = "no end"
            if generator.returncode != 0:
                problems.append(f"{name}: {errors.strip()}")
                figures[name] = {"rate": 0, "p99_us": float("inf"), "failed": 1, "requests": 0}
                continue
            answer = json.loads(output)
            good = answer["by_status"].get("200", 0)
            count = answer["requests"]
            figures[name] = {"rate": good / answer["seconds"], "p99_us": answer["p99_us"], "failed": count - good, "requests": count}
            problems += [f"{name}: {count} times {status}" for status, count in answer["by_status"].items() if status != "200"]
            if name == "new":
                self.pool.sent += answer["requests"]
        if is_alive(self.server):
            figures["per_cpu_s"] = sum(figures[name]["requests"] for name in self.processes) / (self.server.cpu_ns() - self.cpu_ns) * 1e9
        return figures, "; ".join(problems)


class Watch:
    """Watches a server's memory."""

    def __init__(self, server):
        self.server, self.peak_kib, self.is_over = server, 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.is_over.wait(SAMPLE_S):
            if not is_alive(self.server):
                return
            self.peak_kib = max(self.peak_kib, self.server.rss_kib())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


def is_alive(server):
    return server.process.poll() is None


def percent(part, whole):
    return round(100 * part / whole, 1) if whole else 0.0


NOTHING = {"cached": {"rate": 0, "failed": 0}, "new": {"rate": 0, "failed": 0}, "per_cpu_s": 0}


def attack(field, name, source):
    """One attack on a server of its own; gives its row."""
    workshop, pool, seconds = field.workshop, field.pool, field.settings.hostile_seconds
    server = workshop.start_introspectd("hostile", COLD_CACHE)
    targets = process.write_targets(workshop.folder, server.port, server.tls_port, workshop.authorization, field.token)
    idle_kib = server.rss_kib()
    before, problem_before = Callers(workshop, server, pool, seconds).finish()
    if problem_before:
        raise SystemExit(f"undisturbed, before {name}: {problem_before}")
    before_kib = server.rss_kib()
    prefix = generators.pinned([])
    with process.Attacker(name, targets, seconds + 2 * LEAD_S, source, prefix=prefix) as attacker, Watch(server) as watch:
        callers = Callers(workshop, server, pool, seconds)
        time.sleep(LEAD_S)
        attacker.begin()
        during, problem = callers.finish()
        outcome = attacker.outcome()
    time.sleep(RECOVERY_S)
    is_running = is_alive(server)
    after, problem_after = Callers(workshop, server, pool, AFTER_S).finish() if is_running else (NOTHING, "")
    after_kib = server.rss_kib() if is_alive(server) else 0
    is_running = is_alive(server)
    workshop.stop(server)
    return {
        "attack": name,
        "from": source,
        "seconds": seconds,
        "kept_percent": percent(during["cached"]["rate"], before["cached"]["rate"]),
        "p99_ratio": round(during["cached"]["p99_us"] / before["cached"]["p99_us"], 2),
        "new_kept_percent": percent(during["new"]["rate"], before["new"]["rate"]),
        "new_p99_ratio": round(during["new"]["p99_us"] / before["new"]["p99_us"], 2),
        "after_cpu_percent": percent(after.get("per_cpu_s", 0), before["per_cpu_s"]),
        "after_percent": percent(after["cached"]["rate"], before["cached"]["rate"]),
        "new_after_percent": percent(after["new"]["rate"], before["new"]["rate"]),
        "rss_ratio": round(max(watch.peak_kib, after_kib) / idle_kib, 2),
        "rss_idle_kib": idle_kib,
        "rss_before_kib": before_kib,
        "rss_peak_kib": watch.peak_kib,
        "rss_after_kib": after_kib,
        "rate_before": round(before["cached"]["rate"]),
        "p99_before_us": before["cached"]["p99_us"],
        "new_rate_before": round(before["new"]["rate"]),
        "failed_requests": sum(phase[sort]["failed"] for phase in (during, after) for sort in ("cached", "new")),
        "is_alive": is_running,
        "problem": "; ".join(filter(None, (problem, problem_after))),
        "attacker_connections": outcome["opened"],
        "attacker_closed_by_server": outcome["closed_by_server"],
        "attacker_sent_bytes": outcome["sent_bytes"],
    }


class Field:
    def __init__(self, workshop, pools, settings):
        self.workshop, self.settings = workshop, settings
        self.pool = pools.of(NEW_ALGORITHM)
        self.token = pools.of(ATTACK_ALGORITHM).first()


def measure(workshop, pools, settings, write):
    """The rows of all attacks; write is given them all as each comes."""
    field = Field(workshop, pools, settings)
    chosen = [(name, OTHERS_ADDRESS) for name in catalogue.ATTACKS] + [(name, OWN_ADDRESS) for name in FROM_OWN_ADDRESS]
    rows = []
    for name, source in chosen:
        if settings.attacks and name not in settings.attacks:
            continue
        rows.append(attack(field, name, source))
        print(line_of(rows[-1]), file=sys.stderr)
    if rows:
        write(rows)
    return rows


def misses_of(row):
    """Which targets an attack made the server miss."""
    found = []
    if row["kept_percent"] < MIN_KEPT_PERCENT:
        found.append("rate")
    if row["p99_ratio"] >= MAX_P99_RATIO:
        found.append("p99")
    if row["rss_ratio"] >= MAX_RSS_RATIO:
        found.append("RSS")
    if row["after_cpu_percent"] < MIN_AFTER_CPU_PERCENT or row["after_percent"] < MIN_AFTER_PERCENT:
        found.append("after")
    if row["failed_requests"]:
        found.append("failed")
    if not row["is_alive"]:
        found.append("ENDED")
    return found


COLUMNS = (("kept_percent", 8), ("p99_ratio", 9), ("new_kept_percent", 9), ("new_p99_ratio", 9), ("rss_ratio", 7),
           ("after_cpu_percent", 8), ("after_percent", 12), ("failed_requests", 8))  # fmt: skip
TITLES = ("rate %", "p99 x", "new %", "new p99 x", "RSS x", "after %", "after rate %", "failed")


def line_of(row):
    figures = "".join(f"{row[name]:>{width}}" for name, width in COLUMNS)
    return f"{row['attack']:<24}{row['from']:<11}{figures}  {' '.join(misses_of(row))}  {row['problem']}".rstrip()


def print_rows(rows):
    titles = "".join(f"{title:>{width}}" for title, (_, width) in zip(TITLES, COLUMNS))
    print(f"\n{'attack':<24}{'from':<11}{titles}  missed")
    for row in rows:
        print(line_of(row))
    missed = sum(bool(misses_of(row)) for row in rows)
    print(f"{len(rows) - missed} of {len(rows)}: rate at least {MIN_KEPT_PERCENT} %, p99 under {MAX_P99_RATIO} times, RSS under {MAX_RSS_RATIO} times idle, "
          f"after a second at least {MIN_AFTER_CPU_PERCENT} % per CPU second, nothing failed")  # fmt: skip
