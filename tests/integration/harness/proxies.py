"""Proxies in front of a server: the PROXY protocol's headers, and endpoints that are reached through them."""

import socket
import ssl
import struct

from harness.endpoint import TIMEOUT_S, Endpoint

MARK = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
UNSPEC, TCP4, TCP6, UNIX = 0x00, 0x11, 0x21, 0x31

SERVER_V4, SERVER_V6 = "203.0.113.1", "2001:db8:ffff::1"


def v1(source, port=56324):
    family, server = ("TCP6", SERVER_V6) if ":" in source else ("TCP4", SERVER_V4)
    return f"PROXY {family} {source} {server} {port} 443\r\n".encode("ascii")


def binary(command, family, block=b""):
    return MARK + bytes([command, family]) + struct.pack(">H", len(block)) + block


def v2(source, tlvs=b"", port=56324):
    is_v6 = ":" in source
    inet, server = (socket.AF_INET6, SERVER_V6) if is_v6 else (socket.AF_INET, SERVER_V4)
    block = socket.inet_pton(inet, source) + socket.inet_pton(inet, server) + struct.pack(">HH", port, 443)
    return binary(PROXY, TCP6 if is_v6 else TCP4, block + tlvs)


def tlv(kind, value):
    return bytes([kind]) + struct.pack(">H", len(value)) + value


class Proxied(Endpoint):
    """An endpoint that is reached from an address of ours, with bytes in front of what the client sends."""

    def __init__(self, endpoint, header=b"", source=None):
        super().__init__(endpoint.protocol, endpoint.address, endpoint.path, endpoint.certificate_file)
        self.header = header
        self.source = source  # a loopback address; None: the system's choice, 127.0.0.1

    def open_bare_socket(self):
        if self.source is None or isinstance(self.address, str):
            return super().open_socket()
        sock = socket.create_connection(self.address, timeout=TIMEOUT_S, source_address=(self.source, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def open_socket(self):
        sock = self.open_bare_socket()
        if self.header:
            sock.sendall(self.header)
        return sock


class GluedSocket:
    """A socket whose first bytes go out in one piece with a header before them."""

    def __init__(self, sock, header):
        self.recv, self.close, self.whole, self.header = sock.recv, sock.close, sock, header

    def sendall(self, data):
        self.whole.sendall(self.header + data)
        self.header = b""


class MemoryTls:
    """TLS over an object that has only sendall, recv and close, so that a test says how records are cut."""

    def __init__(self, sock, certificate_file, alpn):
        context = ssl.create_default_context(cafile=certificate_file)
        context.set_alpn_protocols(alpn)
        self.sock, self.close = sock, sock.close
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self._pump(self.tls.do_handshake)

    def _pump(self, call):
        while True:
            try:
                done = call()
            except ssl.SSLWantReadError:
                self._flush()
                data = self.sock.recv(65536)
                self.incoming.write(data) if data else self.incoming.write_eof()
                continue
            self._flush()
            return done

    def _flush(self):
        data = self.outgoing.read()
        if data:
            self.sock.sendall(data)

    def sendall(self, data):
        self._pump(lambda: self.tls.write(data))

    def recv(self, count):
        try:
            return self._pump(lambda: self.tls.read(count))
        except ssl.SSLEOFError:
            return b""
