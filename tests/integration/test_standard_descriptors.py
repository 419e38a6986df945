"""A process that was started without standard input, output or error has no file or socket of its own in their place."""

import os
import subprocess

import pytest

from harness import expect
from harness.endpoint import Endpoint
from harness.server import BINARY, Server, accepts, free_port, wait_until


def without(*numbers):
    """A command that runs its command so."""
    return ["sh", "-c", 'exec "$0" "$@" ' + " ".join(f"{number}>&-" for number in numbers)]


def start(world, directory, numbers, **changes):
    address = ("127.0.0.1", free_port())
    config = world.config(listen=[{"address": "{}:{}".format(*address)}], core_dumps=True, **changes)
    server = Server(directory, config, world.files, [address] if 2 not in numbers else [], without(*numbers)).start()
    return server, Endpoint("h1", address)


def place(server, number):
    return os.readlink(f"/proc/{server.process.pid}/fd/{number}")


@pytest.mark.parametrize("numbers", [(0,), (1,), (0, 1)])
def test_serve(world, directory, numbers):
    server, endpoint = start(world, directory, numbers)
    assert [place(server, number) for number in numbers] == ["/dev/null"] * len(numbers)
    assert [place(server, number) for number in (0, 1, 2) if number not in numbers].count("/dev/null") == (0 not in numbers)
    expect.is_active(endpoint.introspect(world.token(), world.rfc))
    server.stop()


def test_serve_without_any(world, directory):
    server, endpoint = start(world, directory, (0, 1, 2))
    wait_until(lambda: accepts(endpoint.address))
    assert [place(server, number) for number in (0, 1, 2)] == ["/dev/null"] * 3
    for _ in range(3):
        expect.is_active(endpoint.introspect(world.token(), world.rfc))
    server.stop()
    assert server.stderr() == ""


def test_access_log_that_has_no_standard_output(world, directory):
    """Nobody gets its lines, and that is told."""
    server, endpoint = start(world, directory, (1,), access_log={"file": "stdout"})
    for _ in range(3):
        expect.is_active(endpoint.introspect(world.token(), world.rfc))
    wait_until(lambda: server.find_log(event="access_log_write_failed", error="Bad file descriptor"))
    expect.is_active(endpoint.introspect(world.token(), world.rfc))
    server.stop()


def test_output_that_goes_nowhere_is_an_error(directory):
    """As it is for every program whose standard output is closed."""
    command = [*without(1), str(BINARY), "keygen", "--algorithm", "ES256"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (71, "introspectd keygen: standard output: Bad file descriptor\n")
