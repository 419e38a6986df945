"""Pools of tokens that differ, made by bench/tokens.c, and one token by itself."""

import dataclasses
import sys
import time
from pathlib import Path

from servers import run


@dataclasses.dataclass
class Pool:
    path: Path
    count: int
    status: int  # that introspectd answers about its tokens
    sent: int = 0  # how far the runs that go through it in order have come

    def take(self, count):
        """Where the next run of `count` requests in order begins."""
        offset = self.sent % self.count
        self.sent += count
        return offset

    def first(self):
        with open(self.path, encoding="ascii") as file:
            return file.readline().strip()


class Pools:
    """Makes each pool when it is asked for the first time."""

    def __init__(self, workshop, settings):
        self.workshop, self.settings, self.made = workshop, settings, {}

    def make(self, name, algorithm, count, is_forged=False):
        if name not in self.made:
            path = self.workshop.folder / f"{name}.tokens"
            begun = time.monotonic()
            run(self.workshop.tool("tokens"), "--key", self.workshop.key(algorithm), "--claims", self.workshop.claims(algorithm),
                "--count", count, "--out", path, *(["--forged"] if is_forged else []))  # fmt: skip
            print(f"{count} tokens, {name}: {time.monotonic() - begun:.1f} s", file=sys.stderr)
            self.made[name] = Pool(path, count, 401 if is_forged else 200)
        return self.made[name]

    def of(self, algorithm):
        """More tokens than the cold server's cache holds."""
        return self.make(algorithm, algorithm, max(self.settings.cold_tokens, self.settings.pool_tokens))

    def forged(self):
        """More tokens than the cache keeps refusals; each is refused for its signature."""
        return self.make("forged", "RS256", self.settings.forged_tokens, is_forged=True)

    def many(self):
        """As many as the cache of the memory part is to hold; HS256, because a million of others take a minute to sign."""
        return self.make("many", "HS256", self.settings.entries)

    def request(self, body):
        """The body of a request about the one token of the hot case."""
        token = self.of("RS256").first()
        return "token=" + token if body == "form" else '{"token":"' + token + '"}'
