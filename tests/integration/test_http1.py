"""HTTP/1.1 as clients and attackers speak it: connections, framing, header edges."""

import socket

import pytest

from harness import expect, tokens
from harness.endpoint import FORM, JSON, basic, form_body, json_body
from harness.http1 import ConnectionEnded, request_bytes


@pytest.fixture
def caller(world):
    return basic(world.rfc.client_id, world.rfc.secret)


def head(*lines):
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def introspection(caller, token, *headers):
    return request_bytes("POST", "/introspect", [caller, ("Content-Type", FORM), *headers], form_body(("token", token)))


def test_keep_alive(h1_endpoint, world):
    with h1_endpoint.connect() as connection:
        for _ in range(5):
            response = h1_endpoint.introspect(world.token(), world.private, connection=connection)
            expect.is_active(response)
            assert response.version == "HTTP/1.1" and response.get("connection") in (None, "keep-alive")
            expect.inactive(h1_endpoint.introspect("x", world.private, connection=connection), 401)


@pytest.mark.parametrize("refused", ["GET", "404", "415", "400", "401"])
def test_keep_alive_after_a_refusal(h1, world, caller, refused):
    body, headers = form_body(("token", world.token())), [caller, ("Content-Type", FORM)]
    with h1.connect() as connection:
        if refused == "GET":
            expect.method_not_allowed(connection.request("GET", "/introspect"))
        elif refused == "404":
            expect.invalid_request(connection.request("POST", "/x", headers, body), 404)
        elif refused == "415":
            response = connection.request("POST", "/introspect", [caller, ("Content-Type", "a/b")], body)
            expect.invalid_request(response, 415)
        elif refused == "400":
            expect.invalid_request(connection.request("POST", "/introspect", headers, b"x=y"))
        else:
            expect.invalid_client(connection.request("POST", "/introspect", headers[1:], body))
        expect.is_active(connection.request("POST", "/introspect", headers, body))


def test_connection_close(h1_endpoint, world, caller):
    with h1_endpoint.connect() as connection:
        connection.send(introspection(caller, world.token(), ("Connection", "close")))
        response = connection.read_response()
        expect.is_active(response)
        assert response.get("connection") == "close"
        assert connection.is_closed_by_peer()


def test_http10(h1, world, caller):
    with h1.connect() as connection:
        headers = [caller, ("Content-Type", FORM)]
        connection.send(request_bytes("POST", "/introspect", headers, form_body(("token", world.token())), version="HTTP/1.0"))
        expect.is_active(connection.read_response())
        assert connection.is_closed_by_peer()


def test_pipelining_answers_in_order(h1_endpoint, world, caller):
    subjects = [f"pipelined-{i}" for i in range(50)]
    requests = b"".join(introspection(caller, world.token("HS256", sub=subject)) for subject in subjects)
    with h1_endpoint.connect() as connection:
        connection.send(requests)
        answers = [connection.read_response() for _ in subjects]
    assert [expect.parse_json(answer.body)["sub"] for answer in answers] == subjects


def test_pipelining_of_good_and_bad_requests(h1, world, caller):
    with h1.connect() as connection:
        connection.send(
            introspection(caller, world.token())
            + request_bytes("GET", "/introspect")
            + introspection(caller, "x")
            + request_bytes("POST", "/nowhere", body=b"")
            + introspection(caller, world.token())
        )
        expect.is_active(connection.read_response())
        expect.method_not_allowed(connection.read_response())
        expect.inactive(connection.read_response(), 200)
        expect.invalid_request(connection.read_response(), 404)
        expect.is_active(connection.read_response())


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_chunked_body(h1_endpoint, world, caller, size):
    body = json_body(token=world.token("HS256"))
    chunks = [body[i : i + size] for i in range(0, len(body), size)] + [b""]
    with h1_endpoint.connect() as connection:
        connection.send(
            head("POST /introspect HTTP/1.1", "Host: x", ": ".join(caller), f"Content-Type: {JSON}", "Transfer-Encoding: chunked")
        )
        connection.send(b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks))
        expect.is_active(connection.read_response())
        # Which chunks the library took, nobody can tell; a proxy may have taken others.
        assert connection.is_closed_by_peer()


@pytest.mark.parametrize("line", [b"%x;\n", b"%x;\r\n", b"%x\n"])
def test_nothing_is_smuggled_in_chunks(h1_endpoint, world, caller, line):
    body = json_body(token=world.token("HS256"))
    with h1_endpoint.connect() as connection:
        connection.send(
            head("POST /introspect HTTP/1.1", "Host: x", ": ".join(caller), f"Content-Type: {JSON}", "Transfer-Encoding: chunked")
            + line % len(body) + body + b"\r\n0\r\n\r\n"
            + introspection(caller, world.token())
        )  # fmt: skip
        assert connection.read_response().status in (200, 400)
        assert connection.is_closed_by_peer()


def test_chunked_body_that_is_too_large(h1, caller):
    with h1.connect() as connection:
        connection.send(
            head("POST /introspect HTTP/1.1", "Host: x", ": ".join(caller), f"Content-Type: {FORM}", "Transfer-Encoding: chunked")
        )
        chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        try:
            connection.send(b"6\r\ntoken=\r\n" + chunk * 40 + b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        expect.invalid_request(connection.read_response(), 413)


def test_body_that_arrives_in_small_pieces(h1_endpoint, world, caller):
    data = introspection(caller, world.token("HS256"))
    with h1_endpoint.connect() as connection:
        for i in range(0, len(data), 40):
            connection.send(data[i : i + 40])
        expect.is_active(connection.read_response())


def test_expect_100_continue(h1, world, caller):
    body = form_body(("token", world.token()))
    with h1.connect() as connection:
        connection.send(
            head(
                "POST /introspect HTTP/1.1", "Host: x", ": ".join(caller), f"Content-Type: {FORM}",
                f"Content-Length: {len(body)}", "Expect: 100-continue",
            )
        )  # fmt: skip
        assert connection.sock.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 100"
        connection.send(body)
        expect.is_active(connection.read_response())


def test_repeated_authorization(h1_endpoint, world, caller):
    with h1_endpoint.connect() as connection:
        connection.send(introspection(caller, world.token(), caller))
        expect.invalid_request(connection.read_response())
        assert connection.is_closed_by_peer()
    with h1_endpoint.connect() as connection:
        connection.send(introspection(caller, world.token(), ("authorization", "Basic x")))
        expect.invalid_request(connection.read_response())
        assert connection.is_closed_by_peer()


AMBIGUOUS = {
    "Host twice": ["Host: y", "Content-Length: {}"],
    "Content-Length twice": ["Content-Length: {}", "Content-Length: {}"],
    "differing Content-Length": ["Content-Length: {}", "content-length: 4"],
    "shorter Content-Length first": ["Content-Length: 4", "Content-Length: {}"],
    "Content-Length list": ["Content-Length: {}, {}"],
    "Content-Length and chunked": ["Content-Length: {}", "Transfer-Encoding: chunked"],
    "chunked and Content-Length": ["Transfer-Encoding: chunked", "Content-Length: {}"],
    "chunked twice": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "chunked and identity": ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    "chunked spelt otherwise": ["Transfer-Encoding: xchunked"],
    "blank before the colon": ["Content-Length: {}", "Transfer-Encoding : chunked"],
}


@pytest.mark.parametrize("lines", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_ambiguous_framing(h1_endpoint, world, caller, lines):
    """What a proxy before us might take for another request is not looked at."""
    body = form_body(("token", world.token()))
    if any("chunked" in line for line in lines):
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    lines = [line.format(len(body), len(body)) for line in lines]
    with h1_endpoint.connect() as connection:
        request = head("POST /introspect HTTP/1.1", "Host: x", ": ".join(caller), f"Content-Type: {FORM}", *lines) + body
        connection.send(request + introspection(caller, world.token()))
        assert connection.read_response().status == 400
        assert connection.is_closed_by_peer()


@pytest.mark.parametrize("place", range(4))
def test_bare_line_feed(h1_endpoint, world, caller, place):
    body = form_body(("token", world.token()))
    lines = ["POST /introspect HTTP/1.1", "Host: x", ": ".join(caller), f"Content-Type: {FORM}", f"Content-Length: {len(body)}", "", ""]
    ends = ["\r\n"] * 6 + [""]
    ends[place + (place == 3) * 2] = "\n"
    with h1_endpoint.connect() as connection:
        connection.send("".join(line + end for line, end in zip(lines, ends)).encode() + body)
        expect.invalid_request(connection.read_response())
        assert connection.is_closed_by_peer()


def test_chunked_with_http10(h1_endpoint, world, caller):
    with h1_endpoint.connect() as connection:
        connection.send(
            head("POST /introspect HTTP/1.0", ": ".join(caller), f"Content-Type: {FORM}", "Transfer-Encoding: chunked", "Connection: keep-alive")
            + b"1\r\na\r\n0\r\n\r\n"
        )
        expect.invalid_request(connection.read_response())
        assert connection.is_closed_by_peer()


def test_folded_header(h1_endpoint, world, caller):
    body = form_body(("token", world.token()))
    for lines in (
        [": ".join(caller), "X-Folded: a", "\tb"],
        ["Authorization: Basic", " " + caller[1].split(" ")[1]],
        [": ".join(caller), " folded"],
    ):
        with h1_endpoint.connect() as connection:
            connection.send(
                head("POST /introspect HTTP/1.1", "Host: x", f"Content-Type: {FORM}", f"Content-Length: {len(body)}", *lines) + body
            )
            expect.invalid_request(connection.read_response())
            assert connection.is_closed_by_peer()


def test_header_names_are_case_insensitive(h1, world, caller):
    body = form_body(("token", world.token()))
    with h1.connect() as connection:
        connection.send(
            head(
                "POST /introspect HTTP/1.1", "hOST: x", f"AUTHORIZATION:{caller[1]}", f"content-TYPE:   {FORM}  ",
                f"CONTENT-length: {len(body)}",
            )
            + body
        )  # fmt: skip
        expect.is_active(connection.read_response())


@pytest.mark.parametrize(
    "start",
    [b"\x00\x01\x02\x03\r\n\r\n", b"POST\r\n\r\n", b"POST /introspect\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
     b"POST /introspect HTTP/1.1\r\nno colon here\r\n\r\n"],
    ids=["binary", "method", "no-version", "tls", "no-colon"],
)  # fmt: skip
def test_what_is_no_http_is_refused_and_the_server_lives_on(h1, world, start):
    with h1.connect() as connection:
        connection.send(start)
        try:
            assert connection.read_response().status in (400, 404, 415)
        except (ConnectionEnded, ConnectionResetError):
            pass
    expect.is_active(h1.introspect(world.token(), world.rfc))


def test_endless_header_is_cut_off(h1, world):
    with h1.connect() as connection:
        with pytest.raises((ConnectionEnded, ConnectionResetError, BrokenPipeError, AssertionError)):
            connection.send(b"POST /introspect HTTP/1.1\r\nHost: x\r\nX: ")
            for _ in range(400):
                connection.send(b"x" * 65536)
            assert connection.read_response().status < 400
    expect.is_active(h1.introspect(world.token(), world.rfc))


@pytest.mark.parametrize("cut", ["after-head", "in-body", "in-head"])
def test_caller_that_goes_away(h1, world, caller, cut):
    data = introspection(caller, world.token())
    end = {"after-head": data.index(b"\r\n\r\n") + 4, "in-body": len(data) - 1, "in-head": 30}[cut]
    for _ in range(5):
        with h1.connect() as connection:
            connection.send(data[:end])
    with h1.connect() as connection:
        connection.send(data)  # and gone before the answer
    expect.is_active(h1.introspect(world.token(), world.rfc))


def test_many_connections_at_once(h1, world):
    token = world.token()
    connections = [h1.connect() for _ in range(100)]
    try:
        for connection in connections:
            connection.send(introspection(basic(world.rfc.client_id, world.rfc.secret), token))
        for connection in connections:
            expect.is_active(connection.read_response())
    finally:
        for connection in connections:
            connection.close()


def test_ipv6(running, world):
    if "ipv6" not in running.endpoints:
        pytest.skip("no IPv6 on this machine")
    expect.is_active(running.endpoints["ipv6"].introspect(world.token(), world.rfc))


def test_half_closed_connection_still_gets_its_answer(h1, world, caller):
    with h1.connect() as connection:
        connection.send(introspection(caller, tokens.sign(world.keys["oct"], "HS256", {"x": 1})))
        expect.inactive(connection.read_response(), 200)
        connection.sock.shutdown(socket.SHUT_WR)
        assert connection.is_closed_by_peer()


def test_target_in_absolute_form(h1_endpoint, world, caller):
    body = form_body(("token", world.token()))
    with h1_endpoint.connect() as connection:
        for target, is_served in (
            ("http://x/introspect", True),
            ("https://x:1/introspect?a=b", True),
            ("http://x/introspect/a", False),
            ("http://x", False),
            ("http:///introspect", False),
        ):
            connection.send(
                head(f"POST {target} HTTP/1.1", "Host: x", ": ".join(caller), f"Content-Type: {FORM}", f"Content-Length: {len(body)}")
                + body
            )
            answer = connection.read_response()
            expect.is_active(answer) if is_served else expect.invalid_request(answer, 404)


def test_missing_host(h1_endpoint, world, caller):
    body = form_body(("token", world.token()))
    with h1_endpoint.connect() as connection:
        connection.send(
            head("POST /introspect HTTP/1.1", ": ".join(caller), f"Content-Type: {FORM}", f"Content-Length: {len(body)}") + body
        )
        expect.invalid_request(connection.read_response())
