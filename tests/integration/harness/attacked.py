"""A server with small limits, which is attacked while good callers ask."""

import contextlib
import itertools
import pathlib
import tempfile

from harness.endpoint import basic
from hostile.callers import Mixture
from hostile.process import Attacker, write_targets

TIMEOUT_S = 1
SMALL_LIMITS = {
    "max_buffered": "256KiB",
    "max_headers": 50,
    "max_header_bytes": "8KiB",
    "http2_resets": 20,
    "http2_control_frames": 100,
}
SHORT_TIMEOUTS = dict.fromkeys(("handshake", "request", "response", "idle"), f"{TIMEOUT_S}s")
# What a sanitizer holds back for itself is far less than what an attack gets where there is no bound.
MAX_GROWTH_KIB = 160 * 1024
NEW_TOKENS = 300
PROTOCOLS = ("h1", "h2c", "tls-h2")


class Attacked:
    def __init__(self, world, start_server, limits=None, timeouts=None, **changes):
        changes = {"limits": {**SMALL_LIMITS, **(limits or {})}, "timeouts": {**SHORT_TIMEOUTS, **(timeouts or {})}, **changes}
        started = start_server(world.config(threads=1, cache={"max_bytes": "64KiB"}, **changes), all_listeners=True)
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
        assert callers.failed() == 0 and callers.answered() > 0, (callers.statuses(), callers.troubles()[:3])
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
