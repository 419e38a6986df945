"""HTTP/2 peers that do not read what they are sent, and requests that the HTTP library answers by itself."""

import contextlib
import socket
import threading
import time

import pytest

from harness import expect, frames
from harness.endpoint import FORM, Endpoint, basic, form_body

STREAMS = range(0, 180, 2)


def patient(world):
    """A config whose budgets such peers do not use up, so that they come to where the library used to fail."""
    config = world.config(threads=1)
    config["limits"].update(http2_resets=1000000, http2_control_frames=1000000)
    return config


class DeafEndpoint(Endpoint):
    """Whose sockets have next to no room for what nobody reads."""

    @classmethod
    def like(cls, endpoint):
        return cls(endpoint.protocol, endpoint.address, certificate_file=endpoint.certificate_file)

    def open_socket(self):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        sock.settimeout(1)
        sock.connect(self.address)
        return sock

    def open_http2(self):
        sock = self.open_tls(["h2"]) if self.protocol == "tls-h2" else self.open_socket()
        sock.sendall(frames.PREFACE + frames.settings() + frames.window_update(0x7FFFFFFF - 65535))
        return sock


def answers_that_get_stuck():
    """Requests, PING frames that want answers too, and windows that close and open over streams that are answered."""
    windows = frames.settings({frames.INITIAL_WINDOW_SIZE: 0}) + frames.settings({frames.INITIAL_WINDOW_SIZE: 65535})
    for first in range(1, 1 << 20, 180):
        yield b"".join(frames.get("/introspect", first + stream) + frames.ping() * 10 for stream in STREAMS)
        yield windows
        yield b"".join(frames.window_update(1, first + stream) for stream in STREAMS)


@pytest.mark.parametrize("protocol", ["h2c", "tls-h2"])
def test_peer_that_does_not_read(world, start_server, protocol):
    endpoint = start_server(patient(world), all_listeners=True).endpoints[protocol]
    with DeafEndpoint.like(endpoint).open_http2() as deaf, endpoint.connect() as good:
        introspect = lambda: endpoint.introspect(world.token("HS256"), world.rfc, connection=good)  # noqa: E731
        with pytest.raises(TimeoutError):  # the server does not read what it has no room to answer
            for data in answers_that_get_stuck():
                deaf.sendall(data)
                expect.is_active(introspect())  # and the server has seen this piece apart from the next
        expect.is_active(introspect())
    expect.is_active(endpoint.introspect(world.token(), world.rfc))


def send_until_there_is_no_room(sock, data):
    """Sends data again and again, and gives what there was no room for of the last."""
    while True:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[sock.send(rest) :]
            except TimeoutError:
                return rest.tobytes()


def test_peer_that_reads_late_is_answered(world, start_server):
    """What was left unread while answers were stuck is read when they are through."""
    endpoint = start_server(patient(world)).endpoints["h2c"]
    with DeafEndpoint.like(endpoint).open_http2() as sock:
        rest = send_until_there_is_no_room(sock, frames.ping() * 1000)
        sock.settimeout(30)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sender = threading.Thread(target=sock.sendall, args=[rest + frames.get("/introspect")])
        sender.start()
        received = b""
        while b"invalid_request" not in received:
            piece = sock.recv(1 << 20)
            assert piece, "closed without an answer"
            received = received[-100:] + piece
        sender.join()


@pytest.mark.parametrize(("piece", "room"), [(1 << 16, 1 << 12), (1 << 16, 1 << 16), (1 << 20, 1 << 12)])
def test_peer_that_reads_in_pieces(world, start_server, piece, room):
    """What is written when there is hardly room, and is through at once, is no reason to wait for more room."""
    endpoint = start_server(patient(world)).endpoints["h2c"]
    for _ in range(2):
        # The server may close the connection of such a peer; what it must not do is end.
        with contextlib.suppress(ConnectionError), DeafEndpoint.like(endpoint).open_http2() as sock:
            sock.settimeout(0.2)
            send_until_there_is_no_room(sock, frames.ping() * 1000)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            sock.settimeout(0.05)
            for _ in range(400):
                try:
                    if not sock.recv(piece):
                        break
                except TimeoutError:
                    break
        expect.is_active(endpoint.introspect(world.token("HS256"), world.rfc))


def read_until_quiet(sock, rest):
    """Reads what is there, and sends rest when there is room."""
    sender = threading.Thread(target=sock.sendall, args=[rest])
    sender.start()
    sock.settimeout(0.5)
    try:
        while True:
            assert sock.recv(1 << 20), "closed"
    except TimeoutError:
        sender.join()


def test_peer_that_reads_late_and_then_not_at_all(world, start_server):
    """The library stops and starts reading by itself when it has much to write; it must not read past our guard from then on."""
    endpoint = start_server(patient(world)).endpoints["h2c"]
    with contextlib.suppress(ConnectionError), DeafEndpoint.like(endpoint).open_http2() as sock:
        sock.settimeout(0.3)
        rest = send_until_there_is_no_room(sock, frames.ping() * 1000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        read_until_quiet(sock, rest)
        with pytest.raises(TimeoutError):
            for data in answers_that_get_stuck():
                sock.sendall(data)
                time.sleep(0.001)  # the server sees this piece apart from the next
    expect.is_active(endpoint.introspect(world.token(), world.rfc))


# Errors that the library finds before the request is ours


@pytest.fixture
def bad_headers(world):
    return [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM), ("X-Bad", "a\nb")]


def test_error_of_the_library_has_our_form(h2_endpoint, world, bad_headers):
    with h2_endpoint.connect() as connection:
        for method in ("GET", "POST"):
            expect.invalid_request(connection.request(method, "/introspect", bad_headers))
        expect.is_active(connection.request("POST", "/introspect", bad_headers[:2], form_body(("token", world.token()))))


def test_error_of_the_library_on_head_has_no_body(h2_endpoint, world, bad_headers):
    with h2_endpoint.connect() as connection:
        response = connection.request("HEAD", "/introspect", bad_headers)
        assert response.status == 400 and response.get("content-type") == "application/json", response
        assert response.body == b"", response
        expect.is_active(connection.request("POST", "/introspect", bad_headers[:2], form_body(("token", world.token()))))


@pytest.mark.parametrize("header", ["Content-Length: zz", "Content-Length: 3\r\nExpect: something"], ids=["400", "417"])
def test_error_of_the_library_over_http1(h1_endpoint, header):
    data = f" /introspect HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode()
    with h1_endpoint.connect() as connection:
        connection.send(b"POST" + data)
        response = connection.read_response()
        expect.invalid_request(response, response.status)
    with h1_endpoint.connect() as connection:
        connection.send(b"HEAD" + data)
        assert connection.read_response("HEAD").get("content-length") == str(len(response.body))
        assert connection.is_closed_by_peer()  # with nothing behind the header
