"""Listeners behind proxies that speak the PROXY protocol: whom they let in, and what they take for a header."""

import pathlib
import shutil
import socket
import tempfile
import time

import pytest

from harness import expect, proxies
from harness.endpoint import FORM, PROTOCOLS, Endpoint, basic, form_body
from harness.http1 import Http1Connection, request_bytes
from harness.http2 import Http2Connection
from harness.proxies import LOCAL, PROXY, TCP4, TCP6, UNIX, UNSPEC, GluedSocket, MemoryTls, Proxied, binary, tlv, v1, v2
from harness.reload import Reloads
from harness.server import Server, free_port

CLIENT = "198.51.100.7"

GOOD_HEADERS = {
    "v1-tcp4": v1(CLIENT),
    "v1-tcp6": v1("2001:db8::7"),
    "v1-unknown": b"PROXY UNKNOWN\r\n",
    "v1-longest": b"PROXY UNKNOWN ".ljust(105, b"x") + b"\r\n",
    "v2-tcp4": v2(CLIENT),
    "v2-tcp6": v2("2001:db8::7"),
    "v2-tlvs": v2(CLIENT, tlv(0x01, b"h2") + tlv(0x02, b"localhost") + tlv(0x04, b"")),
    "v2-longest": v2(CLIENT, tlv(0x04, b"\n" * (4096 - 28 - 3))),
    "v2-local": binary(LOCAL, UNSPEC),
    "v2-local-with-address": binary(LOCAL, TCP4, bytes(12)),
    "v2-unix": binary(PROXY, UNIX, b"/run/client.sock".ljust(216, b"\0")),
    "v2-unspec": binary(PROXY, UNSPEC),
}

BAD_HEADERS = {
    "nothing-but-http1": request_bytes("GET", "/introspect"),
    "nothing-but-http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "nothing-but-tls": bytes.fromhex("16030100050100000100"),
    "v1-lower-case": b"proxy tcp4 198.51.100.7 203.0.113.1 1 2\r\n",
    "v1-bare-lf": b"PROXY TCP4 198.51.100.7 203.0.113.1 1 2\n",
    "v1-bad-address": b"PROXY TCP4 198.51.100.256 203.0.113.1 1 2\r\n",
    "v1-bad-port": b"PROXY TCP4 198.51.100.7 203.0.113.1 1 65536\r\n",
    "v1-other-family": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "v1-endless": b"PROXY UNKNOWN ".ljust(107, b"x"),
    "v1-two-spaces": b"PROXY  TCP4 198.51.100.7 203.0.113.1 1 2\r\n",
    "v2-version-1": binary(0x11, TCP4, bytes(12)),
    "v2-command": binary(0x22, TCP4, bytes(12)),
    "v2-family": binary(PROXY, 0x41, bytes(12)),
    "v2-transport": binary(PROXY, 0x13, bytes(12)),
    "v2-too-short": binary(PROXY, TCP6, bytes(12)),
    "v2-too-long": v2(CLIENT, tlv(0x04, bytes(4097 - 28 - 3))),
    "v2-huge": proxies.MARK + bytes([PROXY, TCP4]) + b"\xff\xff",
}


class Behind:
    """A server with every kind of listener behind proxies, and one beside them that is not."""

    def __init__(self, world):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-"))
        listen, self.endpoints = world.listeners(self.directory)
        self.endpoints.pop("ipv6", None)
        listen = [{**listener, "proxy_protocol": True} for listener in listen[:3]]
        port = free_port()
        listen.append({"address": f"127.0.0.1:{port}"})
        self.direct = Endpoint("h1", ("127.0.0.1", port))
        trusted = ["127.0.0.1", "127.0.0.8/29", "10.0.0.0/8"]
        self.config = world.config(listen=listen, trusted_proxies=trusted, shutdown_timeout="5s")
        addresses = [endpoint.address for endpoint in [*self.endpoints.values(), self.direct]]
        self.server = Server(self.directory, self.config, world.files, addresses)

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        try:
            self.server.stop()
        finally:
            if self.server.process.poll() is None:
                self.server.process.kill()
                self.server.process.wait()
            shutil.rmtree(self.directory)

    def endpoint(self, protocol, header=b"", source=None):
        return Proxied(self.endpoints[protocol], header, source)


@pytest.fixture(scope="module")
def behind(world):
    with Behind(world) as started:
        yield started


@pytest.fixture
def introspection(world):
    """Headers and body of a good request."""
    return [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)], form_body(("token", world.token("HS256")))


def is_closed(sock):
    """Waits for the peer's end; nothing may come before."""
    try:
        data = sock.recv(1)
    except (ConnectionResetError, BrokenPipeError):
        return True
    assert data == b"", data
    return True


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("header", GOOD_HEADERS.values(), ids=GOOD_HEADERS)
def test_header_in_front(behind, world, protocol, header):
    endpoint = behind.endpoint(protocol, header)
    expect.is_active(endpoint.introspect(world.token(), world.rfc))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("header", [v1(CLIENT), v2(CLIENT), GOOD_HEADERS["v2-longest"]], ids=["v1", "v2", "v2-longest"])
def test_header_in_one_piece_with_what_the_client_sends(behind, introspection, protocol, header):
    endpoint = behind.endpoint(protocol)
    sock = GluedSocket(endpoint.open_bare_socket(), header)
    with speak(endpoint, sock) as connection:
        expect.is_active(connection.request("POST", "/introspect", *introspection))


def speak(endpoint, sock):
    """The endpoint's protocol over an object that is nearly a socket."""
    if endpoint.protocol == "tls-h1":
        return Http1Connection(MemoryTls(sock, endpoint.certificate_file, ["http/1.1"]))
    if endpoint.protocol == "tls-h2":
        return Http2Connection(MemoryTls(sock, endpoint.certificate_file, ["h2"]), "https")
    return Http2Connection(sock, "http") if endpoint.protocol == "h2c" else Http1Connection(sock)


class Cut:
    """A socket whose first piece is cut at a place, with a pause there."""

    def __init__(self, sock, header, at):
        self.recv, self.close, self.whole, self.header, self.at = sock.recv, sock.close, sock, header, at

    def sendall(self, data):
        data, self.header = self.header + data, b""
        if self.at:
            self.whole.sendall(data[: self.at])
            time.sleep(0.05)
            data, self.at = data[self.at :], 0
        self.whole.sendall(data)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("header", [v1(CLIENT), v2(CLIENT)], ids=["v1", "v2"])
@pytest.mark.parametrize("place", [-20, -1, 0, 1, 3, 30])
def test_pieces_that_end_near_the_headers_end(behind, introspection, protocol, header, place):
    endpoint = behind.endpoint(protocol)
    with speak(endpoint, Cut(endpoint.open_bare_socket(), header, len(header) + place)) as connection:
        expect.is_active(connection.request("POST", "/introspect", *introspection))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("header", [v1(CLIENT), v2(CLIENT)], ids=["v1", "v2"])
def test_header_byte_by_byte(behind, introspection, protocol, header):
    endpoint = behind.endpoint(protocol)
    sock = endpoint.open_bare_socket()
    for i in range(len(header)):
        sock.sendall(header[i : i + 1])
        time.sleep(0.0005)
    with speak(endpoint, sock) as connection:
        expect.is_active(connection.request("POST", "/introspect", *introspection))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_bad_header_ends_the_connection(behind, world, protocol, header):
    with behind.endpoint(protocol, header).open_socket() as sock:
        assert is_closed(sock)
    expect.is_active(behind.endpoint(protocol, v2(CLIENT)).introspect(world.token(), world.rfc))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_second_header_is_none(behind, protocol):
    """It is the client's, and not even a request."""
    with behind.endpoint(protocol, v1(CLIENT) + v1(CLIENT)).open_socket() as sock:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            data = b""
        assert b" 200 " not in data, data


@pytest.mark.parametrize("protocol", ["h1", "h2c", "tls-h1", "tls-h2"])
@pytest.mark.parametrize("header", [b"", v1(CLIENT), v2(CLIENT), binary(LOCAL, UNSPEC)], ids=["none", "v1", "v2", "local"])
def test_untrusted_peer_is_closed_at_once(behind, protocol, header):
    endpoint = behind.endpoint(protocol, source="127.0.0.2")
    with endpoint.open_bare_socket() as sock:
        try:
            sock.sendall(header)
        except (BrokenPipeError, ConnectionResetError):
            pass  # closed before it was sent
        sock.settimeout(5)  # well before anything times out
        assert is_closed(sock)


def test_other_trusted_addresses(behind, world):
    for source in ("127.0.0.8", "127.0.0.15"):
        expect.is_active(behind.endpoint("h1", v1(CLIENT), source).introspect(world.token(), world.rfc))
    for source in ("127.0.0.7", "127.0.0.16"):
        with behind.endpoint("h1", source=source).open_bare_socket() as sock:
            assert is_closed(sock)


def test_listener_without_it_takes_no_header(behind, world):
    expect.is_active(behind.direct.introspect(world.token(), world.rfc))
    with Proxied(behind.direct, v1(CLIENT)).open_socket() as sock:
        sock.sendall(request_bytes("GET", "/introspect"))
        assert sock.recv(4096).split(b" ")[1] == b"400"


def test_what_never_comes_ends_with_the_handshakes_time(behind):
    """So many bytes, then nothing, or one byte now and then: the default is ten seconds from the start for all of it."""
    beginnings = [b"", b"P", v1(CLIENT)[:-1], v2(CLIENT)[:1], v2(CLIENT)[:20], v2(CLIENT)[:-1], v1(CLIENT), v2(CLIENT)]
    waiting = []
    for protocol in PROTOCOLS:
        for beginning in beginnings:
            waiting.append(behind.endpoint(protocol, beginning).open_socket())
    with behind.endpoint("h1", b"PROXY UNKNOWN ").open_socket() as dripping:
        dripping.settimeout(0.3)
        deadline = time.monotonic() + 60
        while True:
            assert time.monotonic() < deadline
            try:
                dripping.sendall(b"x")
                assert dripping.recv(1) == b""
                break
            except (ConnectionResetError, BrokenPipeError):
                break
            except (TimeoutError, socket.timeout):
                continue
    for sock in waiting:
        with sock:
            assert is_closed(sock)


def test_peers_that_go_away_in_the_header(behind, world):
    for protocol in PROTOCOLS:
        for header in (v1(CLIENT), v2(CLIENT)):
            for length in (0, 1, 12, 16, len(header) - 1, len(header)):
                behind.endpoint(protocol, header[:length]).open_socket().close()
    expect.is_active(behind.endpoint("h1", v2(CLIENT)).introspect(world.token(), world.rfc))


def test_stop_does_not_wait_for_headers(world):
    with Behind(world) as started:
        waiting = [started.endpoint(protocol, v2(CLIENT)[:20]).open_socket() for protocol in PROTOCOLS]
        expect.is_active(started.endpoint("h1", v2(CLIENT)).introspect(world.token(), world.rfc))
        started.server.stop()
        for sock in waiting:
            assert is_closed(sock)
            sock.close()


def test_reload_changes_who_is_trusted(world):
    with Behind(world) as started:
        endpoint = started.endpoint("h1", v1(CLIENT))
        old = endpoint.connect()
        expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=old))
        reloads = Reloads(started.server)
        reloads.accept_config(lambda config: config.update(trusted_proxies=["192.0.2.0/24"]))
        with endpoint.open_bare_socket() as sock:
            assert is_closed(sock)
        expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=old))
        old.close()
        reloads.accept_config(lambda config: [listener.update(proxy_protocol=False) for listener in config["listen"]])
        expect.is_active(started.endpoint("h1").introspect(world.token(), world.rfc))
