"""HTTP/2 frame by frame, for peers that no honest library makes (RFC 9113 section 6)."""

import struct

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0x0, 0x1, 0x2, 0x3, 0x4, 0x6, 0x8, 0x9
END_STREAM, END_HEADERS = 0x1, 0x4
INITIAL_WINDOW_SIZE = 0x4
CANCEL = 0x8
MAX_FRAME_SIZE = 16384  # that a peer takes unless it says otherwise


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(values=None):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in (values or {}).items()))


def window_update(increment, stream=0):
    return frame(WINDOW_UPDATE, stream=stream, payload=struct.pack(">I", increment))


def ping():
    return frame(PING, payload=b"whatever")


def reset(stream):
    return frame(RST_STREAM, stream=stream, payload=struct.pack(">I", CANCEL))


def priority(stream, depends_on):
    return frame(PRIORITY, stream=stream, payload=struct.pack(">IB", depends_on, 15))


def header_lines(method, path, headers=()):
    lines = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost")]
    return lines + [(name.lower(), value) for name, value in headers]


def header_block(method, path, headers=()):
    """One that does not depend on those before it."""
    return hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*line) for line in header_lines(method, path, headers)])


def trailer_block(headers):
    """The same, of what stands behind a body."""
    return hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(name.lower(), value) for name, value in headers])


def get(path, stream=1):
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, header_block("GET", path))
