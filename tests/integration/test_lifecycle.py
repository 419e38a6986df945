"""Starting and stopping: what is in flight finishes, what idles does not hold things up, nothing is left behind."""

import os
import pty
import signal
import socket
import time

import pytest

from harness import expect
from harness.endpoint import FORM, PROTOCOLS, Endpoint, basic, form_body
from harness.http1 import ConnectionEnded, request_bytes
from harness.server import BINARY, Server, accepts, free_port, wait_until, write_config


def introspection(world, token):
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)]
    return request_bytes("POST", "/introspect", headers, form_body(("token", token)))


def stopped_accepting(endpoint):
    return lambda: not accepts(endpoint.address)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_stop_signal(world, start_server, number):
    started = start_server()
    expect.is_active(started.endpoints["h1"].introspect(world.token(), world.rfc))
    started.server.signal(number)
    assert started.server.wait() == 0
    assert not accepts(started.endpoints["h1"].address)
    events = [event["event"] for event in started.server.log()]
    assert "listening" in events and "started" in events
    assert events[-2:] == ["stopping", "stopped"], events


def test_end_of_the_terminal_stops(world, directory):
    """A SIGHUP that somebody sends is a reload; the one of a terminal that goes away is not."""
    port = free_port()
    config_file = write_config(directory, world.config(listen=[{"address": f"127.0.0.1:{port}"}]), world.files)
    process, terminal = pty.fork()
    if process == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # or it is ignored, where the tests were started with nohup
        os.dup2(os.open(directory / "stderr.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
        os.execv(BINARY, [str(BINARY), "serve", "--config", str(config_file)])
    log = directory / "stderr.log"
    wait_until(lambda: log.exists() and "started" in log.read_text())
    os.close(terminal)
    assert os.waitpid(process, 0)[1] == 0, log.read_text()
    assert '"signal":"HUP"' in log.read_text()


def test_stop_before_any_request(start_server):
    started = start_server()
    started.server.signal()
    assert started.server.wait() == 0


def test_second_signal_while_stopping_does_no_harm(world, start_server):
    started = start_server(world.config(shutdown_timeout="2s"))
    with started.endpoints["h1"].connect() as connection:
        begin_request(connection, world)
        started.server.signal()
        wait_until(lambda: started.server.find_log(event="stopping"))
        started.server.signal()
        started.server.signal(signal.SIGINT)
        assert started.server.wait() == 0


def begin_request(connection, world):
    """Sends all but the last bytes of a request, and gives what sends the rest and reads the answer."""
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)]
    body = form_body(("token", world.token()))
    if connection.version == "HTTP/2":
        stream = connection.start("POST", "/introspect", headers, body[:-20], ends=False)
        connection.request("GET", "/introspect")  # once this is answered, the server has what came before

        def finish():
            connection.finish(stream, body[-20:])
            return connection.response(stream)

    else:
        connection.request("GET", "/introspect")
        data = request_bytes("POST", "/introspect", headers, body)
        connection.send(data[:-20])
        time.sleep(0.2)

        def finish():
            connection.send(data[-20:])
            return connection.read_response()

    return finish


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_request_in_flight_is_answered(world, start_server, protocol):
    started = start_server(world.config(shutdown_timeout="60s"), all_listeners=True)
    with started.endpoints[protocol].connect() as connection:
        finish = begin_request(connection, world)
        started.server.signal()
        if connection.version == "HTTP/2":
            connection.wait_for_goaway()
        else:
            wait_until(lambda: started.server.find_log(event="stopping"))
            time.sleep(0.2)
        assert started.server.process.poll() is None
        expect.is_active(finish())
        assert started.server.wait() == 0
        assert connection.is_closed_by_peer()
    assert started.server.log()[-1] | {"time": ""} == {"time": "", "level": "info", "event": "stopped", "requests_cut_off": 0}


def test_nothing_is_accepted_while_requests_in_flight_finish(world, start_server):
    started = start_server(world.config(shutdown_timeout="60s"), all_listeners=True)
    with started.endpoints["h1"].connect() as connection:
        finish = begin_request(connection, world)
        started.server.signal()
        for endpoint in started.endpoints.values():
            wait_until(stopped_accepting(endpoint), timeout_s=5)
        expect.is_active(finish())
        assert started.server.wait() == 0


def test_idle_connections_do_not_delay_the_end(world, start_server):
    started = start_server(world.config(shutdown_timeout="300s"), all_listeners=True)
    connections = []
    for protocol in PROTOCOLS:
        endpoint = started.endpoints[protocol]
        used = endpoint.connect()
        connections.append(used)
        expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=used))
        connections.append(endpoint.connect())  # which never asks for anything
    connections.append(started.admin.connect())
    bare = started.endpoints["tls-h1"].open_socket()  # which never begins its handshake
    try:
        started.server.signal()
        assert started.server.wait(60) == 0
    finally:
        bare.close()
        for connection in connections:
            connection.close()


@pytest.mark.parametrize("protocol", ["h1", "h2c", "tls-h2"])
def test_shutdown_timeout_bounds_what_never_ends(world, start_server, protocol):
    started = start_server(world.config(shutdown_timeout="1s"), all_listeners=True)
    with started.endpoints[protocol].connect() as connection:
        begin_request(connection, world)
        started.server.signal()
        assert started.server.wait(60) == 0
    assert started.server.log()[-1]["event"] == "stopped"


def test_shutdown_timeout_of_zero(world, start_server):
    started = start_server(world.config(shutdown_timeout="0s"))
    with started.endpoints["h1"].connect() as connection:
        begin_request(connection, world)
        started.server.signal()
        assert started.server.wait(60) == 0


def test_stop_while_requests_pour_in(world, start_server):
    """Every request that was taken gets a whole answer or none; the end is clean."""
    started = start_server(world.config(shutdown_timeout="30s"))
    endpoint = started.endpoints["h1"]
    data = introspection(world, world.token()) * 20
    connections = [endpoint.connect() for _ in range(10)]
    for connection in connections:
        connection.send(data)
    started.server.signal()
    answered = 0
    for connection in connections:
        try:
            for _ in range(20):
                expect.is_active(connection.read_response())
                answered += 1
        except (ConnectionEnded, ConnectionResetError):
            pass
        connection.close()
    assert started.server.wait() == 0


# Listeners


def test_two_processes_live_side_by_side(world, start_server):
    first, second = start_server(all_listeners=True), start_server(all_listeners=True)
    token = world.token()
    for started in (first, second):
        expect.is_active(started.endpoints["h1"].introspect(token, world.rfc))
    first.server.stop()
    for protocol in PROTOCOLS:
        expect.is_active(second.endpoints[protocol].introspect(token, world.rfc))


def test_ipv6_alone(world, directory):
    try:
        port = free_port(socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on this machine")
    config = world.config(listen=[{"address": f"[::1]:{port}"}])
    server = Server(directory, config, world.files, [("::1", port)]).start()
    expect.is_active(Endpoint("h1", ("::1", port)).introspect(world.token(), world.rfc))
    assert not accepts(("127.0.0.1", port))
    server.stop()


def test_port_zero_takes_any_port_and_names_it(world, directory):
    server = Server(directory, world.config(listen=[{"address": "127.0.0.1:0"}]), world.files).start()
    wait_until(lambda: server.process.poll() is not None or "started" in server.stderr())
    (listening,) = server.find_log(event="listening")
    host, _, port = listening["address"].rpartition(":")
    assert host == "127.0.0.1" and int(port) > 0
    expect.is_active(Endpoint("h1", (host, int(port))).introspect(world.token(), world.rfc))
    server.stop()


@pytest.fixture
def unix_server(world, directory):
    path = str(directory / "introspectd.sock")
    server = Server(directory, world.config(listen=[{"address": f"unix:{path}"}]), world.files, [path])
    yield server, path
    if server.process is not None and server.process.poll() is None:
        server.process.kill()
        server.process.wait()


def test_unix_socket_is_removed_at_the_end(world, unix_server):
    server, path = unix_server
    server.start()
    expect.is_active(Endpoint("unix", path).introspect(world.token(), world.rfc))
    server.stop()
    assert not os.path.lexists(path)


def test_stale_unix_socket_is_replaced(world, unix_server):
    server, path = unix_server
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    assert os.path.exists(path) and not accepts(path)
    server.start()
    expect.is_active(Endpoint("unix", path).introspect(world.token(), world.rfc))
    server.stop()


def test_unix_socket_left_by_a_crash_is_replaced(world, unix_server):
    server, path = unix_server
    server.start()
    server.process.kill()
    server.process.wait()
    assert os.path.exists(path)
    server.start()
    expect.is_active(Endpoint("unix", path).introspect(world.token(), world.rfc))
    server.stop()


def test_file_in_the_place_of_the_unix_socket_is_left_alone(unix_server):
    server, path = unix_server
    with open(path, "w") as file:
        file.write("precious")
    server.addresses = []
    server.start()
    assert server.wait() not in (0, 78)
    assert server.stderr().count("\n") == 1 and path in server.stderr(), server.stderr()
    with open(path) as file:
        assert file.read() == "precious"


def test_unix_socket_of_a_living_server_is_left_alone(world, unix_server, tmp_path):
    server, path = unix_server
    server.start()
    second = Server(tmp_path, world.config(listen=[{"address": f"unix:{path}"}]), world.files).start()
    assert second.wait() not in (0, 78)
    assert second.stderr().count("\n") == 1 and path in second.stderr(), second.stderr()
    expect.is_active(Endpoint("unix", path).introspect(world.token(), world.rfc))
    server.stop()


def test_threads(world, start_server):
    for threads in (1, 4):
        started = start_server(world.config(threads=threads))
        wait_until(lambda: started.server.find_log(event="started", threads=threads))
        for _ in range(20):  # connections land on different threads
            expect.is_active(started.endpoints["h1"].introspect(world.token("HS256"), world.rfc))
