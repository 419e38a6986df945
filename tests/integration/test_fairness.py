"""One caller's new token beside another's hundreds: connections take turns."""

import contextlib
import secrets

import pytest

from harness import expect, frames
from harness.endpoint import FORM, basic, form_body
from harness.server import wait_until
from harness.tokens import with_signature

CONNECTIONS, STREAMS = 40, 16


@pytest.fixture
def endpoints(world, start_server):
    # One thread, so that everybody meets the same queue, and no cache that would answer.
    return start_server(world.config(threads=1, cache={"max_bytes": 0})).endpoints


@pytest.fixture
def bad_requests(world):
    """What a connection with a token of its own in each stream sends, signed wrongly in the way that takes longest to find out."""
    good = world.token("ES512")
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("content-type", FORM)]
    block = frames.header_block("POST", "/introspect", headers)

    def connection():
        data = frames.PREFACE + frames.settings()
        for stream in range(1, 2 * STREAMS, 2):
            body = form_body(("token", with_signature(good, b"\0" + secrets.token_bytes(65) + b"\0" + secrets.token_bytes(65))))
            data += frames.frame(frames.HEADERS, frames.END_HEADERS, stream, block)
            data += frames.frame(frames.DATA, frames.END_STREAM, stream, body)
        return data + frames.ping()

    return [connection() for _ in range(CONNECTIONS)]


class Flood:
    """Connections that send all they have, and what they are answered."""

    def __init__(self, sockets, requests):
        self.received = {sock: b"" for sock in sockets}
        for sock, data in zip(sockets, requests):
            sock.sendall(data)
            sock.setblocking(False)

    def receive(self):
        for sock in self.received:
            with contextlib.suppress(BlockingIOError):
                while piece := sock.recv(1 << 20):
                    self.received[sock] += piece

    def is_read(self):
        """Whether the server has everything: it answers a PING at once."""
        self.receive()
        return all(b"whatever" in received for received in self.received.values())

    def answers(self):
        self.receive()
        return sum(received.count(b'{"active":false}') for received in self.received.values())


@pytest.mark.parametrize("protocol", ["h1", "h2c"])
def test_new_token_beside_hundreds_of_bad_ones(world, endpoints, bad_requests, protocol):
    endpoint, token = endpoints[protocol], world.token()
    with contextlib.ExitStack() as stack:
        good = stack.enter_context(endpoint.connect())
        expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=good))
        flood = Flood([stack.enter_context(endpoints["h2c"].open_socket()) for _ in bad_requests], bad_requests)
        wait_until(flood.is_read, every_s=0.001)
        before = flood.answers()
        expect.is_active(endpoint.introspect(token, world.rfc, connection=good))
        rest = CONNECTIONS * STREAMS - before
        assert flood.answers() - before < rest / 2, "it waited behind most of them"
        # Nor are those turned away.
        wait_until(lambda: flood.answers() == CONNECTIONS * STREAMS)
