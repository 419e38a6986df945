"""What one run of the benchmark is to do: its parts, its length, its places."""

import argparse
import dataclasses
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("hot", "pool", "cold", "inactive", "calls", "memory", "micro", "hostile", "replicas", "sizing")
# Run when they are named: the one takes minutes however short each attack is, the other wants the results of a whole run.
NOT_QUICK = ("hostile", "sizing")
SERVER_CPU = 0
CONNECTIONS = 64


@dataclasses.dataclass(frozen=True)
class Settings:
    is_quick: bool
    parts: tuple  # of PARTS, in their order
    build: Path  # the build with INTROSPECTD_BENCH
    results: Path
    rounds: int  # of each case; what is reported is a median over them
    seconds: float  # about how long one run of one server is
    pool_tokens: int  # of the cases with a pool that fits the cache
    cold_tokens: int  # of each algorithm's pool that does not
    forged_tokens: int
    entries: int  # in the cache of the memory part
    mixed_cache: str  # cache.max_bytes of the mixed run
    mixed_seconds: float
    hostile_seconds: float  # of each attack, and of the load before it
    attacks: tuple  # their names; all when there are none
    binary: Path  # the introspectd that is measured
    deployments: tuple  # whose size is asked for: (requests per second, share of new tokens, live tokens) each

    @property
    def work(self):
        """Where keys, tokens and configs are made."""
        return self.build / "work"


QUICK = {
    "rounds": 3, "seconds": 0.4, "pool_tokens": 5000, "cold_tokens": 5000, "forged_tokens": 50000,
    "entries": 100000, "mixed_cache": "8MiB", "mixed_seconds": 6.0, "hostile_seconds": 1.0,
}  # fmt: skip
FULL = {
    "rounds": 5, "seconds": 1.5, "pool_tokens": 10000, "cold_tokens": 20000, "forged_tokens": 200000,
    "entries": 1000000, "mixed_cache": "64MiB", "mixed_seconds": 600.0, "hostile_seconds": 1.0,
}  # fmt: skip


def read_deployment(text):
    rate, new_share, tokens = text.split(",")
    return float(rate), float(new_share), int(tokens)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description="Holds introspectd against a bare libh2o responder.")
    parser.add_argument("words", nargs="*", metavar="quick|PART", help=f"quick: a short run; parts: {' '.join(PARTS)}; all by default")
    parser.add_argument("--rounds", type=int, help="runs of each server in each case")
    parser.add_argument("--seconds", type=float, help="about how long a run is")
    parser.add_argument("--mixed-seconds", type=float, help="length of the mixed run that memory is watched over")
    parser.add_argument("--hostile-seconds", type=float, help="length of each attack")
    parser.add_argument("--attacks", default="", help="names of attacks with commas between them; all by default")
    parser.add_argument("--deployment", action="append", default=[], type=read_deployment, metavar="RATE,NEW,LIVE",
                        help="sizing: requests per second, the share of them with a new token (0.01), live tokens; again for more")  # fmt: skip
    parser.add_argument("--binary", type=Path, help="the introspectd to measure; the build's by default")
    parser.add_argument("--build", type=Path, default=ROOT / "build/bench", help="a build with INTROSPECTD_BENCH")
    parser.add_argument("--results", type=Path, help="where the results go; bench/results, or BUILD/results when quick")
    options = parser.parse_intermixed_args(arguments)
    unknown = set(options.words) - {"quick", *PARTS}
    if unknown:
        parser.error(f"no such part: {' '.join(sorted(unknown))}")
    is_quick = "quick" in options.words
    build = options.build.resolve()
    values = {
        **(QUICK if is_quick else FULL),
        **{name: value for name in ("rounds", "seconds", "mixed_seconds", "hostile_seconds") if (value := getattr(options, name)) is not None},
    }
    results = options.results or (build / "results" if is_quick else ROOT / "bench/results")
    usual = tuple(part for part in PARTS if not is_quick or part not in NOT_QUICK)
    parts = tuple(part for part in PARTS if part in options.words) or usual
    binary = (options.binary or build / "introspectd").resolve()
    attacks = tuple(name for name in options.attacks.split(",") if name)
    return Settings(is_quick=is_quick, parts=parts, build=build, binary=binary, results=results.resolve(), attacks=attacks,
                    deployments=tuple(options.deployment), **values)  # fmt: skip
