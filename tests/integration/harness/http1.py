"""HTTP/1.1 over a plain socket: nothing is corrected on the way out, so that hostile requests can be written too."""

import socket


class ConnectionEnded(Exception):
    """The peer closed before the answer was whole."""


class Response:
    def __init__(self, status, headers, body, version):
        self.status = status
        self.headers = headers  # list of (lower-case name, value), in order
        self.body = body
        self.version = version

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def get(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} is repeated: {values}"
        return values[0] if values else None

    def __repr__(self):
        return f"<{self.version} {self.status} {self.headers} {self.body[:300]!r}>"


def request_bytes(method, path, headers=(), body=None, host="localhost", version="HTTP/1.1"):
    lines = [f"{method} {path} {version}", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + (body or b"")


class Http1Connection:
    version = "HTTP/1.1"

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def request(self, method, path, headers=(), body=None):
        try:
            self.send(request_bytes(method, path, headers, body))
        except (BrokenPipeError, ConnectionResetError):
            pass  # a server that refuses the body early may close; its answer can still be read
        return self.read_response(method)

    def read_response(self, method="POST"):
        while True:
            head = self._read_until(b"\r\n\r\n").decode("latin-1")
            status_line, *lines = head[:-4].split("\r\n")
            version, status, _ = (status_line + " ").split(" ", 2)
            if status != "100":
                break
        headers = []
        for line in lines:
            name, _, value = line.partition(":")
            headers.append((name.lower(), value.strip()))
        response = Response(int(status), headers, b"", version)
        if method != "HEAD":
            response.body = self._read_body(response)
        return response

    def is_closed_by_peer(self):
        """Waits for the peer to close; False when it sends something instead or the socket times out."""
        if self.buffer:
            return False
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True
        except (TimeoutError, socket.timeout):
            return False

    def _read_body(self, response):
        if (response.get("transfer-encoding") or "").lower() == "chunked":
            body = b""
            while True:
                size = int(self._read_until(b"\r\n").split(b";")[0], 16)
                chunk = self._read_exactly(size + 2)
                assert chunk[-2:] == b"\r\n"
                if size == 0:
                    return body
                body += chunk[:-2]
        length = response.get("content-length")
        if length is not None:
            return self._read_exactly(int(length))
        return self._read_to_end()

    def _receive(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionEnded(f"with {bytes(self.buffer[:200])!r} unread")
        self.buffer += data

    def _read_until(self, mark):
        while mark not in self.buffer:
            self._receive()
        end = self.buffer.index(mark) + len(mark)
        return self._take(end)

    def _read_exactly(self, count):
        while len(self.buffer) < count:
            self._receive()
        return self._take(count)

    def _read_to_end(self):
        try:
            while True:
                self._receive()
        except ConnectionEnded:
            return self._take(len(self.buffer))

    def _take(self, count):
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken
