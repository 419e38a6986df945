"""The filter of system calls: all that the server does it can do under it."""

import os
import pathlib
import signal
import tempfile

import pytest

from harness import expect, fetched, tokens
from harness.authority import Authority
from harness.confined import GID, UID, Starter, is_of_user, threads
from harness.endpoint import FORM, Endpoint, form_body
from harness.provider import Provider, answer
from harness.reload import Reloads
from harness.server import UNSANITIZED_BINARY, accepts, free_port, wait_until

pytestmark = pytest.mark.skipif(
    not os.access(UNSANITIZED_BINARY, os.X_OK),
    reason=f"sanitizers need more system calls, and there is no binary without them at {UNSANITIZED_BINARY}",
)

FILTERED = "2"  # SECCOMP_MODE_FILTER
DISCOVERY_PATH = "/.well-known/openid-configuration"
BY_URL, NOWHERE = "https://by-url.example", "https://nowhere.example"


@pytest.fixture
def starter(world):
    made = Starter(world, pathlib.Path(tempfile.mkdtemp(prefix="introspectd-")))
    yield made
    made.end()


@pytest.fixture
def provider():
    authority = Authority()
    with Provider(authority.issue()) as made:
        made.authority = authority
        yield made


def start(starter, config, **changes):
    return starter.start({**config, "seccomp": True}, binary=UNSANITIZED_BINARY, **changes)


def is_filtered(server):
    assert {(thread["Seccomp"][0], thread["NoNewPrivs"][0]) for thread in threads(server.process.pid)} == {(FILTERED, "1")}
    return True


def serves_everywhere(starter):
    for endpoint in starter.endpoints.values():
        for algorithm in ("HS256", "RS256", "PS256", "ES256", "EdDSA"):
            expect.is_active(endpoint.introspect(starter.world.token(algorithm), starter.world.rfc))
        expect.inactive(endpoint.introspect("not.a.token", starter.world.rfc, "json"), 200)


def test_serving_and_stopping(world, starter):
    server = start(starter, world.config())
    assert is_filtered(server)
    serves_everywhere(starter)
    assert starter.admin.request("GET", "/readyz").status == 200
    server.stop()
    assert not os.path.exists(starter.endpoints["unix"].address)


def test_what_operators_are_shown(world, starter):
    server = start(starter, world.config())
    assert is_filtered(server)
    for path in ("/", "/status.json", "/metrics"):
        assert starter.admin.request("GET", path).status == 200
    form = form_body(("token", world.token("RS256")), ("client_id", world.rfc.client_id))
    assert b'"verdict": "active"' in starter.admin.request("POST", "/explain", [("Content-Type", FORM)], form).body


def test_many_connections(world, starter):
    server = start(starter, world.config())
    endpoint = starter.endpoints["tls-h2"]
    connections = [endpoint.connect() for _ in range(200)]
    for connection in connections:
        expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=connection))
    for connection in connections:
        connection.close()
    assert is_filtered(server)


def test_reloading(world, starter):
    """Files that change, sockets that come and go, and core files, which are a matter of system calls too."""
    server = start(starter, world.config())
    reloads = Reloads(server)
    reloads.accepted(reloads.hang_up, "signal")
    added, socket_path = Endpoint("h1", ("127.0.0.1", free_port())), str(starter.directory / "more.sock")
    more = [{"address": f"127.0.0.1:{added.address[1]}"}, {"address": f"unix:{socket_path}"}]
    reloads.accept_config(lambda config: config.update(core_dumps=False, listen=config["listen"] + more))
    expect.is_active(added.introspect(world.token(), world.rfc))
    expect.is_active(Endpoint("unix", socket_path).introspect(world.token(), world.rfc))
    reloads.accept_config(lambda config: config.update(core_dumps=True, listen=config["listen"][: -len(more)]))
    assert not accepts(added.address) and not os.path.exists(socket_path)
    reloads.refuse_config(lambda config: config.update(threads=-1))
    reloads.accept_config(lambda config: config.update(threads=1))
    serves_everywhere(starter)
    assert is_filtered(server)


def discovered_issuer(provider):
    provider.serve(DISCOVERY_PATH, answer(f'{{"issuer":"{provider.origin}","jwks_uri":"{provider.url("/found")}"}}'))
    return fetched.issuer(provider.origin)


def test_fetching_keys(world, starter, provider):
    """By URL and by discovery over TLS, with names that resolve and one that does not; a rotation, and an issuer that is added."""
    key, next_key = fetched.new_key("good"), fetched.new_key("next")
    provider.serve("/keys", answer(tokens.jwks(key)))
    provider.serve("/found", answer(tokens.jwks(key)))
    by_url = fetched.issuer(BY_URL, provider.url("/keys"))
    nowhere = fetched.issuer(NOWHERE, "https://no-such-host.invalid/keys", connect_timeout="1s", fetch_timeout="1s")
    config = fetched.config(world, [by_url, nowhere], ready="any")
    server = start(starter, config, files={"ca.pem": provider.authority.pem})
    endpoint = starter.endpoints["h1"]
    fetched.becomes_active(endpoint, fetched.token(key, BY_URL), world.rfc)
    provider.serve("/keys", answer(tokens.jwks(key, next_key)))
    fetched.becomes_active(endpoint, fetched.token(next_key, BY_URL), world.rfc)
    wait_until(lambda: server.find_log(event="keys_refresh_failed", issuer=NOWHERE))
    Reloads(server).accept_config(lambda config: config["issuers"].append(discovered_issuer(provider)))
    fetched.becomes_active(endpoint, fetched.token(key, provider.origin), world.rfc)
    assert is_filtered(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_after_root_was_given_up(world, starter, provider):
    key = fetched.new_key("good")
    provider.serve("/keys", answer(tokens.jwks(key)))
    issuer = fetched.issuer(BY_URL, provider.url("/keys"))
    config = world.config(issuers=[*world.issuers(), issuer], user=f"{UID}:{GID}")
    server = start(starter, config, files={"ca.pem": provider.authority.pem}, owner=(UID, GID))
    assert is_filtered(server) and is_of_user(server.process.pid, UID, GID)
    serves_everywhere(starter)
    fetched.becomes_active(starter.endpoints["h1"], fetched.token(key, BY_URL), world.rfc)
    reloads = Reloads(server)
    reloads.accepted(reloads.hang_up, "signal")
    serves_everywhere(starter)
    server.stop()
    assert not os.path.exists(starter.endpoints["unix"].address)


def test_access_log(world, starter):
    """Its file is opened anew, and exchanged by a reload; no other way of writing to a file comes with that."""
    server = start(starter, world.config(access_log={"file": "access.log"}))
    path = starter.directory / "access.log"
    endpoint = starter.endpoints["h1"]
    endpoint.introspect(world.token(), world.rfc)
    wait_until(lambda: path.read_text().count("\n") == 1)
    os.rename(path, starter.directory / "access.log.1")
    server.signal(signal.SIGUSR1)
    wait_until(lambda: server.find_log(event="access_log_reopened"))
    endpoint.introspect(world.token(), world.rfc)
    wait_until(lambda: path.read_text().count("\n") == 1)
    Reloads(server).accept_config(lambda config: config["access_log"].update(file="other.log"))
    endpoint.introspect(world.token(), world.rfc)
    wait_until(lambda: (starter.directory / "other.log").read_text().count("\n") == 1)
    assert is_filtered(server)


def test_access_log_that_comes_later(world, starter):
    """A file cannot be opened for writing by a process that started without one; a stream is open already."""
    server = start(starter, world.config())
    reloads = Reloads(server)
    error = reloads.refuse_config(lambda config: config.update(access_log={"file": "access.log"}))
    assert error.endswith("/access.log: cannot be opened for writing: Operation not permitted"), error
    assert not (starter.directory / "access.log").exists()
    reloads.accept_config(lambda config: config.update(access_log={"file": "stderr"}))
    starter.endpoints["h1"].introspect(world.token(), world.rfc)
    wait_until(lambda: server.find_log(event="request"))


def test_it_waits_for_the_next_start(world, starter):
    server = start(starter, world.config())
    Reloads(server).accept_config(lambda config: config.pop("seccomp"))
    assert [event["note"] for event in server.find_log(event="config_note")] == ["seccomp: takes effect at the next start"]
    assert is_filtered(server)
