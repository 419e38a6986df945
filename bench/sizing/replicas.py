"""How the hit ratio falls as requests are spread over more replicas: one trace, replayed over the product's own cache by replay.c."""

import dataclasses
import json
import subprocess
import sys

from sizing import closed_form

MIB = 1 << 20
REPLICAS = (1, 2, 3, 4, 6, 8, 12, 16)
QUICK_REPLICAS = (1, 4, 16)
SEED = 1
ABOUT = f"replayed over the product's cache, not timed; the same figures on any machine, seed {SEED}"


@dataclasses.dataclass(frozen=True)
class Trace:
    """What is asked, and of what; each replica has max_bytes."""

    exponent: float = 1.0
    tokens: int = 100_000
    rate_per_s: int = 1000
    life_s: int = 3600
    max_ttl_s: int = 300
    max_bytes: int = 64 * MIB
    balancing: str = "random"

    def demand(self):
        return closed_form.Demand(self.rate_per_s, self.tokens, self.exponent, self.life_s)


# What is varied, one at a time; the rest is as Trace has it.
VARIED = {
    "exponent": (0.6, 0.8, 1.0, 1.2),
    "tokens": (10_000, 100_000, 1_000_000),
    "rate_per_s": (100, 1000, 10_000),
    "max_ttl_s": (60, 300, 1800),
    "max_bytes": (1 * MIB, 4 * MIB, 64 * MIB),
    "balancing": ("random", "round-robin", "by-token"),
}
QUICK_VARIED = ("exponent",)


def replay(tool, trace, replicas, warm_up_s, measured_s, *more):
    """What the tool prints of one replay."""
    command = [tool, "--replicas", replicas, "--tokens", trace.tokens, "--exponent", trace.exponent, "--rate", trace.rate_per_s]
    command += ["--life", trace.life_s, "--max-ttl", trace.max_ttl_s, "--max-bytes", trace.max_bytes, "--balancing", trace.balancing]
    command += ["--warm-up", warm_up_s, "--measured", measured_s, "--seed", SEED, *more]
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True).stdout


def simulate(tool, trace, replicas, is_quick=False):
    """One point of a curve. Whole spans of max_ttl_s are measured, since what was filled at one time runs out at one time."""
    spans = 1 if is_quick else 4
    counted = json.loads(replay(tool, trace, replicas, 2 * trace.max_ttl_s, spans * trace.max_ttl_s))
    reckoned = closed_form.hit_ratio(trace.demand(), 1 if trace.balancing == "by-token" else replicas, trace.max_ttl_s)
    return {
        **dataclasses.asdict(trace),
        "replicas": replicas,
        **counted,
        "hit_ratio": round(counted["hits"] / counted["requests"], 5),
        "reckoned_hit_ratio": round(reckoned, 5),
    }


def traces(is_quick=False):
    """Each trace once, in the order of VARIED."""
    made = [
        dataclasses.replace(Trace(), **{name: value})
        for name in (QUICK_VARIED if is_quick else VARIED)
        for value in VARIED[name]
    ]
    return list(dict.fromkeys(made))


def measure(tool, is_quick=False):
    """The rows of all curves."""
    rows = []
    for trace in traces(is_quick):
        curve = [simulate(tool, trace, replicas, is_quick) for replicas in (QUICK_REPLICAS if is_quick else REPLICAS)]
        points = ", ".join(f"{row['replicas']}: {row['hit_ratio']:.3f}" for row in curve)
        print(f"replicas: {trace}: {points}", file=sys.stderr)
        rows += curve
    return rows


def curve(rows, name, value):
    """The rows in which this was varied, by replicas."""
    wanted = {key: str(setting) for key, setting in dataclasses.asdict(dataclasses.replace(Trace(), **{name: value})).items()}
    return [row for row in rows if all(str(row[key]) == setting for key, setting in wanted.items())]
