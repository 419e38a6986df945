"""Whom an attack is aimed at, and what the attacker knows."""

import dataclasses
import socket
import ssl

PLAIN, TLS, RAW_TLS = "plain", "tls", "raw-tls"  # raw-tls: what is sent to the TLS listener are bytes of the attacker's own
CONNECT_TIMEOUT_S = 5


@dataclasses.dataclass(frozen=True)
class Target:
    """A server on 127.0.0.1, and the attacker's own address."""

    port: int
    tls_port: int
    source: str = "127.0.0.2"
    path: str = "/introspect"
    # Good credentials and a good token, for attackers who have them. A test makes them for its own server.
    authorization: str = ""
    token: str = ""

    def connect(self, receive_buffer=None, is_tls=False):
        sock = socket.socket()
        try:
            sock.settimeout(CONNECT_TIMEOUT_S)
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            # The port is chosen when the other end is known: otherwise the addresses of closed connections run out.
            sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.bind((self.source, 0))
            sock.connect(("127.0.0.1", self.tls_port if is_tls else self.port))
        except BaseException:
            sock.close()
            raise
        return sock

    def open(self, transport, receive_buffer=None, alpn="h2"):
        """A connection that is ready for bytes, and does not block."""
        sock = self.connect(receive_buffer, transport != PLAIN)
        try:
            if transport == TLS:
                sock = trusting_context(alpn).wrap_socket(sock)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
        return sock


def trusting_context(alpn):
    """An attacker does not mind who answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context


def client_hello():
    """The bytes that a handshake begins with."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting_context("h2").wrap_bio(incoming, outgoing)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
