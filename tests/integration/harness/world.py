"""The keys, issuers, clients and secrets of a test run, all made for it, and configs over them."""

import datetime
import ipaddress
import secrets
import socket

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness import tokens
from harness.endpoint import Endpoint
from harness.server import free_port

MAIN = "https://idp.example.com/"
TYPED = "https://typed.example.com"
NARROW = "https://narrow.example.com"
OTHER = "https://other.example.com"
SYMMETRIC = "https://hmac.example.com"
AUDIENCE = "https://channels.example.com"

MAX_TOKEN = 16 * 1024
MAX_BODY = 64 * 1024


OF_ITS_KEY = object()


def issuer_of(algorithm):
    """The issuer whose keys sign with it: a set with symmetric keys is nobody else's."""
    return SYMMETRIC if tokens.KEY_OF_ALGORITHM[algorithm] == "oct" else MAIN


class Client:
    def __init__(self, client_id, secret=None):
        self.client_id = client_id
        self.secret = secret if secret is not None else secrets.token_urlsafe(24)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def make_certificate():
    """A self-signed certificate for localhost, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.utcnow()
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class World:
    def __init__(self):
        kinds = ("rsa", "oct", "p256", "p384", "p521", "ed25519", "ed448")
        self.keys = {kind: tokens.generate_key(kind, kid=kind) for kind in kinds}
        # The same kid at another issuer, and a key that no issuer knows.
        self.other_key = tokens.generate_key("p256", kid="p256")
        self.stranger = {kind: tokens.generate_key(kind, kid=kind) for kind in ("rsa", "p256", "oct")}
        self.certificate, self.certificate_key = make_certificate()

        self.private = Client("front-private")
        self.shared = Client("front-shared")
        self.rfc = Client("resource-server")
        self.limited = Client("limited")
        self.polite = Client("front-polite")
        self.strict_rfc = Client("resource-server-strict")
        self.rotated = Client("rotated")
        self.rotated_next = Client("rotated")
        self.awkward = [
            Client("chan nel+1", "s:e%c"),
            Client("half-price", "50%25off"),
            Client("plus", "a+b c&d=e"),
            Client("umlaut", "schlüssel-" + secrets.token_urlsafe(8)),
        ]
        self.files = {
            "main.json": tokens.jwks(*self.public_keys()),
            "oct.json": tokens.jwks(self.keys["oct"]),
            "other.json": tokens.jwks(self.other_key),
            "rotated-1.secret": self.rotated.secret,
            "rotated-2.secret": self.rotated_next.secret + "\n",
            "tls.crt": self.certificate,
            "tls.key": self.certificate_key,
        }

    def public_keys(self):
        return [key for kind, key in self.keys.items() if kind != "oct"]

    def secrets(self):
        clients = [self.private, self.shared, self.rfc, self.limited, self.polite, self.strict_rfc]
        clients += [self.rotated, self.rotated_next, *self.awkward]
        return [client.secret for client in clients]

    def token(self, algorithm="RS256", key=None, header=None, issuer=OF_ITS_KEY, **changes):
        """A good token of the main issuer (of the symmetric one for HS*), or one with changes."""
        key = key or self.keys[tokens.KEY_OF_ALGORITHM[algorithm]]
        issuer = issuer_of(algorithm) if issuer is OF_ITS_KEY else issuer
        return tokens.sign(key, algorithm, tokens.claims(issuer, AUDIENCE, **changes), **(header or {}))

    def issuers(self):
        main = {"issuer": MAIN, "jwks_file": "main.json", "algorithms": list(tokens.ALGORITHMS)}
        return [
            {**main, "audience": [AUDIENCE, "second-audience"], "leeway": "0s"},
            {
                "issuer": TYPED,
                "jwks_file": "main.json",
                "algorithms": ["RS256"],
                "audience": "any",
                "token_types": ["at+jwt"],
                "require": {"token_use": "access"},
                "leeway": "0s",
            },
            {"issuer": NARROW, "jwks_file": "main.json", "algorithms": ["RS256"], "audience": [AUDIENCE], "leeway": "10m"},
            {"issuer": OTHER, "jwks_file": "other.json", "algorithms": ["ES256"], "audience": [AUDIENCE]},
            {**main, "issuer": SYMMETRIC, "jwks_file": "oct.json", "audience": [AUDIENCE], "leeway": "0s"},
        ]

    def client_entry(self, client, profile="rfc7662", **more):
        """A client of a config; its secret's file goes into files."""
        name = f"client-{client.client_id.replace(' ', '_')}.secret"
        self.files[name] = client.secret
        return {"client_id": client.client_id, "client_secret_files": [name], "profile": profile, **more}

    def clients(self):
        entry = self.client_entry
        rotated = {"client_id": "rotated", "client_secret_files": ["rotated-1.secret", "rotated-2.secret"]}
        return [
            entry(self.private, "front_private"),
            entry(self.shared, "front_shared"),
            entry(self.rfc),
            entry(self.limited, issuers=[OTHER]),
            entry(self.polite, "front_private", inactive_status=200),
            entry(self.strict_rfc, inactive_status=401),
            {**rotated, "profile": "rfc7662"},
            *[entry(client) for client in self.awkward],
        ]

    def config(self, **changes):
        """A config without listeners of its own, as the commands need it. A change to None removes the member."""
        made = {
            "listen": [{"address": "127.0.0.1:0"}],
            "admin": "none",
            "threads": 2,
            # The tests share a server and an address, and many of them fail to authenticate on purpose.
            "limits": {"max_body": "64KiB", "max_token": "16KiB", "failed_authentications": 0},
            "issuers": self.issuers(),
            "clients": self.clients(),
        }
        made.update(changes)
        return {name: value for name, value in made.items() if value is not None}

    def listeners(self, directory):
        """A listener for each way of talking, and the endpoints on them by protocol."""
        plain, tls, socket_path = free_port(), free_port(), str(directory / "h.sock")
        certificate = {"certificate_file": "tls.crt", "private_key_file": "tls.key"}
        listen = [
            {"address": f"127.0.0.1:{plain}"},
            {"address": f"127.0.0.1:{tls}", "tls": certificate},
            {"address": f"unix:{socket_path}"},
        ]
        certificate_file = directory / "tls.crt"
        endpoints = {
            "h1": Endpoint("h1", ("127.0.0.1", plain)),
            "h2c": Endpoint("h2c", ("127.0.0.1", plain)),
            "tls-h1": Endpoint("tls-h1", ("127.0.0.1", tls), certificate_file=certificate_file),
            "tls-h2": Endpoint("tls-h2", ("127.0.0.1", tls), certificate_file=certificate_file),
            "unix": Endpoint("unix", socket_path),
        }
        if has_ipv6():
            port = free_port(socket.AF_INET6)
            listen.append({"address": f"[::1]:{port}"})
            endpoints["ipv6"] = Endpoint("h1", ("::1", port))
        return listen, endpoints
