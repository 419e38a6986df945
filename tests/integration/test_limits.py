"""What is bound, and what happens at the bound: whoever is above it is refused or ended, everybody else is served."""

import contextlib
import functools

import pytest

from harness import expect, frames
from harness.endpoint import FORM, H2_PROTOCOLS, basic, form_body
from harness.http1 import ConnectionEnded, Http1Connection, request_bytes
from harness.raw_http2 import ENHANCE_YOUR_CALM, NO_ERROR, PROTOCOL_ERROR, RST_STREAM, RawHttp2, request
from harness.refusals import Refusals
from harness.reload import Reloads
from harness.server import wait_until

LIMITS = {"failed_authentications": 0}


@pytest.fixture
def start(world, start_server):
    return lambda **limits: start_server(world.config(threads=1, limits={**LIMITS, **limits}))


@pytest.fixture(scope="module")
def share(world, start_module_server):
    """A server for all tests that want these limits."""
    return functools.cache(lambda **limits: start_module_server(world.config(threads=1, limits={**LIMITS, **limits})))


@pytest.fixture
def change(world):
    """Reloads a server with other limits."""
    return lambda started, **limits: Reloads(started.server).accept_config(lambda config: config["limits"].update(limits))


@pytest.fixture
def introspection(world):
    """Headers and body of a good request."""
    return [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)], form_body(("token", world.token("HS256")))


@pytest.fixture
def assert_served(world):
    return lambda endpoint, connection=None: expect.is_active(endpoint.introspect(world.token("HS256"), world.rfc, connection=connection))


def is_turned_away(endpoint):
    with endpoint.open_socket() as sock, Http1Connection(sock) as connection:
        return connection.is_closed_by_peer()


# Connections


def test_connections(start, change, assert_served):
    started = start(max_connections=3)
    endpoint = started.endpoints["h1"]
    # Those that saw whether it listens may still be there.
    wait_until(lambda: not is_turned_away_at_once(endpoint))
    refusals = Refusals(started)
    with contextlib.ExitStack() as stack:
        there = [stack.enter_context(endpoint.connect()) for _ in range(3)]
        for connection in there:
            assert_served(endpoint, connection)
        assert is_turned_away(endpoint)
        refusals.wait_for("connections")
        for connection in there:
            assert_served(endpoint, connection)
        there[0].close()
        wait_until(lambda: not is_turned_away_at_once(endpoint))
        change(started, max_connections=1)
        assert is_turned_away(endpoint)
        for connection in there[1:]:
            assert_served(endpoint, connection)
        change(started, max_connections=4)
        assert_served(endpoint)


def is_turned_away_at_once(endpoint):
    try:
        return endpoint.request("GET", "/introspect").status != 405
    except (ConnectionEnded, ConnectionError):
        return True


def test_connections_of_an_address(start, change, assert_served):
    started = start(max_connections_per_address=2)
    one, other = (started.endpoints["h1"].seen_from(address) for address in ("127.0.0.2", "127.0.0.3"))
    refusals = Refusals(started)
    with one.connect() as first, one.connect() as second, other.connect() as others:
        for connection in (first, second, others):
            assert_served(one, connection)
        assert is_turned_away(one)
        refusals.wait_for("connections_per_address")
        for connection in (first, second, others):
            assert_served(one, connection)
        assert_served(other)
        change(started, max_connections_per_address=1)
        assert is_turned_away(other)
        for connection in (first, second, others):
            assert_served(one, connection)
        change(started, max_connections_per_address=3)
        assert_served(one)


# Requests of a connection


def test_requests_of_an_http1_connection(share, introspection, assert_served):
    started = share(max_requests_per_connection=3)
    endpoint, refusals = started.endpoints["h1"], Refusals(started)
    with endpoint.connect() as connection:
        for is_last in (False, False, True):
            response = connection.request("POST", "/introspect", *introspection)
            expect.is_active(response)
            assert (response.get("connection") == "close") is is_last, response
        assert connection.is_closed_by_peer()
    refusals.wait_for("requests_per_connection")
    with endpoint.connect() as pipelined:
        pipelined.send(request_bytes("POST", "/introspect", *introspection) * 5)
        for _ in range(3):
            expect.is_active(pipelined.read_response())
        assert pipelined.is_closed_by_peer()
    assert_served(endpoint)


def test_requests_of_an_http2_connection(share, introspection, assert_served):
    started = share(max_requests_per_connection=3)
    endpoint, refusals = started.endpoints["h2c"], Refusals(started)
    headers, body = introspection
    with RawHttp2.on(endpoint) as peer:
        peer.send(request(1, headers, body[:5], ends=False), request(3, headers, body), request(5, headers, body))
        assert peer.goaway().error == NO_ERROR and peer.goaway().last_stream == 5
        # Streams that were on their way are not served; those that were open are.
        peer.send(request(7, headers, body), request(9, headers, body))
        assert b'"active":true' in peer.body_of(3) and b'"active":true' in peer.body_of(5)
        peer.is_answered()
        peer.send(frames.frame(frames.DATA, frames.END_STREAM, 1, body[5:]))
        assert b'"active":true' in peer.body_of(1)
        assert peer.is_closed_by_peer()
        assert not [frame for frame in peer.received if frame.stream > 5], peer.received
    refusals.wait_for("requests_per_connection")
    assert_served(endpoint)


def test_reload_with_fewer_requests(start, change, introspection):
    started = start()
    with started.endpoints["h1"].connect() as http1, RawHttp2.on(started.endpoints["h2c"]) as http2:
        for stream in (1, 3, 5):
            expect.is_active(http1.request("POST", "/introspect", *introspection))
            http2.send(request(stream, *introspection))
            assert http2.end_of(stream)
        change(started, max_requests_per_connection=2)
        assert http1.request("POST", "/introspect", *introspection).get("connection") == "close"
        http2.send(request(7, *introspection))
        assert http2.goaway().last_stream == 7
        assert b'"active":true' in http2.body_of(7)
        assert http2.is_closed_by_peer()


# Headers


def more_headers(count, size=1):
    return [(f"x-{i}", "x" * size) for i in range(count)]


@pytest.mark.parametrize("protocol", ["h1", "h2c"])
@pytest.mark.parametrize("limits, more", [({"max_headers": 20}, (25, 1)), ({"max_header_bytes": 2048}, (3, 700))], ids=["number", "bytes"])
def test_headers(share, introspection, assert_served, protocol, limits, more):
    started = share(**limits)
    endpoint, refusals = started.endpoints[protocol], Refusals(started)
    headers, body = introspection
    with endpoint.connect() as connection:
        assert_served(endpoint, connection)
        expect.invalid_request(connection.request("POST", "/introspect", headers + more_headers(*more), body), 431)
        assert_served(endpoint, connection)
    refusals.wait_for("headers")


@pytest.mark.parametrize("limits, more", [({"max_headers": 20}, (45, 1)), ({"max_header_bytes": 2048}, (7, 700))], ids=["number", "bytes"])
@pytest.mark.parametrize("piece", [10000, 7], ids=["at once", "CONTINUATION"])
def test_headers_far_above(share, introspection, limits, more, piece):
    started = share(**limits)
    refusals = Refusals(started)
    block = frames.header_block("POST", "/introspect", introspection[0] + more_headers(*more))
    with RawHttp2.on(started.endpoints["h2c"]) as peer, RawHttp2.on(started.endpoints["h2c"]) as good:
        peer.send(frames.frame(frames.HEADERS, frames.END_HEADERS if piece > len(block) else 0, 1, block[:piece]))
        for at in range(piece, len(block), piece):
            is_last = at + piece >= len(block)
            peer.send_to_the_end(frames.frame(frames.CONTINUATION, frames.END_HEADERS if is_last else 0, 1, block[at : at + piece]))
        assert peer.goaway().error == ENHANCE_YOUR_CALM
        assert peer.is_closed_by_peer()
        refusals.wait_for("headers")
        good.send(request(1, *introspection))
        assert b'"active":true' in good.body_of(1)


def test_headers_far_above_over_http1(share, introspection, assert_served):
    started = share()
    headers, body = introspection
    for more in (more_headers(150), more_headers(40, 16000)):
        with started.endpoints["h1"].connect() as connection:
            with contextlib.suppress(ConnectionEnded, ConnectionError):
                assert connection.request("POST", "/introspect", headers + more, body).status in (400, 431)
            assert connection.is_closed_by_peer()
    assert_served(started.endpoints["h1"])


def test_block_that_ends_on_another_stream(share, introspection):
    """The library would take it for headers behind the body of stream 1."""
    started = share()
    headers, body = introspection
    with RawHttp2.on(started.endpoints["h2c"]) as peer:
        peer.send(request(1, headers[1:], body, ends=False))
        peer.send(frames.frame(frames.HEADERS, frames.END_STREAM, 3, b""))
        peer.send(frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, frames.trailer_block(headers[:1])))
        assert peer.goaway().error == PROTOCOL_ERROR
        assert peer.is_closed_by_peer()
        assert not [frame for frame in peer.received if frame.stream != 0], peer.received


# Bodies


@pytest.mark.parametrize("protocol", ["h1", "h2c"])
def test_body(share, introspection, assert_served, protocol):
    started = share(max_body="1KiB", max_token="1KiB")
    endpoint, refusals = started.endpoints[protocol], Refusals(started)
    with endpoint.connect() as connection:
        expect.invalid_request(connection.request("POST", "/introspect", introspection[0], b"x" * 1025), 413)
        if protocol in H2_PROTOCOLS:
            assert_served(endpoint, connection)
        else:
            assert connection.is_closed_by_peer()
    refusals.wait_for("body")


def test_buffered(share, introspection):
    started = share(max_body="16KiB", max_token="16KiB", max_buffered="64KiB")
    refusals = Refusals(started)
    headers, body = introspection
    piece = frames.frame(frames.DATA, 0, 1, b"x" * 8192)
    with RawHttp2.on(started.endpoints["h2c"]) as peer, RawHttp2.on(started.endpoints["h2c"]) as good:
        # More than that is no offence in bodies that are answered at once.
        good.send(request(1, headers, body))
        assert b'"active":true' in good.body_of(1)
        for stream in range(3, 41, 2):
            good.send(request(stream, headers, body + b"&more=" + b"x" * 15000))
        assert all(good.end_of(stream).kind != RST_STREAM for stream in range(1, 41, 2))
        for stream in range(1, 31, 2):
            peer.send_to_the_end(request(stream, headers, b"x" * 8192, ends=False))
        assert peer.goaway().error == ENHANCE_YOUR_CALM
        assert peer.is_closed_by_peer()
        refusals.wait_for("buffered")
        good.send(request(41, headers, body))
        assert b'"active":true' in good.body_of(41)


def test_waiting(world, start_server, introspection):
    started = start_server(world.config(threads=1, limits={**LIMITS, "max_waiting": 1}, cache={"max_bytes": 0}))
    refusals = Refusals(started)
    headers = introspection[0]
    token = world.token("ES512")
    bodies = [form_body(("token", token[:-8] + f"{i:08}")) for i in range(40)]
    with RawHttp2.on(started.endpoints["h2c"]) as peer:
        peer.send(*[request(2 * i + 1, headers, body) for i, body in enumerate(bodies)])
        answers = [peer.body_of(2 * i + 1) for i in range(len(bodies))]
    refused = sum(b"temporarily_unavailable" in answer for answer in answers)
    assert refused > 0 and refused + sum(answer == b'{"active":false}' for answer in answers) == len(answers), answers
    refusals.wait_for("waiting", refused)


# Floods


def test_resets(start, change, introspection, assert_served):
    started = start(http2_resets=10)
    endpoint, refusals = started.endpoints["h2c"], Refusals(started)
    headers, body = introspection
    with RawHttp2.on(endpoint) as peer, endpoint.connect() as good:
        for stream in range(1, 200, 2):
            reset = frames.frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
            peer.send_to_the_end(request(stream, headers, body, ends=False), reset)
        assert peer.goaway().error == ENHANCE_YOUR_CALM
        assert peer.is_closed_by_peer()
        refusals.wait_for("http2_resets")
        assert_served(endpoint, good)


def test_few_resets_and_many_answers_are_no_flood(share, introspection):
    """Answers that are under way are none either."""
    started = share(http2_resets=5)
    refusals = Refusals(started)
    headers, body = introspection
    with RawHttp2.on(started.endpoints["h2c"]) as peer:
        peer.send(frames.window_update(1 << 24), request(1, headers, body))
        assert b'"active":true' in peer.body_of(1)
        for first in range(3, 1203, 120):
            streams = range(first, first + 120, 2)
            peer.send(*[request(stream, headers, body) for stream in streams])
            assert all(b'"active":true' in peer.body_of(stream) for stream in streams)
            peer.received.clear()
    assert not any(value != refusals.before[name] for name, value in refusals.now().items())


CONTROL_FRAMES = {
    "PING": frames.ping(),
    "SETTINGS": frames.settings({frames.INITIAL_WINDOW_SIZE: 65535}),
    "WINDOW_UPDATE": frames.window_update(1),
    "unknown": frames.frame(0x2A, payload=b"xx"),
    "empty DATA": frames.frame(frames.DATA, 0, 1),
}


@pytest.mark.parametrize("name", CONTROL_FRAMES)
def test_control_frames(share, introspection, assert_served, name):
    started = share(http2_control_frames=100)
    endpoint, refusals = started.endpoints["h2c"], Refusals(started)
    with RawHttp2.on(endpoint) as peer, endpoint.connect() as good:
        peer.send(request(1, *introspection, ends=False))
        peer.send_to_the_end(CONTROL_FRAMES[name] * 600)
        assert peer.goaway().error == ENHANCE_YOUR_CALM
        assert peer.is_closed_by_peer()
        refusals.wait_for("http2_control_frames")
        assert_served(endpoint, good)
    assert "skipping frame" not in started.server.stderr()


def test_reload_with_fewer_control_frames(start, change):
    started = start(http2_control_frames=100000)
    with RawHttp2.on(started.endpoints["h2c"]) as peer:
        peer.send(frames.ping() * 500)
        peer.is_answered()
        change(started, http2_control_frames=100)
        peer.send_to_the_end(frames.ping() * 500)
        assert peer.goaway().error == ENHANCE_YOUR_CALM


# Headers behind the body


@pytest.mark.parametrize("is_split", [False, True], ids=["at once", "CONTINUATION"])
def test_trailers(share, introspection, is_split):
    started = share()
    refusals = Refusals(started)
    headers, body = introspection
    block = frames.trailer_block(headers[:1])
    with RawHttp2.on(started.endpoints["h2c"]) as peer:
        # The one with the trailers has no credentials but those.
        peer.send(request(1, headers[1:], body, ends=False), request(3, headers, body[:4], ends=False))
        if is_split:
            peer.send(frames.frame(frames.HEADERS, frames.END_STREAM, 1, block[:9]))
            peer.send(frames.frame(frames.CONTINUATION, 0, 1, block[9:12]))
            peer.send(frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, block[12:]), request(5, headers, body))
        else:
            trailers = frames.frame(frames.HEADERS, frames.END_STREAM | frames.END_HEADERS, 1, block)
            peer.send(trailers, request(5, headers, body))
        assert b"invalid_request" in peer.body_of(1)
        peer.send(frames.frame(frames.DATA, frames.END_STREAM, 3, body[4:]))
        assert b'"active":true' in peer.body_of(3) and b'"active":true' in peer.body_of(5)
    refusals.wait_for("ambiguous_request")


# Memory


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_header_that_the_library_unfolds(start, introspection, assert_served):
    """A digest of a client's cache takes one byte when HPACK's table has it, and its keys would be 200 KiB."""
    started = start()
    endpoint, pid = started.endpoints["h2c"], started.server.process.pid
    assert_served(endpoint)
    before = resident_bytes(pid)
    digest = b"-A" + b"_" * 3900
    name, size = b"cache-digest", len(digest) - 127
    field = b"\x40" + bytes([len(name)]) + name + b"\x7f" + bytes([size & 0x7F | 0x80, size >> 7]) + digest
    first = frames.header_block("POST", "/introspect", introspection[0])
    with RawHttp2.on(endpoint) as peer:
        for stream in range(1, 9, 2):
            block = first + (field if stream == 1 else b"") + b"\xbe" * 80
            peer.send(frames.frame(frames.HEADERS, frames.END_HEADERS, stream, block))
        peer.is_answered()
        assert resident_bytes(pid) - before < 16 << 20
        assert_served(endpoint)
