"""A server with small limits, which is attacked while good callers ask."""

import contextlib
import itertools
import os
import pathlib
import tempfile

import pytest

from harness import expect
from harness.endpoint import basic
from hostile.callers import Mixture
from hostile.process import Attacker, write_targets

SMALL_LIMITS = {
    "max_buffered": "256KiB",
    "max_headers": 50,
    "max_header_bytes": "8KiB",
    "http2_resets": 20,
    "http2_control_frames": 100,
}
# What is freed is handed out anew soon, so that the memory of a sanitized server says something too.
SANITIZER_OPTIONS = "quarantine_size_mb=4:thread_local_quarantine_size_kb=64"
MAX_GROWTH_KIB = 96 * 1024
NEW_TOKENS = 300
PROTOCOLS = ("h1", "h2c", "tls-h2")


class Attacked:
    def __init__(self, world, start_server, limits=None, timeouts=None, **changes):
        config = world.config(
            threads=1, cache={"max_bytes": "64KiB"}, limits={**SMALL_LIMITS, **(limits or {})}, timeouts=timeouts, **changes
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ASAN_OPTIONS", f"{os.environ.get('ASAN_OPTIONS', '')}:{SANITIZER_OPTIONS}".lstrip(":"))
            started = start_server(config, all_listeners=True)
        self.world, self.server, self.endpoints, self.admin = world, started.server, started.endpoints, started.admin
        self.folder = tempfile.TemporaryDirectory(prefix="introspectd-attacker-")
        known = basic(world.rfc.client_id, world.rfc.secret)[1]
        ports = self.endpoints["h1"].address[1], self.endpoints["tls-h1"].address[1]
        self.targets = write_targets(pathlib.Path(self.folder.name), *ports, known, world.token("ES256"))
        self.token = world.token("ES256")
        self.new_tokens = itertools.cycle([world.token("HS256") for _ in range(NEW_TOKENS)])

    def callers(self):
        chosen = [self.endpoints[name] for name in PROTOCOLS]
        return Mixture(chosen, self.world.rfc, self.token, lambda: next(self.new_tokens))

    def attack(self, name, seconds, **options):
        """Gives what the attacker saw; good callers asked meanwhile, and were answered."""
        before_kib = self.rss_kib()
        with contextlib.ExitStack() as stack:
            attacker = stack.enter_context(Attacker(name, self.targets, seconds, nice=0, **options))
            callers = stack.enter_context(self.callers())
            attacker.begin()
            outcome = attacker.outcome()
        assert self.is_running(), self.server.stderr()[-5000:]
        assert outcome["opened"] > 0, outcome
        expect.all_served(callers)
        assert self.rss_kib() - before_kib < MAX_GROWTH_KIB, outcome
        self.server.log()  # whose lines must all be JSON
        return outcome, callers

    def is_running(self):
        return self.server.process.poll() is None

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def refusals(self, limit):
        """How often that limit was reached, by the metrics."""
        text = self.admin.request("GET", "/metrics").body.decode()
        name = f'introspectd_refusals_total{{limit="{limit}"}} '
        lines = [line for line in text.splitlines() if line.startswith(name)]
        assert len(lines) == 1, text
        return float(lines[0].removeprefix(name))
