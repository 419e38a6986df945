"""An HTTP/2 peer that sends what it is told to, and shows the frames that come back."""

import socket
import struct

from harness import frames
from harness.http1 import ConnectionEnded

RST_STREAM, GOAWAY = 0x3, 0x7
NO_ERROR, PROTOCOL_ERROR, CANCEL, ENHANCE_YOUR_CALM = 0x0, 0x1, 0x8, 0xB


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    @property
    def error(self):
        """The error code of an RST_STREAM or GOAWAY frame."""
        return struct.unpack(">I", self.payload[4:8] if self.kind == GOAWAY else self.payload)[0]

    @property
    def last_stream(self):
        return struct.unpack(">I", self.payload[:4])[0]

    def ends(self, stream):
        return self.stream == stream and (self.kind == RST_STREAM or self.flags & frames.END_STREAM and self.kind in (0, 1))

    def __repr__(self):
        return f"<frame {self.kind} flags {self.flags} stream {self.stream} {self.payload[:80]!r}>"


class RawHttp2:
    """Over a socket; all frames that came are kept in received."""

    def __init__(self, sock, first=frames.PREFACE + frames.settings()):
        self.sock = sock
        self.unread = b""
        self.received = []
        self.send(first)

    @classmethod
    def on(cls, endpoint, **more):
        return cls(endpoint.open_tls(["h2"]) if endpoint.protocol == "tls-h2" else endpoint.open_socket(), **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, *data):
        self.sock.sendall(b"".join(data))

    def send_to_the_end(self, *data):
        """The same to a server that may have closed."""
        try:
            self.send(*data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def read(self):
        data = self.sock.recv(1 << 16)
        if not data:
            raise ConnectionEnded("HTTP/2 connection closed")
        self.unread += data
        while len(self.unread) >= 9 and len(self.unread) >= 9 + int.from_bytes(self.unread[:3], "big"):
            size = 9 + int.from_bytes(self.unread[:3], "big")
            kind, flags, stream = struct.unpack(">BBI", self.unread[3:9])
            self.received.append(Frame(kind, flags, stream, self.unread[9:size]))
            self.unread = self.unread[size:]

    def wait(self, is_awaited):
        """The first frame, from the beginning, that is_awaited(frame) says is."""
        while True:
            found = [frame for frame in self.received if is_awaited(frame)]
            if found:
                return found[0]
            self.read()

    def goaway(self):
        return self.wait(lambda frame: frame.kind == GOAWAY)

    def end_of(self, stream):
        return self.wait(lambda frame: frame.ends(stream))

    def body_of(self, stream):
        assert self.end_of(stream).kind != RST_STREAM, self.received
        return b"".join(frame.payload for frame in self.received if frame.kind == frames.DATA and frame.stream == stream)

    def is_answered(self, payload=b"pingpong"):
        """Whether the server goes on reading."""
        self.send(frames.frame(frames.PING, payload=payload))
        return self.wait(lambda frame: frame.kind == frames.PING and frame.payload == payload)

    def is_closed_by_peer(self):
        try:
            while True:
                self.read()
        except (ConnectionEnded, ConnectionResetError):
            return True
        except (TimeoutError, socket.timeout):
            return False


def request(stream, headers, body, ends=True):
    """A POST to the endpoint."""
    block = frames.header_block("POST", "/introspect", headers)
    return frames.frame(frames.HEADERS, frames.END_HEADERS, stream, block) + frames.frame(
        frames.DATA, frames.END_STREAM if ends else 0, stream, body
    )
