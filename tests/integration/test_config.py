"""A config is taken whole or not at all; what is wrong with it is one line."""

import re
import socket

import pytest
import yaml

from harness.server import accepts, free_port, run, write_config, write_files
from harness.world import MAIN, make_certificate


def config_text(port, extra=""):
    return f"""\
listen:
  - address: 127.0.0.1:{port}
issuers:
  - issuer: {MAIN}
    jwks_file: main.json
    algorithms: [RS256]
    audience: [https://channels.example.com]
clients:
  - client_id: front
    client_secret_files: [front.secret]
    profile: front_private
{extra}"""


# What is changed in the text above, the line and the path that must be named, and a word of the complaint.
BROKEN = {
    "unknown-key": ("clients:", "colour: blue\nclients:", 8, "colour", ""),
    "unknown-key-in-an-issuer": ("    audience:", "    audiences:", 7, "issuers[0].audiences", ""),
    "unknown-profile": ("profile: front_private", "profile: front_privat", 11, "clients[0].profile", "front_private"),
    "wrong-type": ("algorithms: [RS256]", "algorithms: RS256x", 6, "issuers[0].algorithms", ""),
    "unknown-algorithm": ("[RS256]", "[RS256, none]", 6, "issuers[0].algorithms[1]", "none"),
    "algorithm-in-lower-case": ("[RS256]", "[rs256]", 6, "issuers[0].algorithms[0]", ""),
    "missing-value": ("    profile: front_private\n", "", None, "clients[0].profile", "missing"),
    "missing-audience": ("    audience: [https://channels.example.com]\n", "", None, "issuers[0].audience", "missing"),
    "duplicate-client": (
        "clients:\n", "clients:\n  - {client_id: front, client_secret_files: [front.secret], profile: rfc7662}\n", 10, "clients[1]", "",
    ),
    "duplicate-issuer": (
        "issuers:\n", f"issuers:\n  - {{issuer: '{MAIN}', jwks_file: main.json, algorithms: [ES256], audience: any}}\n",
        5, "issuers[1]", "",
    ),
    "no-source-of-keys": ("    jwks_file: main.json\n", "", 4, "issuers[0]", "jwks_url"),
    "two-sources-of-keys": ("main.json\n", "main.json\n    jwks_url: https://idp.example/keys\n", 6, "issuers[0].jwks_url", "jwks_file"),
    "http-url": ("jwks_file: main.json", "jwks_url: http://idp.example/keys", 5, "issuers[0].jwks_url", "allow_http"),
    "fetching-a-file": ("main.json\n", "main.json\n    cooldown: 1s\n", 6, "issuers[0].cooldown", "jwks_url"),
    "bounds-crossed": ("jwks_file: main.json", "jwks_url: https://a\n    refresh_min: 1h\n    refresh_max: 1m", 7, "issuers[0].refresh_max", "1h"),
    "neither-all-nor-any": ("issuers:", "ready: some\nissuers:", 3, "ready", "any"),
    "unreadable-keys": ("main.json", "absent.json", 5, "issuers[0].jwks_file", "absent.json"),
    "keys-that-are-no-json": ("main.json", "front.secret", 5, "issuers[0].jwks_file", ""),
    "unreadable-secret": ("front.secret", "absent.secret", 10, "clients[0].client_secret_files", "cannot read"),
    "empty-secret": ("front.secret", "empty.secret", 10, "clients[0].client_secret_files", ""),
    "out-of-range": ("issuers:", "limits: {max_body: 1}\nissuers:", 3, "limits.max_body", ""),
    "no-number": ("issuers:", "cache: {stripes: many}\nissuers:", 3, "cache.stripes", ""),
    "no-number-of-failures": ("issuers:", "limits: {failed_authentications: -1}\nissuers:", 3, "limits.failed_authentications", "0 to 1000000"),
    "no-duration": ("issuers:", "cache: {max_ttl: 5 minutes}\nissuers:", 3, "cache.max_ttl", ""),
    "no-address": ("127.0.0.1:", "localhost:", 2, "listen[0].address", ""),
    "unknown-issuer-of-a-client": ("    profile:", "    issuers: [https://x.example]\n    profile:", 11, "clients[0].issuers", "x.example"),
    "field-of-the-other-profile": ("profile: front_private", "profile: front_private\n    fields: {resource_owner_id: sub}", 12,
                                   "clients[0].fields.resource_owner_id", ""),
    "field-active": ("profile: front_private", "profile: front_private\n    fields: {active: sub}", 12, "clients[0].fields.active", ""),
    "template-not-closed": ("profile: front_private", "profile: front_private\n    fields: {front_channel_name: 'a{b'}", 12,
                            "clients[0].fields.front_channel_name", ""),
    "inactive-status": ("profile: front_private", "profile: front_private\n    inactive_status: 403", 12,
                        "clients[0].inactive_status", "401"),
    "path-without-a-slash": ("issuers:", "path: introspect\nissuers:", 3, "path", ""),
}  # fmt: skip


@pytest.fixture
def write(world, directory):
    def write(text):
        return write_config(directory, text, {**world.files, "front.secret": world.private.secret, "empty.secret": ""})

    return write


@pytest.mark.parametrize("name", BROKEN)
def test_broken_config(write, directory, world, name):
    old, new, line, path, word = BROKEN[name]
    port = free_port()
    text = config_text(port)
    assert text.count(old) >= 1
    config_file = write(text.replace(old, new, 1))
    for command in ("check", "serve"):
        done = run(command, "--config", config_file)
        assert done.returncode == 78, done
        assert done.stdout == "" and done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done
        match = re.fullmatch(r"(.*):(\d+): ([^ ]+): (.+)\n", done.stderr)
        assert match, done.stderr
        file, found_line, found_path, complaint = match.groups()
        assert file == str(config_file) and found_path.startswith(path) and word in complaint, done.stderr
        assert line is None or int(found_line) == line, done.stderr
        assert world.private.secret not in done.stderr
    assert not accepts(("127.0.0.1", port))


@pytest.mark.parametrize("text", ["", "[]", "listen", "a: [", "\ta: b", "a: &x [*x]", "%", "\x00", "listen: 1\nlisten: 2\n"])
def test_what_is_no_config_at_all(write, text):
    for command in ("check", "serve"):
        done = run(command, "--config", write(text))
        assert done.returncode == 78 and done.stdout == "" and done.stderr.count("\n") == 1, done
        assert "introspectd.yaml" in done.stderr


def test_password_in_a_url_is_not_shown(write):
    text = config_text(free_port()).replace("jwks_file: main.json", "jwks_url: https://joe:hunter2@idp.example/keys")
    for command in ("check", "serve"):
        done = run(command, "--config", write(text))
        assert done.returncode == 78 and "issuers[0].jwks_url" in done.stderr, done
        assert "hunter2" not in done.stderr and "joe" not in done.stderr, done


def test_keys_that_are_fetched_are_not_fetched_by_a_check(write):
    for source in ("discover: true\n    allow_http: true\n    refresh_max: 10s", "jwks_url: https://127.0.0.1:1/keys?a=b"):
        text = config_text(free_port()).replace("jwks_file: main.json", source).replace(f"issuer: {MAIN}", "issuer: http://127.0.0.1:1")
        done = run("check", "--config", write(text))
        assert (done.returncode, done.stderr) == (0, ""), done


def test_config_file_that_is_not_there(directory):
    for path in (directory / "absent.yaml", directory):
        done = run("serve", "--config", path)
        assert done.returncode == 78 and done.stderr.count("\n") == 1 and str(path) in done.stderr, done


def test_relative_path_is_named_as_it_was_given(write, directory):
    write(config_text(free_port()).replace("front_private", "front_privat"))
    done = run("check", "--config", "introspectd.yaml", cwd=directory)
    assert done.returncode == 78 and done.stderr.startswith("introspectd.yaml:11: clients[0].profile: "), done


def test_files_are_relative_to_the_config_not_to_the_working_directory(write, directory, tmp_path):
    config_file = write(config_text(free_port()))
    assert run("check", "--config", config_file, cwd=tmp_path).returncode == 0
    assert run("check", "--config", "introspectd.yaml", cwd=directory).returncode == 0
    assert run("check", "--config", f"{directory.name}/introspectd.yaml", cwd=directory.parent).returncode == 0


def test_good_configs(write, world, directory):
    assert run("check", "--config", write(config_text(free_port()))).returncode == 0
    listen, _ = world.listeners(directory)
    whole = world.config(
        listen=listen,
        admin={"address": "127.0.0.1:0"},
        path="/token/introspect",
        shutdown_timeout="5s",
        cache={"max_bytes": "64MiB", "stripes": 64, "max_ttl": "5m"},
        threads="auto",
    )
    done = run("check", "--config", write(yaml.safe_dump(whole)))
    assert done.returncode == 0, done.stderr
    as_json = yaml.safe_dump(whole, default_flow_style=True)
    assert run("check", "--config", write(as_json)).returncode == 0


@pytest.mark.parametrize("certificate, key", [
    ("text", "tls.key"), ("tls.key", "tls.key"), ("tls.crt", "text"), ("tls.crt", "tls.crt"), ("tls.crt", "other.key"),
])  # fmt: skip
def test_certificate_or_key_that_cannot_be_used(write, directory, certificate, key):
    port = free_port()
    tls = f"    tls: {{certificate_file: {certificate}, private_key_file: {key}}}\n"
    config_file = write(config_text(port).replace("issuers:", tls + "issuers:", 1))
    write_files(directory, {"text": "no PEM", "other.key": make_certificate()[1]})
    for command in ("check", "serve"):
        done = run(command, "--config", config_file)
        assert done.returncode == 78 and done.stdout == "", done
        assert re.fullmatch(re.escape(str(config_file)) + r":\d: listen\[0\]\.tls: [^\n]+\n", done.stderr), done.stderr
    assert not accepts(("127.0.0.1", port))


@pytest.mark.parametrize("family, host", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_port_in_use(write, family, host):
    port = free_port()
    with socket.socket(family, socket.SOCK_STREAM) as taken:
        try:
            taken.bind((host, port))
        except OSError:
            pytest.skip(f"no {host} on this machine")
        taken.listen()
        address = f'"[{host}]:{port}"' if ":" in host else f"{host}:{port}"
        config_file = write(config_text(port).replace(f"127.0.0.1:{port}", address))
        done = run("serve", "--config", config_file)
    assert done.returncode not in (0, 78), done
    assert done.stderr.count("\n") == 1 and str(port) in done.stderr, done.stderr
    assert "Address already in use" in done.stderr, done.stderr


def test_first_listener_is_let_go_when_the_second_cannot_be_had(write):
    free, port = free_port(), free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        text = config_text(free).replace("issuers:", f"  - address: 127.0.0.1:{port}\nissuers:", 1)
        done = run("serve", "--config", write(text))
        assert done.returncode not in (0, 78) and str(port) in done.stderr, done
    assert not accepts(("127.0.0.1", free))
