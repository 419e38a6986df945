"""The end of a server as its callers see it: what was on its way when the signal came is answered."""

import contextlib
import pathlib
import select
import signal
import time

import pytest

from harness import expect, frames
from harness.endpoint import FORM, H1_PROTOCOLS, H2_PROTOCOLS, basic, form_body
from harness.http1 import request_bytes
from harness.raw_http2 import RawHttp2
from harness.server import wait_until

LONG_TIMEOUTS = dict.fromkeys(("handshake", "request", "response", "idle"), "1h")


def introspection(world, token=None):
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)]
    return headers, form_body(("token", token or world.token()))


def http1_introspection(world, token=None):
    return request_bytes("POST", "/introspect", *introspection(world, token))


@contextlib.contextmanager
def frozen(server):
    """What is sent meanwhile is there all at once when the process goes on."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status")
    server.signal(signal.SIGSTOP)
    try:
        wait_until(lambda: "State:\tT" in status.read_text())
        yield
    finally:
        server.signal(signal.SIGCONT)


@contextlib.contextmanager
def connections(endpoint, count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(endpoint.connect()) for _ in range(count)]


def test_header_block_that_is_cut_in_two(world, start_server):
    """With an answer that has no window besides, so that the connection stays."""
    started = start_server(world.config(threads=1, shutdown_timeout="3s"))
    headers, body = introspection(world)
    block = frames.header_block("POST", "/introspect", headers)
    with started.endpoints["h2c"].open_socket() as sock:
        sock.sendall(
            frames.PREFACE
            + frames.settings({frames.INITIAL_WINDOW_SIZE: 0})
            + frames.frame(frames.HEADERS, frames.END_HEADERS, 1, block)
            + frames.frame(frames.DATA, frames.END_STREAM, 1, body)
            + frames.frame(frames.HEADERS, frames.END_STREAM, 3, block[:10])
        )
        time.sleep(0.3)
        started.server.signal()
        time.sleep(1.5)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(frames.frame(frames.CONTINUATION, frames.END_HEADERS, 3, block[10:]))
        assert started.server.wait(15) == 0
    assert started.server.find_log(event="stopped")


@pytest.mark.parametrize("protocol", H2_PROTOCOLS)
def test_http2_body_that_goes_on_for_long(world, start_server, protocol):
    started = start_server(world.config(shutdown_timeout="60s"), all_listeners=True)
    headers, body = introspection(world)
    with started.endpoints[protocol].connect() as connection:
        stream = connection.start("POST", "/introspect", headers, body[:20], ends=False)
        connection.request("GET", "/introspect")  # once this is answered, the server has what came before
        started.server.signal()
        connection.wait_for_goaway()
        time.sleep(1.5)
        connection.finish(stream, body[20:])
        expect.is_active(connection.response(stream))
    assert started.server.wait() == 0
    assert started.server.find_log(event="stopped", requests_cut_off=0)


def test_requests_that_had_arrived_on_idle_connections(world, start_server):
    started = start_server(world.config(threads=1, shutdown_timeout="60s"))
    data = http1_introspection(world)
    with connections(started.endpoints["h1"], 900) as opened:
        for connection in opened:
            connection.send(data)
        for connection in opened:
            expect.is_active(connection.read_response())
        time.sleep(1.2)  # so that none is spared for being new
        with frozen(started.server):
            for connection in opened:
                connection.send(data)
            started.server.signal()
        for connection in opened:
            expect.is_active(connection.read_response())
            assert connection.is_closed_by_peer()
    assert started.server.wait() == 0


@pytest.mark.parametrize("protocol", H1_PROTOCOLS)
def test_first_request_of_a_connection_comes_after_the_signal(world, start_server, protocol):
    started = start_server(world.config(shutdown_timeout="60s"), all_listeners=True)
    data = http1_introspection(world)
    with started.endpoints[protocol].connect() as connection:
        started.server.signal()
        time.sleep(0.05)
        connection.send(data)
        response = connection.read_response()
        expect.is_active(response)
        assert response.get("connection") == "close"
    assert started.server.wait() == 0


def test_token_that_waited_to_be_verified(world, start_server):
    """Its connection is told to close, though the request was read before the drain."""
    started = start_server(world.config(threads=1, shutdown_timeout="60s"))
    requests = [http1_introspection(world, world.token("ES384")) for _ in range(250)]
    with connections(started.endpoints["h1"], len(requests)) as opened:
        for connection in opened:
            connection.request("GET", "/introspect")
        for connection, data in zip(opened, requests):
            connection.send(data)
        sockets = [connection.sock for connection in opened]
        wait_until(lambda: len(select.select(sockets, [], [], 0)[0]) > 50)
        started.server.signal()  # the others have been read too, and wait
        answers = [connection.read_response() for connection in opened]
    for answer in answers:
        expect.is_active(answer)
    assert "close" in [answer.get("connection") for answer in answers]
    assert started.server.wait() == 0


def test_preface_that_is_never_finished_does_not_delay_the_end(world, start_server):
    started = start_server(world.config(shutdown_timeout="300s"))
    with started.endpoints["h2c"].open_socket() as sock:
        sock.sendall(frames.PREFACE[:10])
        time.sleep(0.1)
        started.server.signal()
        assert started.server.wait(60) == 0


def test_stream_that_has_only_a_priority_does_not_delay_the_end(world, start_server):
    """As clients make them to put others in order; no request ever comes on them."""
    started = start_server(world.config(shutdown_timeout="25s"))
    with RawHttp2.on(started.endpoints["h2c"]) as peer:
        peer.send(frames.frame(0x2, stream=3, payload=b"\0\0\0\0\x10"))
        peer.is_answered()
        started.server.signal(signal.SIGTERM)
        assert started.server.wait(timeout_s=15) == 0
    assert started.server.find_log(event="stopped", requests_cut_off=0)


@contextlib.contextmanager
def draining_with_half_a_request(world, started):
    """Beyond the delay: what is in flight is waited for, and nothing else is."""
    headers, body = introspection(world)
    with started.endpoints["h2c"].connect() as connection:
        connection.start("POST", "/introspect", headers, body[:20], ends=False)
        connection.request("GET", "/introspect")  # once this is answered, the server has what came before
        started.server.signal()
        connection.wait_for_goaway()
        yield


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_another_signal_ends_the_drain(world, start_server, number):
    started = start_server(world.config(shutdown_timeout="1h", timeouts=LONG_TIMEOUTS))
    with draining_with_half_a_request(world, started):
        started.server.signal(number)
        assert started.server.wait() == 0
    assert started.server.find_log(event="stopping_at_once", signal=number.name.removeprefix("SIG"), level="warn")
    assert started.server.find_log(event="stopped", requests_cut_off=1)


def test_hangup_does_not_end_the_drain(world, start_server):
    started = start_server(world.config(shutdown_timeout="3s", timeouts=LONG_TIMEOUTS))
    began = time.monotonic()
    with draining_with_half_a_request(world, started):
        started.server.signal(signal.SIGHUP)
        assert started.server.wait() == 0
    assert time.monotonic() - began >= 3
    events = [event["event"] for event in started.server.log()]
    assert events[-2:] == ["stopping", "stopped"], events
