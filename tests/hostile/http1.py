"""HTTP/1.1 connections that are slow, stuck, or guess."""

from hostile.http2_held import DRIP_S, drip
from hostile.templates import FORM, MARK, Template, form_of, marked_token

ENDLESS = 1 << 20


def head(target, authorization=None, more="", length=None):
    lines = [f"POST {target.path} HTTP/1.1", "Host: localhost", f"Content-Type: {FORM}"]
    if authorization:
        lines.append(f"Authorization: {authorization}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n" + more + "\r\n").encode()


def header_drip(target, _):
    yield from drip(head(target, more=f"X-Slow: {'y' * ENDLESS}\r\n"))


def body_drip(target, _):
    yield head(target, length=ENDLESS)
    yield from drip(b"x" * ENDLESS)


def chunked_drip(target, _):
    yield head(target, more="Transfer-Encoding: chunked\r\n")
    while True:
        yield b"1\r\nx\r\n"
        yield DRIP_S


def pipeline(target, _):
    """Requests that answer each other's heels; with is_deaf nobody takes the answers."""
    request = head(target, target.authorization, length=7) + b"token=x"
    yield from Template(request).sends()


def basic_guesses(target, _):
    """Secrets of client `front`, or of one that does not exist, guessed at full speed."""
    request = head(target, "Basic ZnJvbnQ6" + MARK.decode() + "Zmlu", length=7) + b"token=x"
    yield from Template(request).sends()


def form_guesses(target, _):
    body = b"client_id=front&client_secret=" + MARK + b"&token=x"
    yield from Template(head(target, length=len(body)) + body).sends()


def misses(target, _):
    body = form_of(marked_token(target))
    yield from Template(head(target, target.authorization, length=len(body)) + body).sends()


def large_header(target, _):
    """A header that has no end, as fast as it goes."""
    yield head(target, more="X-Long: y")[:-2]
    while True:
        yield b"y" * (1 << 16)


def many_headers(target, _):
    yield from Template(head(target, more="X: y\r\n" * 95, length=0)).sends()


def empty_chunk_flood(target, _):
    """Chunks of one byte for ever."""
    yield head(target, more="Transfer-Encoding: chunked\r\n")
    while True:
        yield b"1\r\nx\r\n" * 10000
