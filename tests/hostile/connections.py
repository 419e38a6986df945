"""Connections for their own sake, and handshakes that are not finished."""

import socket

from hostile.engine import CLOSE
from hostile.http2_held import drip
from hostile.target import client_hello


def silent(target, _):
    """Says nothing. The script ends, and the connection is held."""
    return
    yield


def half_closed(target, peer):
    """Says that it will send no more, in the middle of a request."""
    yield b"POST /introspect HTTP/1.1\r\nHost: local"
    yield 0.01
    try:
        peer.sock.shutdown(socket.SHUT_WR)
    except OSError:
        yield CLOSE


def leaves_at_once(target, _):
    yield CLOSE


def asks_and_leaves(target, _):
    """Does not wait for its answer."""
    yield b"GET /introspect HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield CLOSE


def handshake_drip(target, _):
    yield from drip(client_hello())


def hello_and_leaves(target, _):
    """The server has signed by then."""
    yield client_hello()
    yield 0.002
    yield CLOSE


def hello_and_stays(target, _):
    yield client_hello()
