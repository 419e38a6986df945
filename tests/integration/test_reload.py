"""Everything that the config names is taken anew while the server serves: what was decided before is not served after."""

import json
import pathlib
import socket

import pytest

from harness import expect, tokens
from harness.endpoint import FORM, PROTOCOLS, Endpoint, basic, form_body, parse_json
from harness.http1 import request_bytes
from harness.reload import RELOADED, Reloads
from harness.server import Server, free_port, wait_until
from harness.world import AUDIENCE, OTHER, Client, make_certificate

SECRET_FILE = "client-resource-server.secret"


@pytest.fixture
def plain(start_server):
    return start_server()


@pytest.fixture
def reloads(plain):
    return Reloads(plain.server)


@pytest.fixture
def h1(plain):
    return plain.endpoints["h1"]


def begin_introspection(connection, token, client):
    """Sends all but the last bytes of a request, and gives what sends the rest and reads the answer."""
    headers = [basic(client.client_id, client.secret), ("Content-Type", FORM)]
    body = form_body(("token", token))
    if connection.version == "HTTP/2":
        stream = connection.start("POST", "/introspect", headers, body[:-20], ends=False)
        connection.request("GET", "/introspect")  # once this is answered, the server has what came before

        def finish():
            connection.finish(stream, body[-20:])
            return connection.response(stream)

    else:
        data = request_bytes("POST", "/introspect", headers, body)
        connection.request("GET", "/introspect")
        connection.send(data[:-20])

        def finish():
            connection.send(data[-20:])
            return connection.read_response()

    return finish


# What starts a reload


def test_signal_with_nothing_changed(world, plain, reloads, h1):
    token = world.token()
    with h1.connect() as connection:
        expect.is_active(h1.introspect(token, world.rfc, connection=connection))
        event = reloads.accepted(reloads.hang_up, trigger="signal")
        expect.is_active(h1.introspect(token, world.rfc, connection=connection))
    config = reloads.config()
    assert event | {"time": ""} == {
        "time": "",
        "level": "info",
        "event": "config_reloaded",
        "trigger": "signal",
        "config": str(plain.server.config_file),
        "issuers": len(config["issuers"]),
        "clients": len(config["clients"]),
        "listeners": len(config["listen"]),
    }
    assert plain.server.find_log(event="no_longer_listening") == []
    assert len(plain.server.find_log(event="listening")) == 2
    assert plain.admin.request("GET", "/readyz").status == 200


def unreachable_issuer(**more):
    return {
        "issuer": "https://fetched.example.com", "jwks_url": f"https://127.0.0.1:{free_port()}/jwks", "algorithms": ["RS256"],
        "audience": "any", **more,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["introspectd.yaml", SECRET_FILE, "rotated-2.secret", "other.json", "tls.crt", "tls.key", "ca.pem"])
def test_change_of_any_file_that_is_named(world, start_server, name):
    config = world.config()
    config["issuers"].append(unreachable_issuer(ca_file="ca.pem"))
    reloads = Reloads(start_server(config, {"ca.pem": world.certificate}, all_listeners=True).server)
    reloads.accept_file(name, (reloads.directory / name).read_bytes())


def test_change_of_another_file_beside_them(reloads):
    reloads.put("unrelated", "nothing")
    reloads.put(".introspectd.yaml.swp", "an editor's")
    reloads.accept_file(SECRET_FILE, "another secret")
    assert len(reloads.outcomes()) == 1


def test_file_written_in_its_place(world, reloads, h1):
    renewed = Client(world.rfc.client_id)
    reloads.accepted(lambda: (reloads.directory / SECRET_FILE).write_text(renewed.secret))
    expect.is_active(h1.introspect(world.token(), renewed))


def test_many_changes_in_a_row_end_in_the_last_one(world, reloads, h1):
    token = world.token()
    for number in range(50):
        reloads.change_config(lambda config: reloads.client(config, world.rfc.client_id).update(fields={"number": f"{number}-{{sub}}"}))
        if number % 10 == 0:
            reloads.hang_up()
    wait_until(lambda: parse_json(h1.introspect(token, world.rfc).body).get("number", "").startswith("49-"))
    # A reload that the changes before caused may come first.
    reloads.change_config(lambda config: reloads.client(config, world.rfc.client_id).update(fields={"number": "last-{sub}"}))
    wait_until(lambda: parse_json(h1.introspect(token, world.rfc).body)["number"].startswith("last-"))
    assert {event["event"] for event in reloads.outcomes()} == {RELOADED}


def test_many_signals_in_a_row(world, reloads, h1):
    for _ in range(100):
        reloads.hang_up()
    wait_until(reloads.outcomes)
    expect.is_active(h1.introspect(world.token(), world.rfc))
    reloads.put(SECRET_FILE, Client("any").secret)
    # The last of the signals may be what takes it.
    wait_until(lambda: h1.introspect(world.token(), world.rfc).status == 401)
    expect.invalid_client(h1.introspect(world.token(), world.rfc))


def test_stop_right_after_a_change(plain, reloads):
    reloads.hang_up()
    reloads.put(SECRET_FILE, "another secret")
    plain.server.stop()


def test_config_named_by_a_relative_path(world, directory, monkeypatch):
    port = free_port()
    server = Server(directory, world.config(listen=[{"address": f"127.0.0.1:{port}"}]), world.files, [("127.0.0.1", port)])
    monkeypatch.chdir(directory)
    server.config_file = pathlib.Path("introspectd.yaml")
    server.start()
    reloads = Reloads(server)
    event = reloads.accept_config(lambda config: config["clients"].remove(reloads.client(config, world.rfc.client_id)))
    assert event["config"] == "introspectd.yaml"
    expect.invalid_client(Endpoint("h1", ("127.0.0.1", port)).introspect(world.token(), world.rfc))
    reloads.accept_file("other.json", tokens.jwks(world.other_key))
    server.stop()


# Keys of a new issuer are waited for


@pytest.fixture
def silent_provider():
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(20)
        yield sock


def slow_issuer(silent_provider):
    url = f"http://127.0.0.1:{silent_provider.getsockname()[1]}/jwks"
    return {"issuer": "https://slow.example.com", "jwks_url": url, "allow_http": True, "algorithms": ["RS256"], "audience": "any"}


def test_old_config_serves_while_keys_are_waited_for(world, reloads, h1, plain, silent_provider):
    reloads.change_config(lambda config: config["issuers"].append(slow_issuer(silent_provider)))
    connection, _ = silent_provider.accept()
    with connection:
        expect.is_active(h1.introspect(world.token(), world.rfc))
        assert plain.admin.request("GET", "/readyz").status == 200 and reloads.outcomes() == []
    # It has hung up: the keys cannot be had now, and the rest of the config is good.
    (event,) = wait_until(reloads.outcomes)
    assert event["event"] == RELOADED
    assert plain.admin.request("GET", "/readyz").status == 503


def test_next_change_takes_the_place_of_a_reload_that_waits(world, reloads, h1, silent_provider):
    before = reloads.server.config_file.read_text()
    reloads.change_config(lambda config: config["issuers"].append(slow_issuer(silent_provider)))
    connection, _ = silent_provider.accept()
    with connection:
        event = reloads.accepted(lambda: reloads.put_config(before))
        assert event["issuers"] == len(reloads.config()["issuers"])
        expect.is_active(h1.introspect(world.token(), world.rfc))


def test_stop_while_keys_are_waited_for(plain, reloads, silent_provider):
    reloads.change_config(lambda config: config["issuers"].append(slow_issuer(silent_provider)))
    connection, _ = silent_provider.accept()
    with connection:
        plain.server.signal()
        assert plain.server.wait(8) == 0
    assert reloads.outcomes() == []


# Clients and their secrets


def test_new_secret_and_the_old_one_refused(world, reloads, h1):
    token, renewed = world.token(), Client(world.rfc.client_id)
    with h1.connect() as connection:
        expect.is_active(h1.introspect(token, world.rfc, connection=connection))
        expect.invalid_client(h1.introspect(token, renewed, connection=connection))
        reloads.accept_file(SECRET_FILE, renewed.secret)
        for _ in range(2):
            expect.invalid_client(h1.introspect(token, world.rfc, connection=connection))
            expect.is_active(h1.introspect(token, renewed, connection=connection))
    assert renewed.secret not in reloads.server.stderr() and world.rfc.secret not in reloads.server.stderr()


def test_two_secrets_overlap_during_a_rotation(world, reloads, h1):
    token, renewed = world.token(), Client(world.rfc.client_id)

    def secret_files(*names):
        return lambda config: reloads.client(config, world.rfc.client_id).update(client_secret_files=list(names))

    reloads.put("next.secret", renewed.secret)
    reloads.accept_config(secret_files(SECRET_FILE, "next.secret"))
    for client in (world.rfc, renewed):
        expect.is_active(h1.introspect(token, client))
    reloads.accept_config(secret_files("next.secret"))
    expect.invalid_client(h1.introspect(token, world.rfc))
    expect.is_active(h1.introspect(token, renewed))


def test_removed_client(world, reloads, h1):
    token = world.token()
    with h1.connect() as connection:
        expect.is_active(h1.introspect(token, world.rfc, connection=connection))
        reloads.accept_config(lambda config: config["clients"].remove(reloads.client(config, world.rfc.client_id)))
        expect.invalid_client(h1.introspect(token, world.rfc, connection=connection))
        expect.is_active(h1.introspect(token, world.private, connection=connection))


def test_added_client(world, reloads, h1):
    added = Client("added")
    expect.invalid_client(h1.introspect(world.token(), added))
    reloads.put("added.secret", added.secret)
    entry = {"client_id": "added", "client_secret_files": ["added.secret"], "profile": "rfc7662"}
    reloads.accept_config(lambda config: config["clients"].append(entry))
    expect.is_active(h1.introspect(world.token(), added))


# Verdicts that were decided, and cached, under the old config


def other_profile(config, entry):
    entry.update(profile="front_shared")


def other_fields(config, entry):
    entry.update(fields={"front_channel_name": "front_channel_address"})


def other_issuers(config, entry):
    entry.update(issuers=[OTHER])


def other_audience(config, entry):
    config["issuers"][0]["audience"] = ["https://somewhere.else.example.com"]


def other_algorithms(config, entry):
    config["issuers"][0]["algorithms"] = ["ES256"]


def another_claim_required(config, entry):
    config["issuers"][0]["require"] = {"front_channel_name": "Somebody else"}


def issuer_removed(config, entry):
    del config["issuers"][0]


def shorter_tokens(config, entry):
    config["limits"]["max_token"] = "256"


NAMED = {"front_channel_name": "Acme Support", "front_channel_address": "acme-support-1"}
OWNED = {"resource_owner_id": "owner-42", "resource_owner_name": "Ada Lovelace"}
INACTIVE = None

CHANGES = {
    "profile": (other_profile, OWNED),
    "fields": (other_fields, {**NAMED, "front_channel_name": "acme-support-1"}),
    "issuers of the client": (other_issuers, INACTIVE),
    "audience": (other_audience, INACTIVE),
    "algorithms": (other_algorithms, INACTIVE),
    "required claim": (another_claim_required, INACTIVE),
    "issuer removed": (issuer_removed, INACTIVE),
    "limit of a token": (shorter_tokens, INACTIVE),
}


@pytest.mark.parametrize("name", CHANGES)
def test_cached_verdict_is_not_served_under_another_config(world, reloads, h1, name):
    """There and back again, on one connection whose every answer came from the cache before."""
    change, after = CHANGES[name]
    before_text = reloads.server.config_file.read_text()
    token = world.token()

    def expect_answer(connection, members):
        for _ in range(3):
            response = h1.introspect(token, world.private, connection=connection)
            if members is INACTIVE:
                expect.inactive(response, 401)
            else:
                expect.active(response, **members)

    with h1.connect() as connection:
        expect_answer(connection, NAMED)
        reloads.accept_config(lambda config: change(config, reloads.client(config, world.private.client_id)))
        expect_answer(connection, after)
        reloads.accepted(lambda: reloads.put_config(before_text))
        expect_answer(connection, NAMED)


def test_cached_refusal_is_not_served_under_another_config(world, reloads, h1):
    token = world.token(aud="https://not.yet.example.com")
    for _ in range(2):
        expect.inactive(h1.introspect(token, world.private), 401)
    reloads.accept_config(lambda config: config["issuers"][0]["audience"].append("https://not.yet.example.com"))
    expect.is_active(h1.introspect(token, world.private))


# Keys


def token_of_other(key):
    return tokens.sign(key, "ES256", tokens.claims(OTHER, AUDIENCE))


def test_jwks_file_exchanged(world, reloads, h1):
    kept, removed, added = (tokens.generate_key("p256", kid=name) for name in ("kept", "removed", "added"))
    of_kept, of_removed, of_added = (token_of_other(key) for key in (kept, removed, added))
    reloads.accept_file("other.json", tokens.jwks(kept, removed))
    for _ in range(2):
        expect.is_active(h1.introspect(of_kept, world.rfc))
        expect.is_active(h1.introspect(of_removed, world.rfc))
        expect.inactive(h1.introspect(of_added, world.rfc), 200)
    reloads.accept_file("other.json", tokens.jwks(kept, added))
    for _ in range(2):
        expect.is_active(h1.introspect(of_kept, world.rfc))
        expect.is_active(h1.introspect(of_added, world.rfc))
        expect.inactive(h1.introspect(of_removed, world.rfc), 200)


def test_another_key_under_the_same_kid(world, reloads, h1):
    first, second = tokens.generate_key("p256", kid="one"), tokens.generate_key("p256", kid="one")
    old, new = token_of_other(first), token_of_other(second)
    reloads.accept_file("other.json", tokens.jwks(first))
    expect.is_active(h1.introspect(old, world.rfc))
    expect.inactive(h1.introspect(new, world.rfc), 200)
    reloads.accept_file("other.json", tokens.jwks(second))
    expect.inactive(h1.introspect(old, world.rfc), 200)
    expect.is_active(h1.introspect(new, world.rfc))


def test_issuer_that_gets_its_first_keys(world, start_server):
    started = start_server(files={"other.json": '{"keys":[]}'})
    reloads = Reloads(started.server)
    assert started.admin.request("GET", "/readyz").status == 503
    reloads.accept_file("other.json", tokens.jwks(world.other_key))
    assert started.admin.request("GET", "/readyz").status == 200
    token = world.token("ES256", key=world.other_key, issuer=OTHER)
    expect.is_active(started.endpoints["h1"].introspect(token, world.rfc))


def test_readiness_follows_the_config(world, plain, reloads):
    reloads.put("empty.json", '{"keys":[]}')
    fresh = {"issuer": "https://fresh.example.com", "jwks_file": "empty.json", "algorithms": ["RS256"], "audience": "any"}
    reloads.accept_config(lambda config: config["issuers"].append(fresh))
    response = plain.admin.request("GET", "/readyz")
    assert response.status == 503
    assert [problem["issuer"] for problem in parse_json(response.body)["issuers"]] == ["https://fresh.example.com"]
    reloads.accept_config(lambda config: config.update(ready="any"))
    assert plain.admin.request("GET", "/readyz").status == 200
    reloads.accept_config(lambda config: (config.pop("ready"), config["issuers"].pop()))
    assert plain.admin.request("GET", "/readyz").status == 200


# The rest of the config


def test_another_path(world, reloads, h1):
    headers, body = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)], form_body(("token", world.token()))
    with h1.connect() as connection:
        expect.invalid_request(connection.request("POST", "/oauth2/introspect", headers, body), 404)
        reloads.accept_config(lambda config: config.update(path="/oauth2/introspect"))
        expect.is_active(connection.request("POST", "/oauth2/introspect", headers, body))
        expect.invalid_request(connection.request("POST", "/introspect", headers, body), 404)


@pytest.mark.parametrize("protocol", ["h1", "h2c"])
def test_another_limit_of_bodies(world, plain, reloads, protocol):
    endpoint = plain.endpoints[protocol]
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)]

    def post(connection, size):
        body = form_body(("token", world.token()), ("filler", ""))
        return connection.request("POST", "/introspect", headers, body + b"x" * (size - len(body)))

    with endpoint.connect() as connection:
        expect.is_active(post(connection, 60 * 1024))
        reloads.accept_config(lambda config: config["limits"].update(max_body="20KiB"))
        expect.is_active(post(connection, 20 * 1024))
    with endpoint.connect() as connection:
        expect.invalid_request(post(connection, 20 * 1024 + 1), 413)
    # More than the old limit, and the library's with it.
    reloads.accept_config(lambda config: config["limits"].update(max_body="8MiB"))
    with endpoint.connect() as connection:
        expect.is_active(post(connection, 7 * 1024 * 1024))


def test_longer_tokens(world, reloads, h1):
    token = world.token(filler="x" * 16 * 1024)
    expect.inactive(h1.introspect(token, world.rfc), 200)
    reloads.accept_config(lambda config: config["limits"].update(max_token="32KiB"))
    expect.is_active(h1.introspect(token, world.rfc))


@pytest.mark.parametrize("cache", [{"max_bytes": 0}, {"max_bytes": "64KiB", "stripes": 1}, {"max_ttl": "1s"}])
def test_another_cache(world, reloads, h1, cache):
    token = world.token()
    reloads.accept_config(lambda config: config.update(cache=cache))
    for _ in range(3):
        expect.is_active(h1.introspect(token, world.rfc))


def test_number_of_threads_waits_for_the_next_start(world, plain, reloads, h1):
    def notes():
        return [event for event in plain.server.find_log(event="config_note", level="warn") if "threads" in event["note"]]

    reloads.accepted(reloads.hang_up, trigger="signal")
    assert notes() == []
    reloads.accept_config(lambda config: config.update(threads=3))
    (note,) = notes()
    assert "next start" in note["note"]
    reloads.accepted(reloads.hang_up, trigger="signal")
    assert len(notes()) == 2
    reloads.accept_config(lambda config: config.update(threads=2))
    assert len(notes()) == 2, "two threads run"
    expect.is_active(h1.introspect(world.token(), world.rfc))


def test_notes_are_logged_again(world, plain, reloads):
    private = tokens.private_jwk(world.other_key)
    assert plain.server.find_log(event="config_note", level="warn") == []
    reloads.accept_file("other.json", json.dumps({"keys": [private]}))
    assert plain.server.find_log(event="config_note", level="warn"), plain.server.stderr()
    assert private["d"] not in plain.server.stderr()


# Requests under way


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_request_under_way_is_answered_under_the_new_config(world, start_server, protocol):
    started = start_server(all_listeners=True)
    reloads, endpoint = Reloads(started.server), started.endpoints[protocol]
    fields = {"front_channel_name": "front_channel_address"}
    with endpoint.connect() as connection, endpoint.connect() as second:
        finish = begin_introspection(connection, world.token(), world.private)
        finish_second = begin_introspection(second, world.token(), world.rfc)

        def change(config):
            reloads.client(config, world.private.client_id).update(fields=fields)
            config["clients"].remove(reloads.client(config, world.rfc.client_id))

        reloads.accept_config(change)
        expect.active(finish(), front_channel_name="acme-support-1", front_channel_address="acme-support-1")
        expect.invalid_client(finish_second())
        expect.is_active(endpoint.introspect(world.token(), world.private, connection=connection))


def test_every_listener_is_changed(world, start_server):
    started = start_server(all_listeners=True)
    reloads = Reloads(started.server)
    reloads.put("tls.key", make_certificate()[1])  # which alone is refused
    wait_until(reloads.outcomes)
    certificate, key = make_certificate()
    reloads.put("tls.key", key)
    reloads.put("tls.crt", certificate)
    wait_until(lambda: started.server.find_log(event=RELOADED))
    reloads.accept_config(lambda config: reloads.client(config, world.rfc.client_id).update(fields={"changed": "sub"}))
    for endpoint in started.endpoints.values():
        assert "changed" in parse_json(endpoint.introspect(world.token(), world.rfc).body), endpoint
