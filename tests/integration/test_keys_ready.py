"""/readyz with fetched keys, and what `explain` and `check` make of them."""

import json
import threading

import pytest

from harness import expect, fetched, tokens
from harness.authority import Authority
from harness.provider import Provider, answer, gated
from harness.server import run, wait_until, write_config

FIRST, SECOND = "https://first.example.com", "https://second.example.com"
KEY = fetched.new_key("key")


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def provider(authority):
    with Provider(authority.issue()) as made:
        yield made


@pytest.fixture
def gates(provider):
    """Both issuers' keys, each behind a gate."""
    made = {}
    for name in ("first", "second"):
        made[name] = threading.Event()
        provider.serve("/" + name, gated(made[name], answer(tokens.jwks(KEY))))
    yield made
    for gate in made.values():
        gate.set()


def entries(provider, **settings):
    return [fetched.issuer(FIRST, provider.url("/first"), **settings), fetched.issuer(SECOND, provider.url("/second"), **settings)]


def start(world, authority, provider, start_server, **changes):
    return start_server(fetched.config(world, entries(provider), **changes), {"ca.pem": authority.pem})


def test_ready_with_all(world, authority, provider, gates, start_server):
    """Listeners are up before any key is; each issuer is named until its keys are there."""
    running = start(world, authority, provider, start_server)
    status, problems, body = fetched.readyz(running)
    assert status == 503 and set(problems) == {FIRST, SECOND}
    assert body["ready"] is False and body["draining"] is False
    assert all(problem["problem"] == "no usable key" and problem["since"] for problem in problems.values())
    assert running.admin.request("GET", "/livez").status == 200
    expect.unavailable(running.endpoints["h1"].introspect(fetched.token(KEY, FIRST), world.rfc))
    expect.unavailable(running.endpoints["h2c"].introspect(fetched.token(KEY, FIRST), world.private))

    gates["first"].set()
    wait_until(lambda: set(fetched.readyz(running)[1]) == {SECOND})
    assert fetched.readyz(running)[0] == 503
    expect.is_active(running.endpoints["h1"].introspect(fetched.token(KEY, FIRST), world.rfc))
    expect.unavailable(running.endpoints["h1"].introspect(fetched.token(KEY, SECOND), world.rfc))

    gates["second"].set()
    wait_until(lambda: fetched.readyz(running)[0] == 200)
    assert fetched.readyz(running)[2] == {"ready": True, "draining": False, "issuers": []}
    expect.is_active(running.endpoints["h1"].introspect(fetched.token(KEY, SECOND), world.rfc))


def test_ready_with_any(world, authority, provider, gates, start_server):
    running = start(world, authority, provider, start_server, ready="any")
    status, problems, body = fetched.readyz(running)
    assert (status, set(problems), body["ready"]) == (503, {FIRST, SECOND}, False)
    gates["second"].set()
    wait_until(lambda: fetched.readyz(running)[0] == 200)
    status, problems, body = fetched.readyz(running)
    assert (set(problems), body["ready"]) == ({FIRST}, True), "what lacks keys is named all the same"
    expect.is_active(running.endpoints["h1"].introspect(fetched.token(KEY, SECOND), world.rfc))
    expect.unavailable(running.endpoints["h1"].introspect(fetched.token(KEY, FIRST), world.rfc))


def test_ready_with_any_of_fetched_and_read_keys(world, authority, provider, gates, start_server):
    """A file's keys count like those that are fetched."""
    read = {"issuer": "https://read.example.com", "jwks_file": "main.json", "algorithms": ["RS256"], "audience": "any"}
    config = fetched.config(world, [*entries(provider), read], ready="any")
    running = start_server(config, {"ca.pem": authority.pem})
    status, problems, _ = fetched.readyz(running)
    assert (status, set(problems)) == (200, {FIRST, SECOND})


def test_a_token_of_an_unknown_issuer_does_not_wait_for_keys(world, authority, provider, gates, start_server):
    running = start(world, authority, provider, start_server)
    expect.inactive(running.endpoints["h1"].introspect(fetched.token(KEY, "https://nobody.example.com"), world.rfc), 200)
    gates["first"].set()
    gates["second"].set()


def test_only_the_way_without_its_query_is_told(world, authority, provider, start_server):
    """A URL's query may hold what is nobody's business."""
    provider.serve("/told?ticket=hush-hush", answer(tokens.jwks(KEY)))
    provider.serve("/untold?ticket=hush-hush", answer("", 500))
    urls = [provider.url(path + "?ticket=hush-hush") for path in ("/told", "/untold")]
    issuers = [fetched.issuer(FIRST, urls[0]), fetched.issuer(SECOND, urls[1])]
    running = start_server(fetched.config(world, issuers), {"ca.pem": authority.pem})
    wait_until(lambda: fetched.changes(running, FIRST) and fetched.failures(running, SECOND))
    assert fetched.changes(running, FIRST)[0]["url"] == provider.url("/told")
    assert fetched.failures(running, SECOND)[0]["url"] == provider.url("/untold")
    assert "hush" not in running.server.stderr()
    assert b"hush" not in running.admin.request("GET", "/readyz").body


def test_a_client_certificate_or_credentials_are_never_sent(world, authority, provider, start_server):
    """A GET that asks for JSON and says nothing about us but the program's name."""
    provider.serve("/plain", answer(tokens.jwks(KEY)))
    running = start_server(fetched.config(world, [fetched.issuer(FIRST, provider.url("/plain"))]), {"ca.pem": authority.pem})
    wait_until(lambda: fetched.changes(running, FIRST))
    headers = provider.requests("/plain")[0].headers
    assert not {"authorization", "cookie", "referer"} & set(headers), headers
    assert headers["host"] == f"localhost:{provider.port}"
    assert "json" in headers["accept"]


# The commands


@pytest.fixture
def config_file(world, authority, directory, provider):
    for name in ("first", "second"):
        provider.serve("/" + name, answer(tokens.jwks(KEY)))
    return write_config(directory, fetched.config(world, entries(provider)), {**world.files, "ca.pem": authority.pem})


def explain(config_file, token, *arguments):
    return run("explain", "--config", config_file, *arguments, stdin=token)


def test_explain_fetches_the_keys(config_file, world):
    done = explain(config_file, fetched.token(KEY, FIRST), "--client", world.rfc.client_id)
    assert done.returncode == 0 and "active" in done.stdout, done
    done = explain(config_file, fetched.token(KEY, FIRST), "--client", world.rfc.client_id, "--json")
    assert done.returncode == 0 and json.loads(done.stdout), done


def test_explain_names_an_unknown_key(config_file, world):
    done = explain(config_file, fetched.token(fetched.new_key("nobody"), FIRST), "--client", world.rfc.client_id)
    assert done.returncode == 1 and "unknown_key" in done.stdout, done


def test_explain_without_a_provider(config_file, world, provider):
    """The one issuer that has no keys is said to have none, and why; the other one's tokens are explained."""
    provider.serve("/first", answer("", 500))
    done = explain(config_file, fetched.token(KEY, FIRST), "--client", world.rfc.client_id)
    assert done.returncode == 1, done
    assert "unavailable" in done.stdout and "keys_unavailable" in done.stdout, done
    assert "500" in done.stdout + done.stderr and FIRST in done.stdout + done.stderr, done
    done = explain(config_file, fetched.token(KEY, SECOND), "--client", world.rfc.client_id)
    assert done.returncode == 0, done


def test_explain_waits_no_longer_than_the_timeout(world, authority, directory, provider):
    provider.serve("/first", lambda exchange: exchange.wait_for_end())
    provider.serve("/second", answer(tokens.jwks(KEY)))
    config = fetched.config(world, entries(provider, fetch_timeout="1s"))
    path = write_config(directory, config, {**world.files, "ca.pem": authority.pem})
    done = explain(path, fetched.token(KEY, FIRST), "--client", world.rfc.client_id)
    assert done.returncode == 1 and "unavailable" in done.stdout, done


def test_check_asks_nobody(config_file, provider):
    """A config can be checked where the provider cannot be reached."""
    before = provider.connection_count
    done = run("check", "--config", config_file)
    assert done.returncode == 0, done
    assert provider.connection_count == before
