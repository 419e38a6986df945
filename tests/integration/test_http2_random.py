"""Connections that do whatever comes, cut anywhere, reading or not: the server goes on, and ends well with some of them left."""

import contextlib
import os
import random
import signal
import socket
import ssl
import time

import pytest

from harness import expect, frames
from harness.endpoint import FORM, basic, form_body
from harness.raw_http2 import RST_STREAM, request

SECONDS = float(os.environ.get("INTROSPECTD_RANDOM_S", "2"))
PEERS = 24


@pytest.fixture(params=["h2c", "tls-h2"])
def protocol(request):
    return request.param


def config_of(world, rng):
    """Bounds and timeouts that such peers come to."""
    limits = {
        "failed_authentications": 0,
        "max_requests_per_connection": rng.choice([3, 20, 1000000]),
        "max_waiting": rng.choice([2, 1000]),
        "max_body": "4KiB",
        "max_token": "4KiB",
        "max_buffered": rng.choice(["4KiB", "64KiB", "4MiB"]),
        "max_header_bytes": "2KiB",
        "http2_resets": rng.choice([2, 100, 1000000]),
        "http2_control_frames": rng.choice([10, 1000, 1000000]),
    }
    timeouts = dict.fromkeys(("handshake", "request", "response", "idle"), "1s")
    return world.config(threads=1, limits=limits, timeouts=timeouts, shutdown_timeout="2s")


class Peer:
    """One connection that sends pieces of what it makes up."""

    def __init__(self, rng, endpoint, headers, bodies):
        self.rng, self.headers, self.bodies = rng, headers, bodies
        self.next, self.open, self.unfinished = 1, [], []
        self.wildness = rng.choice([0, 0, 0.01, 0.1])  # how often it does what ends a connection
        raw = socket.socket()
        raw.settimeout(2)
        if rng.random() < 0.3:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        raw.connect(endpoint.address)
        self.sock = raw
        if endpoint.protocol == "tls-h2":
            context = ssl.create_default_context(cafile=endpoint.certificate_file)
            context.set_alpn_protocols(["h2"])
            self.sock = context.wrap_socket(raw, server_hostname="localhost")
        self.sock.setblocking(False)
        self.reads = rng.random() < 0.7
        window = {frames.INITIAL_WINDOW_SIZE: rng.choice([0, 1, 65535])} if rng.random() < 0.5 else {}
        self.rest = frames.PREFACE + frames.settings(window)

    def is_wild(self):
        return self.rng.random() < self.wildness

    def a_stream(self):
        return self.rng.randrange(400) if self.is_wild() or not self.open else self.rng.choice(self.open)

    def an_unfinished_stream(self, is_finished):
        if self.is_wild() or not self.unfinished:
            return self.a_stream()
        at = self.rng.randrange(len(self.unfinished))
        return self.unfinished.pop(at) if is_finished else self.unfinished[at]

    def opened(self):
        stream, self.next = self.next, self.next + 2
        self.open = (self.open + [stream])[-60:]
        return stream

    def make(self):
        rng, frame = self.rng, frames.frame
        kind = rng.randrange(14)
        if kind <= 2:
            return b"".join(request(self.opened(), self.headers, rng.choice(self.bodies)) for _ in range(rng.choice([1, 5, 60])))
        if kind == 3:
            self.unfinished.append(self.opened())
            return request(self.unfinished[-1], self.headers, b"token=" + b"x" * rng.randrange(3000), ends=False)
        if kind == 4:
            block = frames.header_block("POST", "/introspect", self.headers)
            cut, stream = rng.randrange(len(block)), self.opened()
            begin = frame(frames.HEADERS, frames.END_STREAM, stream, block[:cut])
            stream = self.a_stream() if self.is_wild() else stream
            return begin + frame(frames.CONTINUATION, 0 if self.is_wild() else frames.END_HEADERS, stream, block[cut:])
        if kind == 5 and (self.unfinished or self.is_wild()):
            flags = frames.END_HEADERS if self.is_wild() else frames.END_HEADERS | frames.END_STREAM
            return frame(frames.HEADERS, flags, self.an_unfinished_stream(True), frames.trailer_block([("x-t", "y")]))
        if not self.open:
            return b""
        if kind == 6:
            return frame(RST_STREAM, 0, self.a_stream(), b"\0\0\0\x08") * rng.choice([1, 1, 3])
        if kind == 7:
            is_last = rng.random() < 0.5
            return frame(frames.DATA, is_last, self.an_unfinished_stream(is_last), b"x" * rng.choice([0, 1, 100, 5000]))
        if kind == 8:
            increment = 0x7FFFFFFF if self.is_wild() else rng.choice([1, 1000])
            return frames.window_update(rng.choice([increment, 0]), self.a_stream() or 1) + frames.window_update(increment)
        if kind == 9:
            return frames.settings({frames.INITIAL_WINDOW_SIZE: rng.choice([0, 1, 65535])})
        if kind == 10:
            return frames.ping() * rng.choice([1, 10, 200])
        if kind == 11:
            return frame(rng.choice([0x2A, 0xFF]), 0xFF, self.a_stream(), b"x" * rng.randrange(50))
        if kind == 12:
            return frame(0x2, 0, self.a_stream() or 1, b"\0\0\0\0\x10")
        return frame(rng.randrange(10), rng.randrange(256), self.a_stream(), rng.randbytes(rng.randrange(20))) if self.is_wild() else b""

    def step(self):
        """Does something. False when the connection has ended."""
        if self.rng.random() < 0.001:
            return self.leave()
        if self.rng.random() < 0.005:
            self.reads = not self.reads
        if self.rng.random() < 0.005:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_WR)
        if len(self.rest) < 1 << 16:
            self.rest += self.make()
        try:
            piece = self.rest[: self.rng.choice([1, 8, 100, 5000, 1 << 16])]
            self.rest = self.rest[self.sock.send(piece) :] if piece else self.rest
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError:
            return self.leave()
        return self.read() if self.reads else True

    def read(self):
        try:
            return bool(self.sock.recv(1 << 16)) or self.leave()
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return self.leave()

    def leave(self):
        if self.rng.random() < 0.5:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()
        return False


def test_anything(world, start_server, protocol):
    rng = random.Random(os.environ.get("INTROSPECTD_RANDOM_SEED", "1") + protocol)
    started = start_server(config_of(world, rng), all_listeners=True)
    endpoint = started.endpoints[protocol]
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("content-type", FORM)]
    new = world.token("ES256")
    peers = []
    until = time.monotonic() + SECONDS
    round_count = 0
    while time.monotonic() < until:
        bodies = [form_body(("token", world.token("HS256"))), form_body(("token", new[:-8] + f"{rng.randrange(10**8):08}"))]
        while len(peers) < PEERS:
            with contextlib.suppress(OSError):
                peers.append(Peer(rng, endpoint, headers, bodies))
        for _ in range(20):
            peers = [peer for peer in peers if peer.step()]
        round_count += 1
        if round_count % 40 == 0:
            expect.is_active(endpoint.introspect(world.token("HS256"), world.rfc))
    expect.is_active(endpoint.introspect(world.token("HS256"), world.rfc))
    assert started.server.process.poll() is None
    # It stops with these connections there, and they go on meanwhile.
    started.server.signal(signal.SIGTERM)
    until = time.monotonic() + 20
    while started.server.process.poll() is None and time.monotonic() < until:
        peers = [peer for peer in peers if peer.step()]
        time.sleep(0.001)
    for peer in peers:
        peer.sock.close()
    started.server.stop()
    assert "skipping frame" not in started.server.stderr()
