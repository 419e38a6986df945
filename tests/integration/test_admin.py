"""The operations endpoints, and that they and the introspection endpoint keep apart."""

import json
import socket

import pytest

from harness import expect, metrics
from harness.endpoint import FORM, Endpoint, basic, form_body
from harness.server import Server, free_port, run, wait_until, write_config
from harness.stuck import stuck_loop
from harness.world import MAIN, OTHER


def test_alive_and_ready(running):
    for path in ("/livez", "/readyz"):
        for method in ("GET", "HEAD"):
            response = running.admin.request(method, path)
            assert response.status == 200, response
    assert json.loads(running.admin.request("GET", "/readyz").body) is not None


@pytest.fixture(scope="module")
def unready(world, start_module_server):
    config = world.config()
    config["issuers"][0]["jwks_file"] = "empty.json"
    return start_module_server(config, {"empty.json": '{"keys":[]}'})


def test_not_ready_names_the_issuer_without_keys(unready):
    response = unready.admin.request("GET", "/readyz")
    assert response.status == 503, response
    assert response.get("content-type") == "application/json"
    text = json.dumps(json.loads(response.body))
    assert MAIN in text and OTHER not in text, text
    assert unready.admin.request("GET", "/livez").status == 200


def test_ready_again_is_not_claimed_for_keys_that_fit_no_algorithm(world, start_server):
    """An issuer whose keys serve none of its algorithms can verify nothing, and a token of it gets no verdict or a refusal."""
    config = world.config()
    config["issuers"][3]["algorithms"] = ["RS256"]
    started = start_server(config)
    token = world.token("RS256", issuer=OTHER)
    response = started.endpoints["h1"].introspect(token, world.rfc)
    assert response.status in (200, 503), response
    if response.status == 200:
        expect.inactive(response, 200)


@pytest.mark.parametrize("path", ["/introspect", "/livez/", "/livezx", "/livez/x", "/readyz/x", "/LIVEZ"])
def test_other_paths_on_admin(running, path):
    assert running.admin.request("GET", path).status == 404


def test_introspection_is_not_served_on_admin(running, world):
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)]
    response = running.admin.request("POST", "/introspect", headers, form_body(("token", world.token())))
    assert response.status == 404 and b"active" not in response.body


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/", "/status.json"])
def test_operations_are_not_served_in_public(endpoint, path):
    expect.invalid_request(endpoint.request("GET", path), 404)


def test_probes_do_not_take_other_methods(running):
    for method in ("POST", "PUT", "DELETE"):
        response = running.admin.request(method, "/livez", body=b"")
        assert response.status == 405, response
        assert "GET" in response.get("allow")


def test_another_path_for_the_endpoint(world, start_server):
    h1 = start_server(world.config(path="/oauth2/v1/introspect")).endpoints["h1"]
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)]
    body = form_body(("token", world.token()))
    expect.is_active(h1.request("POST", "/oauth2/v1/introspect", headers, body))
    for path in ("/introspect", "/oauth2/v1", "/oauth2/v1/introspect/", "/oauth2/v1/introspect2"):
        expect.invalid_request(h1.request("POST", path, headers, body), 404)


def test_without_an_admin_listener(world, directory):
    port = free_port()
    config = world.config(listen=[{"address": f"127.0.0.1:{port}"}], admin="none")
    server = Server(directory, config, world.files, [("127.0.0.1", port)]).start()
    server.stop()
    assert [event["serves"] for event in server.find_log(event="listening")] == ["introspection"]


DEFAULT = ("127.0.0.1", 9090)


def try_to_take_the_default(sock):
    try:
        sock.bind(DEFAULT)
        sock.listen()
    except OSError:
        return False
    return True


def test_by_default_on_loopback(world, directory):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not try_to_take_the_default(probe):
            pytest.skip("port 9090 is somebody else's")
    server = Server(directory, world.config(admin=None), world.files, [DEFAULT]).start()
    assert Endpoint("h1", DEFAULT).request("GET", "/readyz").status == 200
    server.stop()
    (listening,) = server.find_log(event="listening", serves="operations")
    assert listening["address"] == "127.0.0.1:9090"


def test_default_that_is_taken(world, directory):
    """By this test, or by whoever has it already."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try_to_take_the_default(taken)
        config_file = write_config(directory, world.config(admin=None), world.files)
        done = run("serve", "--config", config_file)
    assert done.returncode == 71, done
    assert done.stderr == (
        f"introspectd: {config_file}: admin: 127.0.0.1:9090: Address already in use, which is the default: "
        "name another by admin.address, or write `admin: none`\n"
    )


@pytest.fixture
def plain(start_server):
    return start_server()


def test_operators_cannot_use_up_what_callers_need(plain, world):
    """Beyond a few connections the oldest ends for a new one: probes are answered, and so are callers."""
    held = []
    try:
        for _ in range(100):
            connection = plain.admin.connect()
            held.append(connection)
            assert connection.request("GET", "/livez").status == 200
        assert metrics.Metrics(plain.admin).value("introspectd_refusals_total", limit="admin_connections") >= 60
        expect.is_active(plain.endpoints["h1"].introspect(world.token(), world.rfc))
        wait_until(lambda: metrics.Metrics(plain.admin).value("process_open_fds") < 80)
        assert held[-1].request("GET", "/livez").status == 200
    finally:
        for connection in held:
            connection.close()


def test_what_operators_send_reaches_no_limit_of_callers(plain):
    before = metrics.Metrics(plain.admin)
    assert plain.admin.request("POST", "/explain", [("Content-Type", FORM)], b"token=" + b"x" * (4 << 20)).status == 413
    after = metrics.Metrics(plain.admin)
    for name, labels in before.series():
        if name in ("introspectd_refusals_total", "introspectd_requests_total"):
            assert after.samples[(name, labels)] == before.samples[(name, labels)], labels


def test_stuck_event_loop_is_not_alive(world, start_server):
    """What a supervisor asks is answered by another thread than what callers ask, and yet tells of theirs."""
    started = start_server(world.config(threads=1))
    with stuck_loop(started.server.process):
        assert started.admin.request("GET", "/livez").status == 200
        response = wait_until(lambda: (answer := started.admin.request("GET", "/livez")).status == 503 and answer, timeout_s=60)
        assert json.loads(response.body) == {"live": False, "problem": "an event loop does not turn"}
    wait_until(lambda: started.admin.request("GET", "/livez").status == 200)
