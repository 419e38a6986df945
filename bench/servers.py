"""The servers that are compared, with keys and configs made for the occasion."""

import base64
import contextlib
import http.client
import json
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

from settings import SERVER_CPU

ALGORITHMS = ("RS256", "ES256", "EdDSA", "HS256")
ISSUER = "https://idp.example.com/"  # with the algorithm behind it: each has an issuer of its own
AUDIENCE = "https://channels.example.com"

# Eight '#' stand for the token's number. introspectd's answer for these claims is as long as the constant answer of ceiling.c.
CLAIMS = {
    "aud": [AUDIENCE, "https://idp.example.com/userinfo"],
    "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
    "azp": "my_client_id",
    "scope": "openid profile channel:read channel:write",
    "jti": "0b7c4f0c-6a54-4f0c-9a3f-1f6f########",
    "front_channel_name": "Acme Support (EU)",
    "front_channel_address": "tenant-0001:channel-########",
}

CONTENT_TYPES = {"form": "application/x-www-form-urlencoded", "json": "application/json"}


def run(*command, **options):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, **options).stdout


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
            raise SystemExit(f"{process.args} does not listen on port {port}; see servers.log beside its config")
        time.sleep(0.02)


class Server:
    """A server that runs until `stop`, on the server's processor alone."""

    def __init__(self, name, command, ports, log, counters=None):
        self.name, self.counters = name, counters
        self.port, self.tls_port = ports
        preload = []  # given to env, so that the server is counted and not taskset
        if counters is not None:
            counters.path.unlink(missing_ok=True)
            preload = [f"LD_PRELOAD={counters.library}", f"COUNT_CALLS_FILE={counters.path}"]
        self.process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CPU), "env", *preload, *map(str, command)], stdout=log, stderr=log
        )
        for port in ports:
            wait_for(port, self.process)

    def url(self, is_tls):
        return f"https://127.0.0.1:{self.tls_port}/introspect" if is_tls else f"http://127.0.0.1:{self.port}/introspect"

    def cpu_ns(self):
        """The processor time of every thread so far."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def rss_kib(self, field="VmRSS"):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise SystemExit(f"{self.name} has ended")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Workshop:
    """A folder with keys, a secret and a certificate, where servers are started."""

    def __init__(self, settings):
        self.folder, self.build = settings.work, settings.build
        self.introspectd = settings.binary
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        self.log = open(self.folder / "servers.log", "w", encoding="utf-8")
        self.running = []
        secret = secrets.token_urlsafe(24)
        (self.folder / "front.secret").write_text(secret)
        self.authorization = "Basic " + base64.b64encode(f"front:{secret}".encode()).decode()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-keyout", self.folder / "tls.key", "-out", self.folder / "tls.crt")  # fmt: skip
        for algorithm in ALGORITHMS:
            self.make_key(algorithm)

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        for server in self.running:
            server.stop()
        self.log.close()
        # What went wrong is found in the log; otherwise half a gigabyte of tokens is of no further use.
        if error is None:
            shutil.rmtree(self.folder)

    def tool(self, name):
        return self.build / "bench" / name

    def key(self, algorithm):
        return self.folder / f"{algorithm}.jwk"

    def claims(self, algorithm):
        return self.folder / f"{algorithm}.claims"

    def make_key(self, algorithm):
        key = self.key(algorithm)
        run(self.introspectd, "keygen", "--algorithm", algorithm, "--kid", "bench", "--out", key)
        is_symmetric = algorithm.startswith("HS")
        jwks = key.read_text() if is_symmetric else run(self.introspectd, "keygen", "--public", key)
        (self.folder / f"{algorithm}.jwks").write_text(jwks)
        self.claims(algorithm).write_text(json.dumps({"iss": ISSUER + algorithm, **CLAIMS}))

    def start(self, name, command, ports, counters):
        server = Server(name, command, ports, self.log, counters)
        self.running.append(server)
        return server

    def stop(self, server):
        self.running.remove(server)
        server.stop()

    def start_introspectd(self, name, cache_max_bytes, threads=1, counters=None):
        """With threads None as many as the machine gives."""
        ports = free_port(), free_port()
        tls = {"certificate_file": "tls.crt", "private_key_file": "tls.key"}
        config = {
            "listen": [{"address": f"127.0.0.1:{ports[0]}"}, {"address": f"127.0.0.1:{ports[1]}", "tls": tls}],
            "admin": "none",
            **({} if threads is None else {"threads": threads}),
            "cache": {"max_bytes": cache_max_bytes, "max_ttl": "1d"},
            "issuers": [
                {"issuer": ISSUER + algorithm, "jwks_file": f"{algorithm}.jwks", "algorithms": [algorithm], "audience": [AUDIENCE]}
                for algorithm in ALGORITHMS
            ],
            "clients": [{"client_id": "front", "client_secret_files": ["front.secret"], "profile": "front_private"}],
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(config))
        return self.start("introspectd", [self.introspectd, "serve", "--config", path], ports, counters)

    def start_ceiling(self, counters=None):
        ports = free_port(), free_port()
        command = [self.tool("ceiling"), *ports, self.folder / "tls.crt", self.folder / "tls.key"]
        return self.start("bare libh2o", command, ports, counters)

    def start_verifying(self, algorithm):
        """The ceiling, which verifies signatures of that algorithm besides."""
        ports = free_port(), free_port()
        command = [self.tool("ceiling"), *ports, self.folder / "tls.crt", self.folder / "tls.key", self.key(algorithm)]
        return self.start("libh2o that verifies", command, ports, None)

    def headers(self, body):
        return {"content-type": CONTENT_TYPES[body], "authorization": self.authorization}


def ask(server, workshop, body, text):
    """One request; gives the answer's status, header names and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/introspect", text, workshop.headers(body))
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    return response.status, sorted(name.lower() for name, _ in response.getheaders()), answer


def check_alike(pair, workshop, bodies):
    """The two answers must have the same headers and the same length, or the comparison means nothing; gives that length."""
    for body, text in bodies.items():
        shapes = []
        for server in pair:
            status, names, answer = ask(server, workshop, body, text)
            if status != 200 or not json.loads(answer)["active"]:
                raise SystemExit(f"{server.name}, {body}: {status} {answer!r}")
            shapes.append((len(answer), names))
        if shapes[0] != shapes[1]:
            raise SystemExit(f"the answers differ in shape: {shapes[0]} and {shapes[1]}")
    return shapes[0][0]
