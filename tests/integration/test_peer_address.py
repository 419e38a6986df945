"""To whom a request is charged where proxies stand in front: shown by who is throttled for wrong credentials."""

import itertools
import pathlib
import shutil
import tempfile

import pytest

from harness import expect
from harness.endpoint import FORM, Endpoint, basic, form_body
from harness.http1 import ConnectionEnded
from harness.http2 import StreamReset
from harness.proxies import LOCAL, PROXY, UNSPEC, Proxied, binary, v1, v2
from harness.server import Server, free_port, wait_until

FREE_FAILURES = 4
MANY = 20  # far above it, and far below what a minute refills

WRONG = basic("nobody-of-ours", "wrong-secret-of-nobody")

_numbers = itertools.count(1)


def new_address():
    """A client's address that nothing was charged to yet."""
    return f"198.51.100.{next(_numbers)}"


def new_address_v6():
    return f"2001:db8:{next(_numbers):x}::1"


def new_proxy():
    """A trusted proxy's address that nothing was charged to yet."""
    return f"10.0.0.{next(_numbers)}"


class Throttling:
    """A server that throttles early, with listeners behind proxies and beside them."""

    def __init__(self, world, directory):
        ports = {name: free_port() for name in ("direct", "direct-tls", "behind", "behind-tls")}
        unix, certificate = str(directory / "h.sock"), {"certificate_file": "tls.crt", "private_key_file": "tls.key"}
        listen = [
            {"address": f"127.0.0.1:{ports['direct']}"},
            {"address": f"127.0.0.1:{ports['direct-tls']}", "tls": certificate},
            {"address": f"127.0.0.1:{ports['behind']}", "proxy_protocol": True},
            {"address": f"127.0.0.1:{ports['behind-tls']}", "proxy_protocol": True, "tls": certificate},
            {"address": f"unix:{unix}"},
        ]
        self.endpoints = {"unix": Endpoint("unix", unix)}
        for place in ("direct", "behind"):
            for protocol in ("h1", "h2c", "tls-h1", "tls-h2"):
                port = ports[place + ("-tls" if protocol.startswith("tls") else "")]
                address = ("127.0.0.1", port)
                self.endpoints[f"{place}-{protocol}"] = Endpoint(protocol, address, certificate_file=directory / "tls.crt")
        config = world.config(
            listen=listen,
            trusted_proxies=["127.0.0.1", "127.0.0.8/29", "10.0.0.0/8", "fd00::/8"],
            limits={"failed_authentications": FREE_FAILURES},
        )
        self.server = Server(directory, config, world.files, [endpoint.address for endpoint in self.endpoints.values()])

    def fail(self, name, header=b"", source=None, forwarded=()):
        """The status of an answer to wrong credentials."""
        endpoint = Proxied(self.endpoints[name], header, source)
        headers = [("X-Forwarded-For", value) for value in forwarded]
        response = endpoint.post(form_body(("token", "x")), headers=headers, authorization=WRONG)
        assert response.status in (401, 429), response
        return response.status

    def exhaust(self, name, **how):
        """Fails until the one that it is charged to has used up what is free; the number of failures that were free."""
        for count in range(MANY):
            made = {key: value() if callable(value) else value for key, value in how.items()}
            if self.fail(name, **made) == 429:
                return count
        raise AssertionError(f"never throttled: {name} {how}")

    def is_free(self, name, **how):
        return self.fail(name, **how) == 401


def run(world):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-"))
    made = Throttling(world, directory)
    try:
        made.server.start()
        yield made
        made.server.stop()
    finally:
        if made.server.process is not None and made.server.process.poll() is None:
            made.server.process.kill()
            made.server.process.wait()
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def throttling(world):
    yield from run(world)


@pytest.fixture
def silent(world):
    """One of its own, whose log has nothing to thin out yet."""
    yield from run(world)


PROTOCOLS = ["h1", "h2c", "tls-h1", "tls-h2"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("make", [v1, v2], ids=["v1", "v2"])
@pytest.mark.parametrize("address", [new_address, new_address_v6], ids=["ipv4", "ipv6"])
def test_client_of_the_header_is_charged(throttling, protocol, make, address):
    client = address()
    assert throttling.exhaust(f"behind-{protocol}", header=make(client)) >= FREE_FAILURES
    assert throttling.is_free(f"behind-{protocol}", header=make(address()))
    assert not throttling.is_free(f"behind-{protocol}", header=make(client))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_client_that_a_trusted_proxy_forwards_for_is_charged(throttling, protocol):
    client, name = new_address(), f"direct-{protocol}"
    assert throttling.exhaust(name, forwarded=[client]) >= FREE_FAILURES
    assert throttling.is_free(name, forwarded=[new_address()])
    # The same one, however it is written, and whatever it claims itself.
    for forwarded in (
        [f"{client}:4711"],
        [f"::ffff:{client}"],
        [f"[::ffff:{client}]:4711"],
        [f"{new_address()}, {client}"],
        [new_address(), client],
        [f"rubbish, {client}, 10.9.9.9"],
        [f"{client} , fd00::1", "10.9.9.9"],
        [f"{new_address()},,{client},"],
    ):
        assert not throttling.is_free(name, forwarded=forwarded), forwarded


def test_trailers_name_nobody(throttling):
    """A proxy may pass them on as the client sent them, and the library shows them as the last of the headers."""
    client, body = new_address(), form_body(("token", "x"))
    throttling.exhaust("direct-h2c", forwarded=[client])
    with throttling.endpoints["direct-h2c"].connect() as connection:
        headers = [WRONG, ("content-type", FORM), ("x-forwarded-for", client)]
        stream = connection.start("POST", "/introspect", headers, body, ends=False)
        connection.h2.send_headers(stream, [("x-forwarded-for", new_address())], end_stream=True)
        connection._flush()
        try:
            assert connection.response(stream).status in (400, 429)
        except (ConnectionEnded, StreamReset):
            pass  # trailers need not be taken at all


def test_client_that_is_named_behind_the_clients_claim_is_free(throttling):
    claimed = new_address()
    throttling.exhaust("direct-h1", forwarded=[claimed])
    assert throttling.is_free("direct-h1", forwarded=[f"{claimed}, {new_address()}"])


@pytest.mark.parametrize("source", ["127.0.0.2", "127.0.0.3"])
def test_peer_that_is_not_trusted_is_charged_itself(throttling, source):
    assert throttling.exhaust("direct-h1", source=source, forwarded=lambda: [new_address()]) >= FREE_FAILURES
    assert not throttling.is_free("direct-h2c", source=source)
    assert throttling.is_free("direct-h1", forwarded=[new_address()])


def test_client_of_the_header_is_not_believed(throttling):
    client = new_address()
    assert throttling.exhaust("behind-h1", header=v2(client), forwarded=lambda: [new_address()]) >= FREE_FAILURES
    assert not throttling.is_free("behind-h1", header=v1(client))


def test_trusted_proxy_of_the_header_is_believed(throttling):
    client, proxy = new_address(), new_proxy()
    assert throttling.exhaust("behind-h1", header=v2(proxy), forwarded=[client]) >= FREE_FAILURES
    assert throttling.is_free("behind-h1", header=v2(proxy), forwarded=[new_address()])
    assert not throttling.is_free("direct-h1", forwarded=[client])


def test_proxy_that_speaks_for_itself_is_believed(throttling):
    client, local = new_address(), binary(LOCAL, UNSPEC)
    assert throttling.exhaust("behind-h1", header=local, forwarded=[client]) >= FREE_FAILURES
    assert throttling.is_free("behind-h1", header=local, forwarded=[new_address()])


@pytest.mark.parametrize(
    ("header", "source"), [(b"PROXY UNKNOWN\r\n", "127.0.0.9"), (binary(PROXY, UNSPEC), "127.0.0.10")], ids=["v1", "v2"]
)
def test_somebody_unknown_is_charged_to_the_proxy_and_not_believed(throttling, header, source):
    how = {"header": header, "source": source, "forwarded": lambda: [new_address()]}
    assert throttling.exhaust("behind-h1", **how) >= FREE_FAILURES
    assert throttling.is_free("behind-h1", header=header, source="127.0.0.11")


def test_rubbish_is_charged_to_the_last_trusted_hop(throttling):
    proxy = new_proxy()
    assert throttling.exhaust("direct-h1", forwarded=[f"{new_address()}, rubbish, {proxy}"]) >= FREE_FAILURES
    assert not throttling.is_free("direct-h1", forwarded=[f"unknown, {proxy}"])
    assert throttling.is_free("direct-h1", forwarded=[f"unknown, {new_proxy()}"])


def test_unix_sockets_peer_is_believed(throttling):
    client = new_address()
    assert throttling.exhaust("unix", forwarded=[client]) >= FREE_FAILURES
    assert throttling.is_free("unix", forwarded=[new_address()])
    assert not throttling.is_free("direct-h1", forwarded=[client])


def test_right_credentials_are_served_to_a_throttled_client(throttling, world):
    client = new_address()
    throttling.exhaust("behind-h1", header=v2(client))
    expect.is_active(Proxied(throttling.endpoints["behind-h1"], v2(client)).introspect(world.token(), world.rfc))


def test_throttled_client_is_named_in_the_log(silent):
    client = new_address()
    silent.exhaust("behind-h1", header=v2(client))
    wait_until(lambda: client in silent.server.stderr())


def test_untrusted_proxy_is_named_in_the_log(silent):
    with Proxied(silent.endpoints["behind-h1"], source="127.0.0.4").open_bare_socket() as sock:
        assert sock.recv(1) == b""
    wait_until(lambda: silent.server.find_log(event="limit_reached", limit="untrusted_proxy", peer="127.0.0.4"))
