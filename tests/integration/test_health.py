"""`introspectd health`, the health check of a container that has nothing else to ask with."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading

import pytest

from harness.reload import Reloads
from harness.server import BINARY, Server, free_port, run, wait_until, write_config
from harness.world import MAIN

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]


def health(*arguments):
    done = run("health", *arguments)
    assert done.stdout == "" and done.stderr.count("\n") == (done.returncode != 0), done
    return done.returncode, done.stderr.removeprefix("introspectd health: ").rstrip("\n")


@pytest.fixture
def started(start_server):
    return start_server()


@pytest.fixture
def unready(world, start_server):
    config = world.config()
    config["issuers"][0]["jwks_file"] = "empty.json"
    return start_server(config, {"empty.json": '{"keys":[]}'})


def address_of(started):
    return "{}:{}".format(*started.admin.address)


def test_ready(started):
    for which in (["--config", started.server.config_file], ["--address", address_of(started)]):
        assert health(*which) == (0, "")
        assert health(*which, "--live") == (0, "")


def test_not_ready_names_the_issuer_without_keys(unready):
    status, why = health("--config", unready.server.config_file)
    assert status == 1 and why.startswith("HTTP status 503; ") and f"{MAIN}: no usable key" in why, why
    assert health("--config", unready.server.config_file, "--live") == (0, "")


def test_draining(world, start_server):
    started = start_server(world.config(drain_delay="5m"))
    started.server.signal()
    wait_until(lambda: started.server.find_log(event="stopping"))
    assert health("--config", started.server.config_file) == (1, "HTTP status 503; draining")
    assert health("--config", started.server.config_file, "--live") == (0, "")
    started.server.signal()
    assert started.server.wait() == 0


def test_no_secret_is_needed(started, tmp_path):
    """As in a container whose health check runs as another user than the server, or before its secrets are there."""
    config = shutil.copy(started.server.config_file, tmp_path)
    assert health("--config", config) == (0, "")


def test_config_that_a_reload_refused(started):
    """The process goes on as it was, and it is what is asked."""
    Reloads(started.server).refuse_config(lambda config: config.update(clientz=config.pop("clients")))
    assert started.admin.request("GET", "/readyz").status == 200
    assert health("--config", started.server.config_file) == (0, "")
    # Without the listener's address nobody can be asked.
    started.server.config_file.write_text("admin: {")
    assert health("--config", started.server.config_file)[0] == 1
    assert health("--address", address_of(started)) == (0, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_as_a_user_who_may_read_the_config_alone(started):
    directory = started.server.directory
    directory.chmod(0o711)
    started.server.config_file.chmod(0o644)
    binary = shutil.copy(BINARY, directory)
    done = subprocess.run(
        [*AS_NOBODY, binary, "health", "--config", started.server.config_file], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_address_that_stands_for_all(world, directory, host):
    if host == "[::]" and not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    port = free_port(socket.AF_INET6 if host == "[::]" else socket.AF_INET)
    server = Server(directory, world.config(admin={"address": f"{host}:{port}"}), world.files).start()
    wait_until(lambda: server.find_log(event="started"))
    try:
        assert health("--config", server.config_file) == (0, "")
    finally:
        server.stop()


def test_unix_socket(world, directory):
    server = Server(directory, world.config(admin={"address": "unix:admin.sock"}), world.files, [str(directory / "admin.sock")]).start()
    try:
        assert health("--config", server.config_file) == (0, "")
        assert health("--address", f"unix:{directory}/admin.sock", "--live") == (0, "")
    finally:
        server.stop()
    assert health("--config", server.config_file) == (1, "unix:admin.sock: No such file or directory")


def test_nobody_there(world, directory):
    port = free_port()
    config = write_config(directory, world.config(admin={"address": f"127.0.0.1:{port}"}))
    assert health("--config", config) == (1, f"127.0.0.1:{port}: Connection refused")


def test_without_an_admin_listener(world, directory):
    status, why = health("--config", write_config(directory, world.config(admin="none")))
    assert status == 1 and "admin: none" in why and "nothing to ask" in why
    assert "--address" in why and "HEALTHCHECK" in why


def test_any_port(world, directory):
    status, why = health("--config", write_config(directory, world.config(admin={"address": "127.0.0.1:0"})))
    assert status == 1 and "--address" in why


def test_bad_config(world, directory):
    config = write_config(directory, world.config(admin={"adress": "127.0.0.1:1"}))
    status, why = health("--config", config)
    assert status == 1 and "admin.adress: unknown key; did you mean address?" in why
    assert health("--config", directory / "absent")[0] == 1


@pytest.mark.parametrize("address", ["x", "localhost:1", "127.0.0.1", "127.0.0.1:0", "unix:"])
def test_bad_address(address):
    status, why = health("--address", address)
    assert status == 1 and "--address must be" in why


@pytest.mark.parametrize("arguments", [[], ["--config", "x", "--address", "y"], ["--address", "127.0.0.1:1", "x"], ["--colour"]])
def test_wrong_use(arguments):
    assert run("health", *arguments).returncode == 64


@contextlib.contextmanager
def answering(answer):
    """Listens, and has answer(connection) talk to each that comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(4096)
                        answer(connection)

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        yield "127.0.0.1:{}".format(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


OTHER_ANSWERS = [
    (b"", "closed without an answer"),
    (b"SSH-2.0-x\r\n", "what answers does not speak HTTP/1.1"),
    (b"HTTP/1.1 200 OK\r\n", "what answers does not speak HTTP/1.1"),
    (b"HTTP/1.1 2000 OK\r\n\r\n", "what answers does not speak HTTP/1.1"),
    (b"HTTP/1.1 999 OK\r\n\r\n", "what answers does not speak HTTP/1.1"),
    (b"\0HTTP/1.1 200 OK\r\n\r\n", "what answers does not speak HTTP/1.1"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", "HTTP status 404"),
    (b"HTTP/1.1 503 X\r\n\r\n{]", "HTTP status 503"),
    (b'HTTP/1.1 503 X\r\n\r\n{"draining":1,"issuers":[5]}', "HTTP status 503"),
    (b'HTTP/1.1 503 X\r\n\r\n{"issuers":[{"issuer":"a\\u001b\\nb","problem":"p"}]}', "HTTP status 503; a??b: p"),
    (b"HTTP/1.1 503 X\r\n\r\n" + b"x" * (1 << 20), "the answer is over 1 MiB"),
]  # fmt: skip


@pytest.mark.parametrize("answer, expected", OTHER_ANSWERS, ids=range(len(OTHER_ANSWERS)))
def test_answers_of_somebody_else(answer, expected):
    with answering(lambda connection: connection.sendall(answer)) as address:
        status, why = health("--address", address)
    assert status == 1 and why.removeprefix(address + ": ") == expected


def test_answer_that_does_not_come():
    ended = threading.Event()
    with answering(lambda connection: ended.wait(30)) as address:
        assert health("--address", address) == (1, f"{address}: no answer within three seconds")
        ended.set()


def test_answer_that_does_not_end():
    ended = threading.Event()

    def trickle(connection):
        while not ended.wait(0.2):
            connection.sendall(b"H")

    with answering(trickle) as address:
        assert health("--address", address) == (1, f"{address}: no answer within three seconds")
        ended.set()
