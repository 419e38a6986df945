"""Two hundred reloads while h2load asks on every protocol: no request fails, and memory does not grow."""

import contextlib
import itertools
import os

import pytest

from harness import expect, tokens
from harness.endpoint import FORM, Endpoint, basic, form_body
from harness.load import PROTOCOL_OPTIONS, HeldBackConnection, Load
from harness.reload import REFUSED, RELOADED, Reloads
from harness.server import free_port
from harness.world import OTHER, Client, make_certificate

RELOADS = 200
FIRST_MEASURED = 20
MAX_GROWTH_KB = 12 * 1024  # the sanitizers' own books grow too; without them it is less than 1 MB


@pytest.fixture
def without_quarantine(monkeypatch):
    """AddressSanitizer keeps freed memory, 256 MB of it, which would hide what grows."""
    options = [os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=1", "thread_local_quarantine_size_kb=64"]
    monkeypatch.setenv("ASAN_OPTIONS", ":".join(filter(None, options)))


def resident_kb(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def combined_pem():
    """Certificate and key in one file, so that they change together."""
    return b"".join(make_certificate())


class FileChanges:
    """Changes of files that a running service sees, each of which leaves every request under load a good one."""

    def __init__(self, world, reloads):
        self.world = world
        self.reloads = reloads
        self.certificates = itertools.cycle([combined_pem() for _ in range(3)])
        self.other_keys = itertools.cycle([[], [tokens.generate_key("p256", kid="next")], [tokens.generate_key("p256", kid="last")]])
        self.added = {"address": f"127.0.0.1:{free_port()}"}
        self.each = itertools.cycle([self.secrets, self.certificate, self.jwks, self.listener])

    def make_one(self):
        next(self.each)()

    def secrets(self):
        """The second of two secrets that overlap."""
        self.reloads.put("rotated-2.secret", Client("rotated").secret)

    def certificate(self):
        self.reloads.put("tls.pem", next(self.certificates))

    def jwks(self):
        self.reloads.put("other.json", tokens.jwks(self.world.other_key, *next(self.other_keys)))

    def listener(self):
        """One more, or one less; while it is there nothing is cached, so that each request waits to be decided."""

        def come_or_go(config):
            if self.added in config["listen"]:
                config["listen"].remove(self.added)
                del config["cache"]
            else:
                config["listen"].insert(0, self.added)
                config["cache"] = {"max_bytes": 0}

        self.reloads.change_config(come_or_go)


def test_reload_two_hundred_times_under_load(world, start_server, without_quarantine):
    started = start_server(files={"tls.pem": combined_pem()})
    reloads, directory = Reloads(started.server), started.server.directory
    secure_port = free_port()
    secure = {"certificate_file": "tls.pem", "private_key_file": "tls.pem"}
    reloads.accept_config(lambda config: config["listen"].append({"address": f"127.0.0.1:{secure_port}", "tls": secure}))
    endpoints = [*started.endpoints.values(), *(Endpoint(name, ("127.0.0.1", secure_port)) for name in ("tls-h1", "tls-h2"))]
    assert {endpoint.protocol for endpoint in endpoints} == set(PROTOCOL_OPTIONS)

    token = world.token("ES256", key=world.other_key, issuer=OTHER)
    loads = [Load(endpoint, token, world.rotated, directory, rate=250).start() for endpoint in endpoints]
    changes = FileChanges(world, reloads)
    try:
        for number in range(1, RELOADS + 1):
            if number % 2 == 0:
                reloads.accepted(changes.make_one)
            else:
                reloads.accepted(reloads.hang_up, trigger="signal")
            if number == FIRST_MEASURED:
                early_kb = resident_kb(started.server)
        late_kb = resident_kb(started.server)
    finally:
        for load in loads:
            load.stop()

    for load in loads:
        load.assert_all_succeeded(least_batches=3)
    assert len(started.server.find_log(event=RELOADED)) == RELOADS + 1
    assert started.server.find_log(event=REFUSED) == []
    print(f"{sum(load.answered() for load in loads)} requests, none failed; {early_kb} kB resident, {late_kb} kB at the end")
    assert late_kb - early_kb <= MAX_GROWTH_KB


def test_reload_while_requests_wait_to_be_decided(world, start_server):
    """Slow signatures and no cache: far more requests are there than are decided until the config changes."""
    started = start_server(world.config(cache={"max_bytes": 0}))
    reloads, endpoint = Reloads(started.server), started.endpoints["h2c"]
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)]
    body = form_body(("token", world.token("ES512")))
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(HeldBackConnection(endpoint)) for _ in range(10)]
            streams = [(each, each.start("POST", "/introspect", headers, body)) for each in connections for _ in range(90)]
            for connection in connections:
                connection.let_go()
            reloads.accepted(reloads.hang_up, trigger="signal")
            for connection, stream in streams:
                expect.is_active(connection.response(stream))
