#!/usr/bin/env python3
"""
Good callers of every kind for a long time, and beside them every attack, alone and then in pairs: `soak.py --help`.

It passes when every good request was answered, the memory has not grown since each attack was there once, standard error holds JSON
lines alone, and the server ends as it should.
"""

import argparse
import itertools
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

MAX_GROWTH_PERCENT = 5
# So that the memory is what is in use, and not what the allocator keeps of what the last attack took.
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_ARENA_MAX": "2"}
WARM_UP_PART = 0.3  # of the whole time, for each attack alone
SHORTEST_S, LONGEST_S = 0.3, 2
QUIET_S = 2
TOKENS = 2000  # that are new, and again when they have long left the cache
CACHE = "256KiB"


def parse():
    parser = argparse.ArgumentParser(description="Good traffic with every attack beside it. Exit status 0 if all is well.")
    parser.add_argument("seconds", nargs="?", type=float, default=600)
    parser.add_argument("build", nargs="?", choices=("asan", "release"), default="release", help="of ./dev; decides whether growth counts")
    parser.add_argument("--binary", type=pathlib.Path, help="the server; build/BUILD/introspectd by default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--attacks", default="", help="names with commas between them; all by default")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def rss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0  # it has ended


class Soak:
    def __init__(self, options, directory):
        # Named by the environment when the harness is read.
        from harness.endpoint import basic
        from harness.server import Server
        from harness.world import World
        from hostile import process
        from hostile.callers import Mixture

        self.options, self.process = options, process
        self.random = random.Random(options.seed)
        world = World()
        listen, endpoints = world.listeners(directory)
        chosen = [endpoints[name] for name in ("h1", "h2c", "tls-h1", "tls-h2")]
        config = world.config(listen=listen, threads=options.threads, cache={"max_bytes": CACHE}, core_dumps=True)
        self.server = Server(directory, config, world.files, [endpoint.address for endpoint in chosen])
        tokens = itertools.cycle([world.token(self.random.choice(("RS256", "ES256", "HS256", "EdDSA"))) for _ in range(TOKENS)])
        self.mixture = Mixture(chosen, world.rfc, world.token(), lambda: next(tokens))
        known = basic(world.rfc.client_id, world.rfc.secret)[1]
        ports = endpoints["h1"].address[1], endpoints["tls-h1"].address[1]
        self.targets = process.write_targets(directory, *ports, known, world.token("ES256"))
        self.samples = []  # (seconds, KiB)

    def is_running(self):
        return self.server.process.poll() is None

    def attack(self, names, seconds):
        attackers = [self.process.Attacker(name, self.targets, seconds) for name in names]
        for attacker in attackers:
            attacker.begin()
        outcomes = [attacker.outcome() for attacker in attackers]
        for outcome in outcomes:
            if outcome["opened"] == 0:
                print(f"{outcome['attack']}: no connection", file=sys.stderr)
        failed = self.mixture.failed()
        if failed > self.failed_before:
            print(f"{' + '.join(names)}: {failed - self.failed_before} good requests failed", file=sys.stderr)
        self.failed_before = failed

    def sample(self):
        """The memory when nobody attacks."""
        time.sleep(QUIET_S)
        self.samples.append((round(time.monotonic() - self.begun), rss_kib(self.server.process.pid)))
        print(f"{self.samples[-1][0]} s: {self.samples[-1][1]} KiB, {self.mixture.answered()} answered", file=sys.stderr)

    def rounds(self, names):
        """Every attack in pairs with another, in an order of its own each time."""
        while True:
            order = self.random.sample(names, len(names))
            yield [pair for pair in itertools.zip_longest(order[::2], order[1::2])]

    def run(self, names):
        self.begun, self.failed_before = time.monotonic(), 0
        end = self.begun + self.options.seconds
        seconds = min(LONGEST_S, max(SHORTEST_S, self.options.seconds * WARM_UP_PART / len(names)))
        with self.mixture:
            for name in names:
                if self.is_running():
                    self.attack([name], seconds)
            self.sample()
            for pairs in self.rounds(names):
                for pair in pairs:
                    if time.monotonic() < end and self.is_running():
                        self.attack(list(filter(None, pair)), seconds)
                if not self.is_running():
                    break
                self.sample()
                if time.monotonic() >= end:
                    break

    def judge(self):
        """What is wrong, in words."""
        wrong = []
        refused = self.mixture.refused()
        if refused:
            wrong.append(f"good requests were refused: {dict(refused)}")
        if self.mixture.failed():
            wrong.append(f"{self.mixture.failed()} good requests failed: {self.mixture.statuses()} {self.mixture.troubles()[:5]}")
        growth = self.growth_percent()
        if self.options.build == "release" and growth > MAX_GROWTH_PERCENT:
            wrong.append(f"the memory grew by {growth:.1f} %")
        try:
            self.server.stop()
            self.server.log()
        except (AssertionError, ValueError) as problem:
            wrong.append(f"end or standard error: {str(problem)[:3000]}")
        return wrong

    def growth_percent(self):
        """From the lowest of the earlier samples to the lowest of the later ones: each is of another attack's leavings."""
        sizes = [size for _, size in self.samples]
        earlier, later = sizes[: len(sizes) // 2], sizes[len(sizes) // 2 :]
        return 100 * (min(later) - min(earlier)) / min(earlier) if earlier and min(earlier) else 0.0


def main():
    options = parse()
    os.environ.update(ALLOCATOR)
    os.environ["INTROSPECTD"] = str(options.binary or ROOT / "build" / options.build / "introspectd")
    from hostile.catalogue import ATTACKS

    names = [name for name in options.attacks.split(",") if name] or list(ATTACKS)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-soak-"))
    soak = Soak(options, directory)
    soak.server.start()
    try:
        soak.run(names)
        wrong = soak.judge()
    finally:
        if soak.is_running():
            soak.server.process.kill()
            soak.server.process.wait()
    refused = dict(soak.mixture.refused())
    print(f"{soak.mixture.answered()} good requests answered, {soak.mixture.failed()} failed, refused by status: {refused or 'none'}")
    print(f"memory after each round, KiB: {[size for _, size in soak.samples]}: {soak.growth_percent():+.1f} %")
    for problem in wrong:
        print(f"WRONG: {problem}")
    if wrong:
        print(f"log: {directory / 'stderr.log'}")
        return 1
    shutil.rmtree(directory)
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
