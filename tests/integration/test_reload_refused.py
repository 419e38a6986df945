"""A config that is not good is refused with its line; the old one serves on, and mending the files is enough."""

import os
import re
import resource
import socket

import pytest

from harness import expect, tokens
from harness.reload import REFUSED, RELOADED, Reloads
from harness.server import accepts, free_port, wait_until
from harness.world import OTHER, Client, make_certificate

SECRET_FILE = "client-resource-server.secret"


@pytest.fixture
def started(world, start_server):
    made = start_server(files={"trusted.crt": world.certificate}, all_listeners=True)
    for name in ("tls-h1", "tls-h2"):
        made.endpoints[name].certificate_file = made.server.directory / "trusted.crt"  # also when the server's file is broken
    return made


@pytest.fixture
def reloads(started):
    return Reloads(started.server)


def assert_serves_as_before(world, started):
    for endpoint in started.endpoints.values():
        expect.is_active(endpoint.introspect(world.token(), world.rfc))
    assert started.admin.request("GET", "/readyz").status == 200


def append_to_config(text):
    return lambda reloads: reloads.put_config(reloads.server.config_file.read_text() + text)


def put(name, content):
    return lambda reloads: reloads.put(name, content)


def edit(change):
    return lambda reloads: reloads.change_config(change)


def take_away(name):
    return lambda reloads: (reloads.directory / name).unlink()


# What is broken, and the path that the complaint names.
BROKEN = {
    "syntax error": (append_to_config("a: [\n"), ""),
    "not YAML at all": (put("introspectd.yaml", b"\x00\xff"), ""),
    "empty": (put("introspectd.yaml", ""), ""),
    "config removed": (take_away("introspectd.yaml"), ""),
    "unknown key": (edit(lambda config: config.update(colour="blue")), "colour"),
    "value out of range": (edit(lambda config: config["limits"].update(max_body=1)), "limits.max_body"),
    "no listener": (edit(lambda config: config.update(listen=[])), "listen"),
    "secret file not there": (edit(lambda config: config["clients"][0].update(client_secret_files=["absent"])), "clients[0]"),
    "secret file removed": (take_away(SECRET_FILE), "clients[2]"),
    "secret file empty": (put(SECRET_FILE, ""), "clients[2]"),
    "jwks file removed": (take_away("other.json"), "issuers[3].jwks_file"),
    "jwks file no JSON": (put("other.json", "<html>"), "issuers[3].jwks_file"),
    "certificate broken": (put("tls.crt", "no certificate"), "listen[1].tls"),
    "key broken": (put("tls.key", "no key"), "listen[1].tls"),
    "key of another certificate": (put("tls.key", make_certificate()[1]), "listen[1].tls"),
    "certificate removed": (take_away("tls.crt"), "listen[1].tls"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_refused_with_its_line_and_mended(world, started, reloads, name):
    break_it, path = BROKEN[name]
    before = {entry.name: entry.read_bytes() for entry in reloads.directory.iterdir() if entry.is_file() and entry.name != "stderr.log"}
    error = reloads.refused(lambda: break_it(reloads))
    assert error == reloads.check()
    assert str(reloads.server.config_file) in error and path in error, error
    if path:
        assert re.match(re.escape(str(reloads.server.config_file)) + r":[1-9]\d*: ", error), error
    assert_serves_as_before(world, started)
    assert reloads.refused(reloads.hang_up, trigger="signal") == error
    assert_serves_as_before(world, started)

    def mend():
        for entry, content in before.items():
            if not (reloads.directory / entry).exists() or (reloads.directory / entry).read_bytes() != content:
                reloads.put(entry, content)

    reloads.accepted(mend)
    assert_serves_as_before(world, started)


def test_only_creating_the_missing_file_mends(world, started, reloads):
    before = reloads.server.config_file.read_text()
    added = Client("added")
    entry = {"client_id": "added", "client_secret_files": ["folder/added.secret"], "profile": "rfc7662"}
    error = reloads.refuse_config(lambda config: config["clients"].append(entry))
    assert error == reloads.check()
    expect.invalid_client(started.endpoints["h1"].introspect(world.token(), added))

    def create():
        (reloads.directory / "folder").mkdir()
        reloads.put("folder/added.secret", added.secret)

    reloads.accepted(create)
    expect.is_active(started.endpoints["h1"].introspect(world.token(), added))
    reloads.accepted(lambda: reloads.put_config(before))
    expect.invalid_client(started.endpoints["h1"].introspect(world.token(), added))


def test_another_fault_after_the_first_one(world, started, reloads):
    """What is refused is watched too, and so is what was good before."""
    before = reloads.server.config_file.read_text()
    faulty = {"client_id": "faulty", "client_secret_files": ["faulty.secret"], "profile": "rfc7662"}
    place = f"clients[{len(reloads.config()['clients'])}]."
    assert place in reloads.refuse_config(lambda config: config["clients"].append(faulty))
    assert place in reloads.refused(lambda: reloads.put("faulty.secret", ""))
    secret = (reloads.directory / SECRET_FILE).read_text()
    assert "clients[2]." in reloads.refused((reloads.directory / SECRET_FILE).unlink)
    assert place in reloads.refused(lambda: reloads.put(SECRET_FILE, secret))
    assert_serves_as_before(world, started)
    reloads.accepted(lambda: reloads.put_config(before))
    assert_serves_as_before(world, started)


def test_files_of_the_good_config_are_watched_beside_a_refused_one(world, started, reloads):
    """A config that cannot be read names no file, but its trouble is not the last word on the others'."""
    before = reloads.server.config_file.read_text()
    error = reloads.refused(lambda: reloads.put_config("a: ["))
    assert reloads.refused(lambda: reloads.put(SECRET_FILE, "another secret")) == error
    expect.is_active(started.endpoints["h1"].introspect(world.token(), world.rfc))
    reloads.accepted(lambda: reloads.put_config(before))
    expect.invalid_client(started.endpoints["h1"].introspect(world.token(), world.rfc))


def test_nothing_of_a_refused_config_is_taken(world, started, reloads):
    before = reloads.server.config_file.read_text()
    port = free_port()

    def change(config):
        config["listen"].insert(0, {"address": f"127.0.0.1:{port}"})
        config["path"] = "/elsewhere"
        config["clients"] = [reloads.client(config, world.private.client_id)]
        config["clients"][0]["fields"] = {"front_channel_name": "front_channel_address"}
        config["issuers"] = config["issuers"][:1]
        config["issuers"][0]["audience"] = ["https://somewhere.else.example.com"]
        config["cache"] = {"max_bytes": "1 potato"}

    error = reloads.refuse_config(change)
    assert "cache.max_bytes" in error and error == reloads.check()
    assert not accepts(("127.0.0.1", port))
    assert_serves_as_before(world, started)
    for endpoint in started.endpoints.values():
        expect.active(
            endpoint.introspect(world.token(), world.private),
            front_channel_name="Acme Support",
            front_channel_address="acme-support-1",
        )
    reloads.accepted(lambda: reloads.put_config(before))


def test_address_in_use_by_somebody_else(world, started, reloads):
    before = reloads.server.config_file.read_text()
    free, taken_port = free_port(), free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", taken_port))
        taken.listen()

        def change(config):
            config["listen"] += [{"address": f"127.0.0.1:{free}"}, {"address": f"127.0.0.1:{taken_port}"}]
            config["clients"].remove(reloads.client(config, world.rfc.client_id))

        error = reloads.refuse_config(change)
        assert str(taken_port) in error and "Address already in use" in error, error
        assert not accepts(("127.0.0.1", free))
        assert_serves_as_before(world, started)
    # The config is good, so it is tried again by itself.
    reloads.accepted(lambda: None)
    assert accepts(("127.0.0.1", free)) and accepts(("127.0.0.1", taken_port))
    reloads.accepted(lambda: reloads.put_config(before))
    assert not accepts(("127.0.0.1", free)) and not accepts(("127.0.0.1", taken_port))
    assert_serves_as_before(world, started)


def test_address_twice_in_a_config(world, started, reloads):
    before = reloads.server.config_file.read_text()
    reloads.refuse_config(lambda config: config["listen"].append({"address": config["listen"][0]["address"]}))
    assert_serves_as_before(world, started)
    reloads.accepted(lambda: reloads.put_config(before))
    assert_serves_as_before(world, started)


# Each would leave the issuer without a key that can verify.
USELESS = {
    "no key": lambda world: '{"keys":[]}',
    "key for other algorithms": lambda world: tokens.jwks(world.keys["rsa"]),
    "key of an unknown type": lambda world: '{"keys":[{"kty":"OKP2","kid":"p256","crv":"P-257"}]}',
    "key for encryption": lambda world: '{"keys":[' + tokens.jwks(world.other_key)[10:-2].replace("{", '{"use":"enc",') + "]}",
}


@pytest.mark.parametrize("name", USELESS)
def test_set_without_a_usable_key_never_replaces_a_good_one(world, started, reloads, name):
    before = (reloads.directory / "other.json").read_bytes()
    token = world.token("ES256", key=world.other_key, issuer=OTHER)
    error = reloads.refused(lambda: reloads.put("other.json", USELESS[name](world)))
    lines = reloads.server.config_file.read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "jwks_file: other.json" in text)
    assert error.startswith(f"{reloads.server.config_file}:{line}: issuers[3].jwks_file: "), error
    assert_serves_as_before(world, started)
    expect.is_active(started.endpoints["h1"].introspect(token, world.rfc))
    reloads.accepted(lambda: reloads.put("other.json", before))
    expect.is_active(started.endpoints["h1"].introspect(token, world.rfc))


def test_descriptors_run_out(world, started, reloads):
    """Wherever they do: the old config serves on, nothing is lost, and with descriptors again all is well."""
    process = started.server.process.pid
    before = resource.prlimit(process, resource.RLIMIT_NOFILE)
    outcomes = set()
    with started.endpoints["h1"].connect() as h1, started.endpoints["tls-h2"].connect() as h2:
        reloads.accepted(reloads.hang_up, trigger="signal")
        in_use = len(os.listdir(f"/proc/{process}/fd"))
        for room in range(60):
            resource.prlimit(process, resource.RLIMIT_NOFILE, (in_use + room, before[1]))
            count = len(reloads.outcomes())
            reloads.hang_up()
            wait_until(lambda: len(reloads.outcomes()) > count)
            outcomes.add(reloads.outcomes()[-1]["event"])
            for name, connection in (("h1", h1), ("tls-h2", h2)):
                expect.is_active(started.endpoints[name].introspect(world.token(), world.rfc, connection=connection))
        resource.prlimit(process, resource.RLIMIT_NOFILE, before)
        reloads.accepted(reloads.hang_up, trigger="signal")
        assert outcomes == {RELOADED, REFUSED}
        assert len(os.listdir(f"/proc/{process}/fd")) == in_use
    assert_serves_as_before(world, started)
