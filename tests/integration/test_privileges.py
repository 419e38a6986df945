"""What the server may do: root is given up after binding, nothing is gained again."""

import os
import pathlib
import pwd
import re
import socket
import subprocess
import tempfile

import pytest

from harness import expect, fetched, tokens
from harness.authority import Authority
from harness.confined import GID, UID, Starter, give, is_of_user, threads
from harness.provider import Provider, answer
from harness.reload import Reloads
from harness.server import BINARY, Server, free_port, wait_until, write_config

EXIT_OSERR, EXIT_NOPERM, EXIT_CONFIG = 71, 77, 78

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

AS_USER = ["setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups"]

# Its look for leaks traces the process, which one that is closed to its user does not allow.
NO_LEAK_CHECK = ["env", "ASAN_OPTIONS=detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", "")]


@pytest.fixture
def starter(world):
    made = Starter(world, pathlib.Path(tempfile.mkdtemp(prefix="introspectd-")))
    yield made
    made.end()


def serves_everywhere(starter):
    for endpoint in starter.endpoints.values():
        expect.is_active(endpoint.introspect(starter.world.token(), starter.world.rfc))


def end_of(starter, config, prefix=()):
    """How a server that must not start ends: exit status and standard error."""
    server = Server(starter.directory, config, starter.world.files, prefix=prefix)
    starter.directory.chmod(0o755)
    for path in starter.directory.iterdir():
        path.chmod(0o644)
    server.start()
    status = server.wait()
    assert server.stderr().count("\n") == 1, server.stderr()
    return status, server.stderr().rstrip("\n")


def test_no_new_privileges_always(starter):
    server = starter.start()
    assert {thread["NoNewPrivs"][0] for thread in threads(server.process.pid)} == {"1"}
    # In a container the tests are under a filter themselves, and so is what they start.
    inherited = {thread["Seccomp"][0] for thread in threads(os.getpid())}
    assert {thread["Seccomp"][0] for thread in threads(server.process.pid)} == inherited


# Root is given up


@needs_root
def test_root_is_given_up(world, starter):
    server = starter.start(world.config(user=f"{UID}:{GID}"), owner=(UID, GID))
    assert is_of_user(server.process.pid, UID, GID)
    serves_everywhere(starter)
    path = starter.endpoints["unix"].address
    assert (os.stat(path).st_uid, os.stat(path).st_gid) == (UID, GID)
    reloads = Reloads(server)
    reloads.accepted(reloads.hang_up, "signal")
    serves_everywhere(starter)
    assert not server.find_log(event="config_note")
    server.stop()
    assert not os.path.exists(path)


@needs_root
def test_user_without_a_group_gets_the_group_of_the_same_number(world, starter):
    server = starter.start(world.config(user=UID), owner=(UID, UID))
    assert is_of_user(server.process.pid, UID, UID)


@needs_root
def test_user_by_name_has_its_groups(world, starter):
    entry = next(user for user in pwd.getpwall() if user.pw_uid != 0)
    server = starter.start(world.config(user=entry.pw_name), owner=(entry.pw_uid, entry.pw_gid))
    groups = sorted(os.getgrouplist(entry.pw_name, entry.pw_gid))
    assert is_of_user(server.process.pid, entry.pw_uid, entry.pw_gid, groups)
    serves_everywhere(starter)


@needs_root
def test_thread_that_fetches_keys_is_no_root_either(world, starter):
    key, authority = fetched.new_key("good"), Authority()
    with Provider(authority.issue()) as provider:
        provider.serve("/keys", answer(tokens.jwks(key)))
        issuer = fetched.issuer("https://fetched.example", provider.url("/keys"))
        config = fetched.config(world, [issuer], user=f"{UID}:{GID}", threads=2)
        server = starter.start(config, {"ca.pem": authority.pem}, owner=(UID, GID))
        endpoint, token = starter.endpoints["h1"], fetched.token(key, "https://fetched.example")
        fetched.becomes_active(endpoint, token, world.rfc)
        # main, two for requests, operations, keys
        assert len(threads(server.process.pid)) >= 5
        assert is_of_user(server.process.pid, UID, GID)


@needs_root
@pytest.mark.parametrize("allows", [True, False], ids=["allowed", "forbidden"])
def test_core_files_stay_as_the_config_says(world, starter, allows):
    config = world.config(user=f"{UID}:{GID}", core_dumps=allows)
    server = starter.start(config, owner=(UID, GID), prefix=NO_LEAK_CHECK)
    process = f"/proc/{server.process.pid}"
    # What may be dumped belongs to its user, the rest to root.
    owner_is = {True: UID, False: 0}
    assert os.stat(process + "/environ").st_uid == owner_is[allows]
    reloads = Reloads(server)
    reloads.accept_config(lambda config: config.update(core_dumps=not allows))
    assert os.stat(process + "/environ").st_uid == owner_is[not allows]


@needs_root
def test_what_a_reload_cannot_do_is_told_at_the_start(world, starter):
    """Files of root alone, in a directory that its user cannot write to."""
    server = starter.start(world.config(user=f"{UID}:{GID}"))
    notes = [event["note"] for event in server.find_log(event="config_note")]
    directory, who = starter.directory, f"user (uid {UID}, gid {GID})"
    unreadable = f"{server.config_file}: user: {directory}/%s cannot be read, so that every reload will be refused, by {who}"
    assert unreadable % "tls.key" in notes and unreadable % "rotated-1.secret" in notes, notes
    path = starter.endpoints["unix"].address
    assert f"{server.config_file}: user: {path} cannot be removed at the end, nor bound again by a reload, by {who}" in notes, notes
    assert unreadable % "introspectd.yaml" not in notes, "the config itself can be read"
    serves_everywhere(starter)

    reloads = Reloads(server)
    error = reloads.refused(reloads.hang_up, "signal")
    assert error.endswith("Permission denied"), error
    serves_everywhere(starter)
    # Whoever sets it right need not start it anew.
    give(directory, UID, GID)
    wait_until(lambda: reloads.outcomes()[-1]["event"] == "config_reloaded")
    server.stop()
    assert not os.path.exists(path)


@needs_root
def test_socket_file_that_stayed_is_replaced_by_the_next_start(world, starter):
    server = starter.start(world.config(user=f"{UID}:{GID}"))
    path = starter.endpoints["unix"].address
    server.stop()
    assert os.path.exists(path)
    starter.start(world.config(user=f"{UID}:{GID}"), owner=(UID, GID))
    serves_everywhere(starter)


def privileged_port():
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    for port in range(first - 1, 0, -1):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    pytest.skip("no port is root's alone here")


@needs_root
def test_privileged_ports(world, starter):
    port = privileged_port()
    config = world.config(user=f"{UID}:{GID}", listen=[{"address": f"127.0.0.1:{port}"}])
    server = Server(starter.directory, config, world.files, [("127.0.0.1", port)])
    give(starter.directory, UID, GID)
    starter.servers.append(server)
    server.start()
    assert is_of_user(server.process.pid, UID, GID)
    reloads = Reloads(server)
    # The one that is bound stays; another cannot be had.
    reloads.accepted(reloads.hang_up, "signal")
    error = reloads.refuse_config(lambda config: config["listen"].append({"address": f"127.0.0.2:{port}"}))
    assert error == f"{server.config_file}:{error.split(':')[1]}: listen[1].address: 127.0.0.2:{port}: Permission denied", error


@needs_root
def test_another_user_waits_for_the_next_start(world, starter):
    server = starter.start(world.config(user=f"{UID}:{GID}"), owner=(UID, GID))
    Reloads(server).accept_config(lambda config: config.update(user=f"{UID + 1}:{GID}", seccomp=True))
    notes = [event["note"] for event in server.find_log(event="config_note")]
    assert notes == ["user: takes effect at the next start", "seccomp: takes effect at the next start"], notes
    assert is_of_user(server.process.pid, UID, GID)


def test_unknown_user(world, starter):
    status, error = end_of(starter, world.config(user="no.such.user"))
    assert status == EXIT_CONFIG
    assert re.search(r'introspectd.yaml:\d+: user: must be a user of this system or UID\[:GID\], not "no.such.user"$', error), error


# Started without root


@needs_root
def test_runs_as_any_user(world, starter):
    prefix = ["env", "-u", "HOME", *AS_USER]
    server = starter.start(owner=(UID, GID), prefix=prefix)
    assert is_of_user(server.process.pid, UID, GID)
    serves_everywhere(starter)
    reloads = Reloads(server)
    reloads.accepted(reloads.hang_up, "signal")


@needs_root
@pytest.mark.parametrize("user", [f"{UID}", f"{UID}:{GID}"])
def test_the_user_that_it_is_already(world, starter, user):
    server = starter.start(world.config(user=user), owner=(UID, GID), prefix=AS_USER)
    assert is_of_user(server.process.pid, UID, GID)
    serves_everywhere(starter)


@needs_root
@pytest.mark.parametrize("user", [f"{UID + 1}", f"{UID}:{GID + 1}", "nobody"])
def test_another_user_without_root(world, starter, user):
    status, error = end_of(starter, world.config(user=user), AS_USER)
    assert status == EXIT_NOPERM
    assert re.match(r"introspectd: cannot become user (nobody )?\(uid \d+, gid \d+\): ", error), error
    assert error.endswith(f": started as uid {UID}, gid {GID}; start it as root, or as that user"), error


@needs_root
def test_root_that_may_not_change(world, starter):
    """As in a container that was stripped of what root may do."""
    without = ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"]
    status, error = end_of(starter, world.config(user=f"{UID}:{GID}"), without)
    assert status == EXIT_OSERR
    assert error == f"introspectd: cannot become user (uid {UID}, gid {GID}): Operation not permitted", error


READ_ONLY = ["unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"]


def can_mount():
    return subprocess.run([*READ_ONLY, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@needs_root
def test_runs_where_nothing_can_be_written(world, starter):
    if not can_mount():
        pytest.skip("mounts cannot be changed here")
    # What a mount of its own holds would stay writable.
    prefix = [*READ_ONLY, "env", "-i", *AS_USER]
    server = starter.start(owner=(UID, GID), prefix=prefix, has_socket=False)
    probe = subprocess.run(["nsenter", "-t", str(server.process.pid), "-m", "touch", str(starter.directory / "probe")], capture_output=True)
    if probe.returncode == 0:
        pytest.skip("the directory of the test lies on a mount of its own")
    assert is_of_user(server.process.pid, UID, GID)
    serves_everywhere(starter)
