"""Sockets that a supervisor passes, and what it is told: systemd's protocols, without systemd."""

import os
import signal
import socket
import subprocess
import time

import pytest

from harness import confined, expect
from harness.endpoint import FORM, Endpoint, basic, form_body
from harness.http1 import request_bytes
from harness.reload import Reloads
from harness.server import UNSANITIZED_BINARY, Server, accepts, free_port, wait_until
from harness.stuck import stuck_loop
from harness.supervisor import Supervisor


@pytest.fixture
def supervisor(directory):
    with Supervisor(directory) as made:
        yield made


@pytest.fixture
def new_server(world, directory):
    """Makes servers in one directory, one after the other; all must stop well."""
    made = []

    def make(**changes):
        made.append(Server(directory, world.config(**changes), world.files))
        return made[-1]

    yield make
    try:
        for server in made:
            server.stop()
    finally:
        for server in made:
            if server.process is not None and server.process.poll() is None:
                server.process.kill()
                server.process.wait()


def listening():
    sock = socket.create_server(("127.0.0.1", 0))
    return sock, "{}:{}".format(*sock.getsockname()), Endpoint("h1", sock.getsockname())


def wait_for_start(server):
    wait_until(lambda: server.process.poll() is not None or server.find_log(event="started"))
    assert server.process.poll() is None, server.stderr()


def introspection(world):
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)]
    return request_bytes("POST", "/introspect", headers, form_body(("token", world.token())))


def refused(server):
    status = server.wait()
    assert status == 71, server.stderr()
    (line,) = server.stderr().splitlines()
    server.process = None
    return line.removeprefix("introspectd: ")


# Sockets


def test_sockets_are_taken_by_their_address(world, directory, supervisor, new_server):
    path = directory / "passed.sock"
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        (tcp, tcp_address, tcp_endpoint), (admin, admin_address, admin_endpoint) = listening(), listening()
        own = free_port()
        with tcp, admin:
            server = new_server(
                listen=[{"address": f"unix:{path}"}, {"address": tcp_address}, {"address": f"127.0.0.1:{own}"}],
                admin={"address": admin_address},
            )
            supervisor.start(server, [admin, unix, tcp])
            wait_for_start(server)
            for endpoint in (Endpoint("unix", str(path)), tcp_endpoint, Endpoint("h1", ("127.0.0.1", own))):
                expect.is_active(endpoint.introspect(world.token(), world.rfc))
            assert admin_endpoint.request("GET", "/readyz").status == 200
            server.stop()
            assert path.exists() and not accepts(("127.0.0.1", own))
            assert accepts(tcp_endpoint.address) and accepts(str(path))  # they are the supervisor's still


def test_admin_socket_by_its_name(world, supervisor, new_server):
    (public, public_address, _), (admin, _, admin_endpoint) = listening(), listening()
    with public, admin:
        server = new_server(listen=[{"address": public_address}], admin={"address": "127.0.0.1:1"})
        supervisor.start(server, [public, admin], LISTEN_FDNAMES="public:admin")
        wait_for_start(server)
        assert admin_endpoint.request("GET", "/readyz").status == 200
        (logged,) = server.find_log(event="listening", serves="operations")
        assert logged["address"] == "{}:{}".format(*admin_endpoint.address)


def test_connections_wait_for_the_next_process(world, supervisor, new_server):
    sock, address, endpoint = listening()
    with sock:
        first = supervisor.start(new_server(listen=[{"address": address}]), [sock])
        wait_for_start(first)
        expect.is_active(endpoint.introspect(world.token(), world.rfc))
        first.stop()
        with endpoint.connect() as waiting:
            waiting.send(introspection(world))
            second = supervisor.start(new_server(listen=[{"address": address}]), [sock])
            expect.is_active(waiting.read_response())
            wait_for_start(second)


def test_socket_is_kept_by_reloads(world, supervisor, new_server):
    """Even by one that has no use for it: whoever connects meanwhile is served when there is one again."""
    sock, address, endpoint = listening()
    (other, other_address, other_endpoint) = listening()
    with sock, other:
        server = new_server(listen=[{"address": address}, {"address": other_address}], core_dumps=True)
        supervisor.start(server, [sock, other])
        wait_for_start(server)
        reloads = Reloads(server)
        reloads.accept_config(lambda config: config["listen"].reverse())
        expect.is_active(endpoint.introspect(world.token(), world.rfc))
        reloads.accept_config(lambda config: config.update(listen=[{"address": other_address}]))
        with endpoint.connect() as waiting:
            waiting.send(introspection(world))
            expect.is_active(other_endpoint.introspect(world.token(), world.rfc))
            reloads.accept_config(lambda config: config["listen"].append({"address": address}))
            expect.is_active(waiting.read_response())


def test_socket_that_no_listener_wants(supervisor, new_server):
    (sock, address, _), (other, other_address, _) = listening(), listening()
    with sock, other:
        server = supervisor.start(new_server(listen=[{"address": address}]), [sock, other])
        assert refused(server) == f"LISTEN_FDS: the config has no listener for descriptor 4, a socket on {other_address}"


def test_admin_socket_without_an_admin_listener(supervisor, new_server):
    (sock, address, _), (admin, admin_address, _) = listening(), listening()
    with sock, admin:
        server = supervisor.start(new_server(listen=[{"address": address}]), [sock, admin], LISTEN_FDNAMES="x:admin")
        assert refused(server).endswith(f"a socket on {admin_address}")


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["datagrams", "not-listening"])
def test_socket_of_the_wrong_kind(supervisor, new_server, kind):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        server = supervisor.start(new_server(), [sock])
        assert refused(server) == "LISTEN_FDS: descriptor 3 is no listening stream socket"


@pytest.mark.parametrize("count", ["", "x", "-1", "129", "1x"])
def test_count_that_is_none(supervisor, new_server, count):
    server = supervisor.start(new_server(), LISTEN_FDS=count)
    assert refused(server) == "LISTEN_FDS must be an integer from 0 to 128"


def test_sockets_that_are_missing(supervisor, new_server):
    server = supervisor.start(new_server(), LISTEN_FDS="1")
    assert refused(server) == "LISTEN_FDS: descriptor 3 is no listening stream socket"


def test_sockets_that_are_meant_for_another_process(supervisor, new_server):
    server = supervisor.start(new_server(), LISTEN_PID="1", LISTEN_FDS="7")
    wait_for_start(server)


# What the supervisor is told


@pytest.mark.parametrize("is_abstract", [False, True])
def test_start_and_end_are_told(directory, new_server, is_abstract):
    with Supervisor(directory, is_abstract) as supervisor:
        server = supervisor.start(new_server(drain_delay="1s", shutdown_timeout="7s"))
        assert supervisor.hear() == {"READY": "1", "STATUS": "serving"}
        assert server.find_log(event="started")
        server.signal()
        assert supervisor.hear() == {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": "13000000", "STATUS": "stopping"}
        assert server.wait() == 0


def test_reloads_are_told(supervisor, new_server):
    server = supervisor.start(new_server())
    supervisor.hear()
    before_us = time.monotonic_ns() // 1000
    server.signal(signal.SIGHUP)
    told = supervisor.hear()
    assert told["RELOADING"] == "1" and before_us <= int(told["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert supervisor.hear() == {"READY": "1", "STATUS": "serving"}
    server.config_file.write_text("colour: blue\n")
    assert supervisor.hear()["RELOADING"] == "1"
    told = supervisor.hear()
    assert told["READY"] == "1" and "serving; refused: " in told["STATUS"] and "colour: unknown key" in told["STATUS"]


def test_reload_is_told_in_the_supervisors_time(supervisor, new_server):
    """sd_notify(3): CLOCK_MONOTONIC, which stood still while the machine slept."""
    offset = ["unshare", "--time", f"--boottime={10**6}", "--"]
    if subprocess.run([*offset, "true"], capture_output=True).returncode != 0:
        pytest.skip("no time namespace of its own can be made here")
    server = supervisor.start(new_server(), prefix=offset)
    supervisor.hear()
    before_us = time.monotonic_ns() // 1000
    server.signal(signal.SIGHUP)
    assert before_us <= int(supervisor.hear()["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000


@pytest.mark.parametrize("path", ["/no/such/socket", "x", "vsock:2:1234", "/" + "x" * 200])
def test_supervisor_that_cannot_be_reached(supervisor, new_server, path):
    server = supervisor.start(new_server(), NOTIFY_SOCKET=path)
    wait_for_start(server)
    assert server.find_log(event="supervisor_not_told")


def test_supervisor_that_goes_away(world, directory, new_server):
    with Supervisor(directory) as supervisor:
        server = supervisor.start(new_server())
        supervisor.hear()
    server.stop()
    assert server.find_log(event="supervisor_not_told")


@pytest.mark.parametrize("is_abstract", [False, True])
def test_supervisor_that_makes_its_socket_anew(directory, new_server, is_abstract):
    with Supervisor(directory, is_abstract) as supervisor:
        server = supervisor.start(new_server(drain_delay="5m"), WATCHDOG_USEC="500000")
        assert supervisor.hear()["READY"] == "1"
        assert supervisor.hear() == {"WATCHDOG": "1"}
        supervisor.make_anew()
        assert supervisor.hear() == {"WATCHDOG": "1"}
        # Signs of life are tried again soon, and it is told once that they do not come.
        supervisor.go_away()
        wait_until(lambda: server.find_log(event="supervisor_not_told"))
        time.sleep(1.5)
        supervisor.come_back()
        assert supervisor.hear() == {"WATCHDOG": "1"}
        assert len(server.find_log(event="supervisor_not_told")) == 1
        supervisor.make_anew()
        server.signal()
        while "STOPPING" not in (told := supervisor.hear()):
            assert told == {"WATCHDOG": "1"}
        server.signal()
        assert server.wait() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_confined(world, directory):
    """By seccomp and as another user, who may not connect to what was connected to before."""
    path = directory / "passed.sock"
    with Supervisor(directory) as supervisor, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        config = world.config(listen=[{"address": f"unix:{path}"}], user=f"{confined.UID}:{confined.GID}", seccomp=True)
        server = Server(directory, config, world.files, binary=UNSANITIZED_BINARY)
        confined.give(directory, confined.UID, confined.GID)
        os.chown(path, 0, 0)
        os.chmod(supervisor.path, 0o600)
        os.chown(supervisor.path, 0, 0)
        supervisor.start(server, [unix], WATCHDOG_USEC="1000000")
        try:
            assert supervisor.hear()["READY"] == "1"
            assert confined.is_of_user(server.process.pid, confined.UID, confined.GID)
            assert os.stat(path).st_uid == 0  # the supervisor's file is left as it was
            expect.is_active(Endpoint("unix", str(path)).introspect(world.token(), world.rfc))
            assert supervisor.hear() == {"WATCHDOG": "1"}
            server.signal(signal.SIGHUP)
            while "RELOADING" not in supervisor.hear():
                pass
        finally:
            server.stop()
        assert path.exists()
        assert not [event for event in server.find_log(event="config_note") if "passed.sock" in event["note"]]


# Signs of life


@pytest.fixture
def watched(supervisor, new_server):
    server = supervisor.start(new_server(threads=1, core_dumps=True), WATCHDOG_USEC="500000")
    assert supervisor.hear()["READY"] == "1"
    return server


def test_signs_of_life(supervisor, watched):
    for _ in range(5):
        assert supervisor.hear() == {"WATCHDOG": "1"}
    watched.signal()
    while "STOPPING" not in (told := supervisor.hear()):
        assert told == {"WATCHDOG": "1"}
    assert told["WATCHDOG_USEC"] == told["EXTEND_TIMEOUT_USEC"] == "15000000"


@pytest.mark.parametrize("time_us", [1, 999, 1999])
def test_signs_of_life_that_are_awaited_at_once(supervisor, new_server, time_us):
    """They are given, but do not fill the main thread's time."""
    supervisor.start(new_server(), WATCHDOG_USEC=str(time_us))
    assert supervisor.hear()["READY"] == "1"
    began, count = time.monotonic(), 500
    for _ in range(count):
        assert supervisor.hear() == {"WATCHDOG": "1"}
    # The socket holds some tens of them.
    assert time.monotonic() - began > 0.8 * count / 1000


def test_no_signs_that_nobody_asked_for(supervisor, new_server):
    supervisor.start(new_server())
    supervisor.hear()
    assert supervisor.hear_nothing(for_s=1) is None


def test_no_sign_of_life_while_an_event_loop_is_stuck(supervisor, watched):
    """One of the threads that serve is stopped by a debugger; the main thread goes on."""
    assert supervisor.hear() == {"WATCHDOG": "1"}
    with stuck_loop(watched.process):
        wait_until(lambda: supervisor.hear_nothing(for_s=1) is None)
        assert supervisor.hear_nothing(for_s=2) is None
    assert supervisor.hear() == {"WATCHDOG": "1"}
