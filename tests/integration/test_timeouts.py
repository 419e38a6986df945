"""Peers that are slow, or do nothing: each is ended within its configured time, and nobody else is."""

import contextlib
import functools
import socket
import threading
import time

import pytest

from harness import expect, frames
from harness.endpoint import FORM, basic, form_body
from harness.http1 import ConnectionEnded, request_bytes
from harness.raw_http2 import CANCEL, NO_ERROR, RST_STREAM, RawHttp2, request
from harness.refusals import Refusals
from harness.reload import Reloads
from harness.server import wait_until

LONG = "50s"


def config_with(world, **timeouts):
    return world.config(threads=1, timeouts={**dict.fromkeys(("handshake", "request", "response", "idle"), LONG), **timeouts})


@pytest.fixture(scope="module")
def share(world, start_module_server):
    """A server, for all tests that want it, whose timeouts are long but those that are named."""
    return functools.cache(lambda **timeouts: start_module_server(config_with(world, **timeouts), all_listeners=True))


@pytest.fixture
def start(world, start_server):
    """One of the test's own."""
    return lambda **timeouts: start_server(config_with(world, **timeouts), all_listeners=True)


@pytest.fixture
def introspection(world):
    """Headers and body of a good request."""
    return [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)], form_body(("token", world.token("HS256")))


@contextlib.contextmanager
def dripping(sock, pieces, every_s=0.1):
    """Sends one piece after the other meanwhile."""
    is_over = threading.Event()

    def drip():
        with contextlib.suppress(OSError):
            for piece in pieces:
                if is_over.wait(every_s):
                    return
                sock.sendall(piece)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def is_closed(sock):
    """Waits for the peer to close, whatever it sends before."""
    try:
        while sock.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return True


def bytes_of(data):
    return [data[i : i + 1] for i in range(len(data))]


# Handshake


@pytest.mark.parametrize(
    "protocol, first, drip",
    [
        ("h1", b"", b""),
        ("h1", frames.PREFACE[:3], b""),
        ("h1", b"", frames.PREFACE),
        ("tls-h1", b"", b""),
        ("tls-h1", b"\x16\x03\x01\x02\x00", b"\x01" * 400),
    ],
    ids=["nothing", "part of the preface", "preface drip", "no ClientHello", "ClientHello drip"],
)
def test_handshake(share, world, protocol, first, drip):
    started = share(handshake="1s")
    endpoint, refusals = started.endpoints[protocol], Refusals(started)
    with endpoint.open_socket() as sock, endpoint.connect() as good:
        expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=good))
        sock.sendall(first)
        with dripping(sock, bytes_of(drip), every_s=0.3):
            assert is_closed(sock)
        refusals.wait_for("handshake_timeout")
        expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=good))


@pytest.mark.parametrize("drip", [b"", frames.PREFACE], ids=["nothing", "preface drip"])
def test_preface_behind_a_tls_handshake(share, drip):
    started = share(handshake="1s")
    refusals = Refusals(started)
    with started.endpoints["tls-h2"].open_tls(["h2"]) as sock, dripping(sock, bytes_of(drip), every_s=0.3):
        assert is_closed(sock)
    refusals.wait_for("handshake_timeout")


# Request


@pytest.mark.parametrize("protocol", ["h1", "tls-h1", "unix"])
@pytest.mark.parametrize("part", ["head", "body"])
def test_request_over_http1(share, introspection, world, protocol, part):
    started = share(request="1s")
    endpoint, refusals = started.endpoints[protocol], Refusals(started)
    data = request_bytes("POST", "/introspect", *introspection)
    at = 10 if part == "head" else data.index(b"\r\n\r\n") + 6
    with endpoint.connect() as slow, endpoint.connect() as good:
        slow.send(data[:at])
        with dripping(slow.sock, bytes_of(data[at:])):
            assert is_closed(slow.sock)
        refusals.wait_for("request_timeout")
        expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=good))


@pytest.mark.parametrize("protocol", ["h2c", "tls-h2"])
def test_slow_body_ends_its_stream_alone(share, introspection, protocol):
    started = share(request="1s")
    refusals = Refusals(started)
    headers, body = introspection
    with RawHttp2.on(started.endpoints[protocol]) as peer:
        peer.send(request(1, headers, b"token=", ends=False))
        with dripping(peer.sock, [frames.frame(frames.DATA, 0, 1, b"x")] * 300):
            assert peer.end_of(1).kind == RST_STREAM and peer.end_of(1).error == CANCEL
        refusals.wait_for("request_timeout")
        peer.send(request(3, headers, body))
        assert b'"active":true' in peer.body_of(3)


def test_many_slow_bodies_beside_a_good_one(share, introspection):
    started = share(request="1s")
    refusals = Refusals(started)
    headers, body = introspection
    streams = range(1, 140, 2)
    with RawHttp2.on(started.endpoints["h2c"]) as peer:
        peer.send(*[request(stream, headers, b"token=", ends=False) for stream in streams])
        peer.send(request(141, headers, body))
        assert b'"active":true' in peer.body_of(141)
        assert {peer.end_of(stream).error for stream in streams} == {CANCEL}
        refusals.wait_for("request_timeout", len(streams))
        peer.send(request(143, headers, body))
        assert b'"active":true' in peer.body_of(143)


def test_slow_header_block(share, introspection):
    """Nothing else can come on the connection meanwhile: what is left of the block ends it."""
    started = share(request="1s")
    refusals = Refusals(started)
    block = frames.header_block("POST", "/introspect", introspection[0])
    with RawHttp2.on(started.endpoints["h2c"]) as peer:
        peer.send(frames.frame(frames.HEADERS, 0, 1, block[:3]))
        with dripping(peer.sock, [frames.frame(frames.CONTINUATION, 0, 1, piece) for piece in bytes_of(block[3:])]):
            assert peer.end_of(1).error == CANCEL
            refusals.wait_for("request_timeout")
            assert peer.is_closed_by_peer()


# Response


def deaf_socket(endpoint):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.settimeout(0.5)
    sock.connect(endpoint.address)
    return sock


def send_until_there_is_no_room(sock, data, most):
    sent = 0
    with contextlib.suppress(TimeoutError, ConnectionError):
        while sent < most:
            sock.sendall(data)
            sent += len(data)


def test_http1_peer_that_never_reads(share, introspection):
    started = share(response="1s")
    endpoint, refusals = started.endpoints["h1"], Refusals(started)
    with deaf_socket(endpoint) as sock:
        send_until_there_is_no_room(sock, request_bytes("POST", "/introspect", *introspection) * 100, 1 << 24)
        refusals.wait_for("response_timeout")


def test_stream_whose_window_stays_closed(share, introspection):
    started = share(response="1s")
    refusals = Refusals(started)
    headers, body = introspection
    with RawHttp2.on(started.endpoints["h2c"]) as peer:
        peer.send(frames.settings({frames.INITIAL_WINDOW_SIZE: 0}), request(1, headers, body))
        peer.send(request(3, headers, body), frames.window_update(1000, 3))
        assert b'"active":true' in peer.body_of(3)
        assert peer.end_of(1).kind == RST_STREAM and peer.end_of(1).error == CANCEL
        refusals.wait_for("response_timeout")
        peer.send(request(5, headers, body), frames.window_update(1000, 5))
        assert b'"active":true' in peer.body_of(5)


@pytest.mark.parametrize("goes_on", [True, False], ids=["goes on sending", "waits"])
def test_http2_peer_that_never_reads(start, introspection, goes_on):
    started = start(response="1s")
    reloads, refusals = Reloads(started.server), Refusals(started)
    reloads.accept_config(lambda config: config["limits"].update(http2_control_frames=1000000))
    with deaf_socket(started.endpoints["h2c"]) as sock:
        sock.sendall(frames.PREFACE + frames.settings())
        # Until the server waits for room; then nothing more arrives that it could notice the peer by.
        send_until_there_is_no_room(sock, frames.ping() * 1000, 1 << 26 if goes_on else 9_000_000)
        refusals.wait_for("response_timeout")


# Idle


@pytest.mark.parametrize("protocol", ["h1", "tls-h1"])
def test_idle_http1(share, world, protocol):
    started = share(idle="1s")
    endpoint, refusals = started.endpoints[protocol], Refusals(started)
    with endpoint.connect() as connection:
        expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=connection))
        assert is_closed(connection.sock)
    refusals.wait_for("idle_timeout")


@pytest.mark.parametrize("protocol", ["h2c", "tls-h2"])
@pytest.mark.parametrize("drip", [[], [frames.ping()] * 100], ids=["nothing", "PING drip"])
def test_idle_http2(share, introspection, protocol, drip):
    started = share(idle="1s")
    refusals = Refusals(started)
    with RawHttp2.on(started.endpoints[protocol]) as peer:
        peer.send(request(1, *introspection))
        assert b'"active":true' in peer.body_of(1)
        with dripping(peer.sock, drip):
            assert peer.goaway().error == NO_ERROR and peer.goaway().last_stream == 1
            assert peer.is_closed_by_peer()
    refusals.wait_for("idle_timeout")


@pytest.mark.parametrize("protocol", ["h1", "h2c"])
def test_connection_in_use_is_not_idle(share, world, protocol):
    """Though it has no request most of the time."""
    started = share(idle="1s")
    endpoint, refusals = started.endpoints[protocol], Refusals(started)
    token = world.token()
    with endpoint.connect() as connection:
        for _ in range(40):
            expect.is_active(endpoint.introspect(token, world.rfc, connection=connection))
            time.sleep(0.1)
    assert refusals.more("idle_timeout") == 0


@pytest.mark.parametrize("protocol", ["h1", "h2c"])
def test_stranger_does_not_stay(share, protocol):
    """Who never proves to be a caller has the time of an idle connection, whatever it asks."""
    started = share(idle="1s")
    refusals = Refusals(started)
    with started.endpoints[protocol].connect() as connection, pytest.raises((ConnectionEnded, ConnectionError)):
        for _ in range(100):
            expect.invalid_request(connection.request("GET", "/introspect"), 405)
            time.sleep(0.1)
    refusals.wait_for("idle_timeout")


def test_operator_stays(share):
    """The admin listener has no callers to prove themselves."""
    started = share(idle="1s")
    with started.admin.connect() as connection:
        for _ in range(25):
            assert connection.request("GET", "/livez").status == 200
            time.sleep(0.1)


def test_reload_holds_for_present_connections(start, world):
    started = start()
    endpoint, refusals = started.endpoints["h1"], Refusals(started)
    with endpoint.connect() as connection, endpoint.open_socket() as silent:
        expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=connection))
        Reloads(started.server).accept_config(lambda config: config["timeouts"].update(idle="1s"))
        assert is_closed(connection.sock)
        refusals.wait_for("idle_timeout")
        Reloads(started.server).accept_config(lambda config: config["timeouts"].update(handshake="1s"))
        assert is_closed(silent)
        wait_until(lambda: refusals.more("handshake_timeout") == 1)
