"""Reloads at a bad moment: callers in a herd, a stop, providers that fail, files that are no files, a lack of descriptors."""

import os
import re
import resource
import socket
import subprocess
import threading

import pytest

from harness import expect, fetched, tokens
from harness.authority import Authority
from harness.endpoint import FORM, basic, form_body
from harness.provider import Provider, answer, gated
from harness.reload import Reloads
from harness.server import accepts, free_port, wait_until
from harness.world import Client

ISSUER, NEW_ISSUER = "https://present.example.com", "https://new.example.com"
KEY = fetched.new_key("key")
SECRET_FILE = "client-resource-server.secret"


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def provider(authority):
    with Provider(authority.issue()) as made:
        made.serve("/jwks", answer(tokens.jwks(KEY)))
        yield made


@pytest.fixture
def running(world, authority, provider, start_server):
    """A server with one issuer, whose keys are there."""
    config = fetched.config(world, [fetched.issuer(ISSUER, provider.url("/jwks"), cooldown="1h", refresh_min="1h")])
    made = start_server(config, {"ca.pem": authority.pem})
    wait_until(lambda: fetched.readyz(made)[0] == 200)
    return made


def introspect(world, running):
    return running.endpoints["h1"].introspect(fetched.token(KEY, ISSUER), world.rfc)


def test_nothing_is_accepted_in_a_drain_after_a_reload(world, start_server):
    started = start_server()
    reloads = Reloads(started.server)
    reloads.accepted(reloads.hang_up, trigger="signal")
    endpoint = started.endpoints["h1"]
    with socket.create_connection(endpoint.address) as in_flight:
        in_flight.sendall(b"POST /introspect HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        expect.is_active(endpoint.introspect(world.token(), world.rfc))
        started.server.signal()
        wait_until(lambda: not accepts(endpoint.address))
        assert started.server.process.poll() is None, "the request in flight still holds it"


def test_a_herd_with_one_new_token(world, start_server):
    """Thousands of requests with a token that no cache knows any more are one verification, not a full queue."""
    started = start_server(world.config(threads=1))
    reloads = Reloads(started.server)
    (started.server.directory / "body").write_bytes(form_body(("token", world.token())))
    name, value = basic(world.rfc.client_id, world.rfc.secret)
    command = ["h2load", "-n", "60000", "-c", "30", "-m", "100", "-t", "1", "-d", started.server.directory / "body", "-H", f"{name}: {value}"]
    command += ["-H", f"Content-Type: {FORM}", f"http://127.0.0.1:{started.endpoints['h1'].address[1]}/introspect"]
    load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while load.poll() is None:
        reloads.accepted(reloads.hang_up, trigger="signal")
    told = load.stdout.read()
    load.stdout.close()
    assert re.search(r"status codes: 60000 2xx", told), told


def test_a_place_without_keys_replaces_none_that_has_some(world, provider, running):
    reloads = Reloads(running.server)
    provider.serve("/broken", answer("", status=500))
    error = reloads.refuse_config(lambda config: config["issuers"][0].update(jwks_url=provider.url("/broken")))
    assert re.match(rf"{reloads.server.config_file}:\d+: issuers\[0\]: no usable key any more: .*/broken: status 500", error), error
    expect.is_active(introspect(world, running))
    # Once the place has them it is taken, without a further change.
    reloads.accepted(lambda: provider.serve("/broken", answer(tokens.jwks(KEY))))
    expect.is_active(introspect(world, running))


def test_a_refused_config_costs_no_further_fetch(world, authority, provider, running):
    """The attempts of a reload share the new issuer's source."""
    reloads = Reloads(running.server)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()

        def change(config):
            config["issuers"].append(fetched.issuer(NEW_ISSUER, provider.url("/new"), cooldown="1h", refresh_min="1h"))
            config["listen"].append({"address": "{}:{}".format(*taken.getsockname())})

        provider.serve("/new", answer(tokens.jwks(KEY)))
        error = reloads.refuse_config(change)
        assert re.match(rf"{reloads.server.config_file}:\d+: listen\[1\].address: .*Address already in use", error), error
    reloads.accepted(lambda: None)
    assert provider.count("/new") == 1
    assert len(reloads.outcomes()) == 2, "the same reason is logged once"


def test_signals_do_not_put_a_reload_off(world, authority, provider, running):
    """Nor does each cost a fetch of a new issuer's keys."""
    reloads = Reloads(running.server)
    gate = threading.Event()
    provider.serve("/slow", gated(gate, answer(tokens.jwks(KEY))))
    reloads.change_config(lambda config: config["issuers"].append(fetched.issuer(NEW_ISSUER, provider.url("/slow"), cooldown="1h")))
    wait_until(lambda: provider.count("/slow") == 1)

    def hang_up_until_there_is_an_outcome():
        reloads.hang_up()
        return reloads.outcomes()

    wait_until(hang_up_until_there_is_an_outcome, every_s=0.3)
    assert provider.count("/slow") == 1
    gate.set()


@pytest.mark.parametrize("name", [SECRET_FILE, "main.json"])
def test_a_pipe_in_the_place_of_a_file(world, start_server, name):
    started = start_server()
    reloads = Reloads(started.server)
    kept = (reloads.directory / name).read_bytes()

    def exchange():
        (reloads.directory / name).unlink()
        os.mkfifo(reloads.directory / name)

    assert "not a regular file" in reloads.refused(exchange)
    expect.is_active(started.endpoints["h1"].introspect(world.token(), world.rfc))

    def give_back():
        (reloads.directory / name).unlink()
        reloads.put(name, kept)

    reloads.accepted(give_back)


def test_a_secret_exchanged_without_a_descriptor_left(world, start_server):
    started = start_server()
    reloads = Reloads(started.server)
    changed = Client(world.rfc.client_id)
    pid = started.server.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), limits[1]))
    reloads.refused(lambda: reloads.put(SECRET_FILE, changed.secret))
    reloads.accepted(lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, limits))
    expect.is_active(started.endpoints["h1"].introspect(world.token(), changed))


@pytest.mark.parametrize("length", range(60, 64))
def test_the_reason_stands_in_a_refusal_with_a_long_path(world, start_server, length):
    """Wherever the text is cut, it is a text, and names the cause."""
    started = start_server()
    reloads = Reloads(started.server)
    name = "x" * (length % 4) + "ü" * length + "/" + "é" * length
    (reloads.directory / name).parent.mkdir()
    reloads.put(name, "no certificate")
    listener = {"address": f"127.0.0.1:{free_port()}", "tls": {"certificate_file": name, "private_key_file": "tls.key"}}
    error = reloads.refuse_config(lambda config: config["listen"].append(listener))
    assert "listen[1].tls: not a PEM certificate chain" in error, error


def test_since_when_keys_are_lacking_outlives_reloads(world, authority, provider, start_server):
    provider.serve("/down", answer("", status=500))
    config = fetched.config(world, [fetched.issuer(ISSUER, provider.url("/down"))])
    config["issuers"].append({**world.issuers()[0], "jwks_file": "none.json"})
    running = start_server(config, {"ca.pem": authority.pem, "none.json": '{"keys":[]}'})
    reloads = Reloads(running.server)
    wait_until(lambda: running.server.find_log(event="keys_refresh_failed"))
    before = {issuer: problem["since"] for issuer, problem in fetched.readyz(running)[1].items()}
    assert len(before) == 2
    wait_until(lambda: len({event["time"][:19] for event in running.server.log()}) > 1)  # a second has gone
    reloads.accept_config(lambda config: config["issuers"][0].update(cooldown="7s"))
    problems = fetched.readyz(running)[1]
    assert {issuer: problem["since"] for issuer, problem in problems.items()} == before
    assert all(problem["detail"] for problem in problems.values()), problems
