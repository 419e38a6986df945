"""TLS sessions that are kept to be resumed later."""

import ssl

from harness.http1 import Http1Connection
from harness.http2 import Http2Connection

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class TlsClient:
    """
    Speaks one version of TLS with a listener, and trusts the certificate that was there when it was made. identity: a file with its
    own certificate and key.
    """

    def __init__(self, endpoint, version, protocol="http/1.1", identity=None):
        self.endpoint = endpoint
        self.context = ssl.create_default_context(cafile=endpoint.certificate_file)
        self.context.minimum_version = self.context.maximum_version = version
        self.context.set_alpn_protocols([protocol])
        if identity is not None:
            self.context.load_cert_chain(identity)

    def connect(self, session=None):
        return self.context.wrap_socket(self.endpoint.open_socket(), server_hostname="localhost", session=session)

    def introspect(self, sock, token, client):
        connection = Http2Connection(sock, "https") if sock.selected_alpn_protocol() == "h2" else Http1Connection(sock)
        return self.endpoint.introspect(token, client, connection=connection)


def served_certificate(endpoint):
    """What a new handshake shows, in DER; nothing is verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(endpoint.open_socket(), server_hostname="localhost") as sock:
        return sock.getpeercert(binary_form=True)


def der(pem):
    return ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))
