"""
A provider of keys that does as it is told: each path has a behaviour, which a test may change at any time, and what was asked for
is recorded. Behaviours write to the connection themselves, so that what no HTTP server sends can be sent too.
"""

import os
import pathlib
import socket
import ssl
import tempfile
import threading
import time

from harness.server import free_port


class Gone(Exception):
    """The client closed the connection, or the provider stops."""


class Request:
    def __init__(self, path, headers):
        self.path = path
        self.headers = headers  # lower-case name to value
        self.started_s = time.monotonic()
        self.ended_s = None  # when all of the answer was sent, or its sending failed
        self.sent_bytes = 0  # of the answer


class Exchange:
    """A request and the connection that it came on."""

    def __init__(self, request, connection, is_stopping):
        self.request = request
        self.connection = connection
        self.is_stopping = is_stopping
        self.is_last = False  # of its connection

    def send(self, data):
        try:
            self.connection.sendall(data)
        except (OSError, ValueError) as error:
            raise Gone from error
        self.request.sent_bytes += len(data)

    def pause(self, seconds):
        if self.is_stopping.wait(seconds):
            raise Gone

    def wait_for_end(self):
        """Sends nothing more, and waits until the client has had enough."""
        try:
            while self.connection.recv(4096):
                pass
        except (OSError, ValueError):
            pass
        raise Gone


class Provider:
    """
    Listens on 127.0.0.1, over TLS when it has a certificate (chain and key in PEM). As a context manager it starts and stops.
    Paths without a behaviour are answered with 404.
    """

    def __init__(self, certificate=None, port=None):
        self.port = port or free_port()
        self.scheme = "http" if certificate is None else "https"
        self.origin = f"{self.scheme}://localhost:{self.port}"
        self._tls = None
        self._behaviours = {}
        self._requests = {}
        self._busy = {}
        self._most_at_once = {}
        self._lock = threading.Lock()
        self._stopping = None
        self._threads = []
        self._connections = set()
        self.connection_count = 0
        if certificate is not None:
            self.use_certificate(*certificate)

    def __enter__(self):
        os.environ["no_proxy"] = "*"  # no proxy of the machine stands between a server and this
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    # What it does

    def use_certificate(self, certificate, key):
        """From now on; connections that are open are closed, and none of their sessions can be resumed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            chain_file, key_file = pathlib.Path(folder, "chain.pem"), pathlib.Path(folder, "key.pem")
            chain_file.write_bytes(certificate)
            key_file.write_bytes(key)
            context.load_cert_chain(chain_file, key_file)
        self._tls = context
        self.close_connections()

    def serve(self, path, behaviour):
        """behaviour(exchange) sends the answer, from the next request on. Gives the number of those that came before."""
        with self._lock:
            self._behaviours[path] = behaviour
            return len(self._requests.get(path, ()))

    def url(self, path):
        return self.origin + path

    # What was asked of it

    def requests(self, path):
        with self._lock:
            return list(self._requests.get(path, ()))

    def count(self, path):
        with self._lock:
            return len(self._requests.get(path, ()))

    def most_at_once(self, path):
        """The largest number of requests for path that were open at the same time."""
        with self._lock:
            return self._most_at_once.get(path, 0)

    # Its life

    def start(self):
        self._stopping = threading.Event()
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(256)
        self._listener = listener
        self._start_thread(self._accept, listener, self._stopping)
        return self

    def stop(self):
        """Refuses connections and cuts those that are open."""
        if self._stopping is None or self._stopping.is_set():
            return
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.close_connections()
        for thread in list(self._threads):
            thread.join(30)
            assert not thread.is_alive(), "a behaviour does not end"
        self._threads.clear()

    def close_connections(self):
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _cut(connection)

    def _start_thread(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener, stopping):
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._start_thread(self._serve_connection, connection, stopping)

    def _serve_connection(self, connection, stopping):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._connections.add(connection)
            self.connection_count += 1
        try:
            if stopping.is_set():
                return
            tls = self._tls
            if tls is None:
                self._serve_requests(connection, stopping)
            else:
                with tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as wrapped:
                    # The wrapper takes the file descriptor over.
                    with self._lock:
                        self._connections.discard(connection)
                        self._connections.add(wrapped)
                    connection = wrapped
                    wrapped.do_handshake()
                    self._serve_requests(wrapped, stopping)
        except (Gone, OSError, ValueError):
            pass
        finally:
            with self._lock:
                self._connections.discard(connection)
            _cut(connection)
            connection.close()

    def _serve_requests(self, connection, stopping):
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                data = connection.recv(65536)
                if not data:
                    return
                buffer += data
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            request_line, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            request = Request(request_line.split(" ")[1], headers)
            exchange = Exchange(request, connection, stopping)
            self._answer(exchange)
            if exchange.is_last:
                return

    def _answer(self, exchange):
        path = exchange.request.path
        with self._lock:
            self._requests.setdefault(path, []).append(exchange.request)
            self._busy[path] = self._busy.get(path, 0) + 1
            self._most_at_once[path] = max(self._most_at_once.get(path, 0), self._busy[path])
            behaviour = self._behaviours.get(path, answer(b"", status=404))
        try:
            behaviour(exchange)
        finally:
            exchange.request.ended_s = time.monotonic()
            with self._lock:
                self._busy[path] -= 1


def _cut(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


# Behaviours that are good for more than one test


def head(status, headers):
    lines = [f"HTTP/1.1 {status} Whatever"] + [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def answer(body, status=200, headers=(), content_type="application/json"):
    """A whole answer with its length. headers is a list of pairs."""
    body = body.encode("utf-8") if isinstance(body, str) else body
    data = head(status, [("Content-Type", content_type), ("Content-Length", len(body)), *headers]) + body

    def behaviour(exchange):
        exchange.send(data)

    return behaviour


def raw(data, then_closes=False):
    """Exactly these bytes."""

    def behaviour(exchange):
        exchange.is_last = then_closes
        exchange.send(data)

    return behaviour


def redirect(location, status=302):
    return answer("<title>Elsewhere</title>", status, [("Location", location)], content_type="text/html")


def gated(gate, behaviour):
    """behaviour, as soon as the event is set."""

    def wait_and_behave(exchange):
        while not gate.is_set():
            exchange.pause(0.01)
        behaviour(exchange)

    return wait_and_behave


def with_etag(body, etag, headers=()):
    """The body, or 304 to a request that has it already."""
    whole = answer(body, headers=[("ETag", etag), *headers])
    unchanged = raw(head(304, [("ETag", etag), *headers]))

    def behaviour(exchange):
        (unchanged if exchange.request.headers.get("if-none-match") == etag else whole)(exchange)

    return behaviour
