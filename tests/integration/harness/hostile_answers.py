"""What a broken or a hostile provider answers with. Each is a behaviour of harness.provider, or makes one."""

import gzip

from harness.provider import answer, head, raw

JSON_TYPE = ("Content-Type", "application/json")


def never(exchange):
    exchange.wait_for_end()


def half_a_head(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Ty")
    exchange.wait_for_end()


def dripping(body):
    """The right answer, but slower than anybody waits."""

    def behaviour(exchange):
        exchange.send(head(200, [JSON_TYPE, ("Content-Length", len(body))]))
        for byte in body.encode("utf-8"):
            exchange.send(bytes([byte]))
            exchange.pause(0.25)

    return behaviour


def endless_body(exchange):
    exchange.send(head(200, [JSON_TYPE, ("Connection", "close")]) + b'{"keys":[')
    while True:
        exchange.send(b" " * 16384)


def endless_chunks(exchange):
    exchange.send(head(200, [JSON_TYPE, ("Transfer-Encoding", "chunked")]))
    while True:
        exchange.send(b"4000\r\n" + b" " * 16384 + b"\r\n")


def endless_head(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        exchange.send(b"X-More: " + b"x" * 8000 + b"\r\n")


def endless_interim_answers(exchange):
    while True:
        exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 10)
        exchange.pause(0.02)


def with_length(length, body):
    """A body whose announced length is not its own; the connection ends after it."""
    return raw(head(200, [JSON_TYPE, ("Content-Length", length)]) + body.encode("utf-8"), then_closes=True)


def hang_up(exchange):
    exchange.is_last = True


def until_close(body):
    """A body that ends with the connection, as it may in HTTP/1.0; over TLS the end is told."""

    def behaviour(exchange):
        exchange.is_last = True
        exchange.send(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body.encode("utf-8"))
        if hasattr(exchange.connection, "unwrap"):
            exchange.connection.unwrap()

    return behaviour


def chunked(body, size=100):
    data = body.encode("utf-8")
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return raw(head(200, [JSON_TYPE, ("Transfer-Encoding", "chunked")]) + framed)


def gzipped(body):
    return answer(gzip.compress(body.encode("utf-8")), headers=[("Content-Encoding", "gzip")])
