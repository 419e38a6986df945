"""The two servers that run.py compares, with keys, a token and a config made for the occasion."""

import base64
import contextlib
import json
import secrets
import shutil
import socket
import subprocess
import time

ISSUER = "https://idp.example.com/"
AUDIENCE = "https://channels.example.com"

# introspectd's answer for these claims is as long as the constant answer of ceiling.c.
CLAIMS = {
    "iss": ISSUER,
    "aud": [AUDIENCE, "https://idp.example.com/userinfo"],
    "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
    "azp": "my_client_id",
    "scope": "openid profile channel:read channel:write",
    "jti": "0b7c4f0c-6a54-4f0c-9a3f-1f6f0f0b7c4f",
    "front_channel_name": "Acme Support (EU)",
    "front_channel_address": "tenant-0001:channel-00000017",
}

CONFIG = """\
listen:
  - address: 127.0.0.1:{port}
  - address: 127.0.0.1:{tls_port}
    tls: {{ certificate_file: tls.crt, private_key_file: tls.key }}
threads: 1
issuers:
  - issuer: {issuer}
    jwks_file: jwks.json
    algorithms: [RS256]
    audience: [{audience}]
clients:
  - client_id: front
    client_secret_files: [front.secret]
    profile: front_private
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process, deadline_s=20):
    deadline = time.monotonic() + deadline_s
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{process.args} does not listen on port {port}")
        time.sleep(0.02)


class Server:
    def __init__(self, name, headers, body_file):
        self.name, self.headers, self.body_file = name, headers, body_file
        self.port, self.tls_port = free_port(), free_port()
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def url(self, protocol):
        scheme, port = ("https", self.tls_port) if protocol.startswith("tls") else ("http", self.port)
        return f"{scheme}://127.0.0.1:{port}/introspect"

    def start(self, cpu, command, log):
        self.process = subprocess.Popen(["taskset", "-c", str(cpu), *map(str, command)], stdout=log, stderr=log)
        for port in (self.port, self.tls_port):
            wait_for(port, self.process)

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


def run(*command, **options):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, **options).stdout


def make_token(folder, introspectd):
    """A fresh RSA key, its public half as jwks.json, and a token that it signs."""
    run(introspectd, "keygen", "--algorithm", "RS256", "--kid", "bench", "--out", folder / "key.jwk")
    (folder / "jwks.json").write_text(run(introspectd, "keygen", "--public", folder / "key.jwk"))
    (folder / "claims.json").write_text(json.dumps(CLAIMS))
    return run(
        introspectd, "mint", "--key", folder / "key.jwk", "--claims", folder / "claims.json", "--expires-in", "86400"
    ).strip()


def make_files(folder, introspectd):
    """Key set, secret, certificate and request; gives the secret."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    secret = secrets.token_urlsafe(24)
    (folder / "front.secret").write_text(secret)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-keyout", folder / "tls.key", "-out", folder / "tls.crt")  # fmt: skip
    (folder / "request.body").write_text("token=" + make_token(folder, introspectd))
    return secret


@contextlib.contextmanager
def start_pair(build, cpu):
    """introspectd and the ceiling, on one processor, ready; both are stopped at the end."""
    folder, introspectd = build / "work", build / "introspectd"
    secret = make_files(folder, introspectd)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": "Basic " + base64.b64encode(f"front:{secret}".encode()).decode(),
    }
    pair = [Server(name, headers, folder / "request.body") for name in ("introspectd", "bare libh2o")]
    product, bare = pair
    config = CONFIG.format(port=product.port, tls_port=product.tls_port, issuer=ISSUER, audience=AUDIENCE)
    (folder / "introspectd.yaml").write_text(config)
    commands = {
        product: [introspectd, "serve", "--config", folder / "introspectd.yaml"],
        bare: [build / "bench/ceiling", bare.port, bare.tls_port, folder / "tls.crt", folder / "tls.key"],
    }
    with open(folder / "servers.log", "w", encoding="utf-8") as log:
        try:
            for server, command in commands.items():
                server.start(cpu, command, log)
            yield pair
        finally:
            for server in pair:
                server.stop()
