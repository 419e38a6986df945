"""Where a server listens, and one way of talking to it for every protocol."""

import base64
import copy
import json
import socket
import ssl
from urllib.parse import quote_plus, urlencode

from harness.http1 import Http1Connection
from harness.http2 import Http2Connection

TIMEOUT_S = 30

PROTOCOLS = ("h1", "h2c", "tls-h1", "tls-h2", "unix")
H1_PROTOCOLS = ("h1", "tls-h1", "unix")
H2_PROTOCOLS = ("h2c", "tls-h2")

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class Sent:
    """What callers of this test run sent and must not find again, and what they were told besides good answers."""

    secrets = set()
    tokens = set()
    answers = []


def basic(client_id, secret, form_encoded=False):
    Sent.secrets.add(secret)
    if form_encoded:
        client_id, secret = quote_plus(client_id), quote_plus(secret)
    credentials = f"{client_id}:{secret}".encode("utf-8")
    return ("Authorization", "Basic " + base64.b64encode(credentials).decode("ascii"))


def form_body(*pairs):
    return urlencode(pairs).encode("ascii")


def json_body(**members):
    return json.dumps(members).encode("utf-8")


def parse_json(body):
    """The object that body holds; a repeated member is an error."""

    def once(pairs):
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), f"repeated member in {body!r}"
        return dict(pairs)

    return json.loads(body.decode("utf-8"), object_pairs_hook=once)


class Endpoint:
    def __init__(self, protocol, address, path="/introspect", certificate_file=None):
        self.protocol = protocol
        self.address = address  # (host, port), or the path of a Unix socket
        self.path = path
        self.certificate_file = certificate_file
        self.source = None  # the loopback address that connections come from; None: the system's choice

    def seen_from(self, source):
        """The same for a caller at another loopback address."""
        endpoint = copy.copy(self)
        endpoint.source = source
        return endpoint

    def __repr__(self):
        return f"<{self.protocol} {self.address}>"

    @property
    def url(self):
        scheme = "https" if self.protocol.startswith("tls") else "http"
        host, port = self.address
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}:{port}{self.path}"

    def open_socket(self):
        if isinstance(self.address, str):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(TIMEOUT_S)
            sock.connect(self.address)
            return sock
        source = None if self.source is None else (self.source, 0)
        sock = socket.create_connection(self.address, timeout=TIMEOUT_S, source_address=source)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def open_tls(self, alpn, minimum=ssl.TLSVersion.TLSv1_2, maximum=ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=self.certificate_file)
        context.minimum_version, context.maximum_version = minimum, maximum
        if alpn:
            context.set_alpn_protocols(alpn)
        return context.wrap_socket(self.open_socket(), server_hostname="localhost")

    def connect(self):
        if self.protocol == "h2c":
            return Http2Connection(self.open_socket(), "http")
        if self.protocol == "tls-h2":
            sock = self.open_tls(["h2", "http/1.1"])
            assert sock.selected_alpn_protocol() == "h2"
            return Http2Connection(sock, "https")
        if self.protocol == "tls-h1":
            return Http1Connection(self.open_tls(["http/1.1"]))
        return Http1Connection(self.open_socket())

    def request(self, method, path, headers=(), body=None):
        with self.connect() as connection:
            response = connection.request(method, path, headers, body)
        if response.status != 200 or method != "POST":
            Sent.answers.append(response.body.decode("utf-8", "replace"))
        return response

    def post(self, body, headers=(), content_type=FORM, authorization=None):
        headers = list(headers)
        if content_type is not None:
            headers.append(("Content-Type", content_type))
        if authorization is not None:
            headers.append(authorization)
        return self.request("POST", self.path, headers, body)

    def introspect(self, token, client, form="form", method="client_secret_basic", connection=None):
        """One well-formed introspection; client has client_id and secret."""
        Sent.tokens.add(token)
        Sent.secrets.add(client.secret)
        headers, pairs = [], [("token", token)]
        if method == "client_secret_basic":
            headers.append(basic(client.client_id, client.secret))
        else:
            pairs += [("client_id", client.client_id), ("client_secret", client.secret)]
        body = form_body(*pairs) if form == "form" else json_body(**dict(pairs))
        headers.append(("Content-Type", FORM if form == "form" else JSON))
        if connection is not None:
            return connection.request("POST", self.path, headers, body)
        return self.request("POST", self.path, headers, body)
