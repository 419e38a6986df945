"""How connections begin: the protocol is found out from the first bytes; and what happens when there are too many."""

import os
import resource
import time

import pytest

from harness import expect, frames
from harness.endpoint import FORM, basic, form_body
from harness.http1 import Http1Connection, request_bytes
from harness.http2 import Http2Connection


@pytest.fixture
def introspection(world):
    """Headers and body of a good request."""
    return [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)], form_body(("token", world.token("HS256")))


class Dripping:
    """A socket that sends byte by byte."""

    def __init__(self, sock):
        self.recv, self.close, self.whole = sock.recv, sock.close, sock

    def sendall(self, data):
        for i in range(len(data)):
            self.whole.sendall(data[i : i + 1])
            time.sleep(0.0005)


def test_http2_byte_by_byte(running, introspection):
    with Http2Connection(Dripping(running.endpoints["h2c"].open_socket()), "http") as connection:
        expect.is_active(connection.request("POST", "/introspect", *introspection))


@pytest.mark.parametrize("protocol", ["h1", "unix"])
def test_http1_byte_by_byte(running, introspection, protocol):
    """POST begins as the preface of HTTP/2 does."""
    with Http1Connection(Dripping(running.endpoints[protocol].open_socket())) as connection:
        expect.is_active(connection.request("POST", "/introspect", *introspection))


@pytest.mark.parametrize("length", [0, 1, 4, len(frames.PREFACE) - 1, len(frames.PREFACE)])
def test_peer_that_goes_away_in_the_preface(h1, world, length):
    for _ in range(5):
        with h1.open_socket() as sock:
            sock.sendall(frames.PREFACE[:length])
    expect.is_active(h1.introspect(world.token(), world.rfc))


def test_what_only_begins_as_the_preface_is_http1(h1, world):
    with h1.connect() as connection:
        connection.send(frames.PREFACE[:-6] + b"XX\r\n\r\n")
        assert connection.read_response().status >= 400
    with h1.connect() as connection:
        expect.method_not_allowed(connection.request("PRI", "/introspect"))
    expect.is_active(h1.introspect(world.token(), world.rfc))


@pytest.mark.parametrize("protocol", ["h1", "unix"])
def test_upgrade_to_http2_is_not_honoured(running, introspection, protocol):
    headers, body = introspection
    upgrade = [("Connection", "keep-alive, Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]
    with running.endpoints[protocol].connect() as connection:
        connection.send(request_bytes("GET", "/introspect", upgrade) + request_bytes("POST", "/introspect", headers + upgrade, body))
        expect.method_not_allowed(connection.read_response())
        response = connection.read_response()
        expect.is_active(response)
        assert response.version == "HTTP/1.1" and response.get("upgrade") is None, response


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_out_of_descriptors(world, start_server):
    started = start_server()
    endpoint, pid = started.endpoints["h1"], started.server.process.pid
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))
    opened = [endpoint.open_socket() for _ in range(80)]
    try:
        time.sleep(0.2)
        assert len(os.listdir(f"/proc/{pid}/fd")) == 64
        before = cpu_seconds(pid)
        time.sleep(1)
        assert cpu_seconds(pid) - before < 0.3
    finally:
        for sock in opened:
            sock.close()
    expect.is_active(endpoint.introspect(world.token(), world.rfc))
