"""An introspectd that has been asked all kinds of things, with a count of what its answers were."""

import collections
import contextlib
import json

from harness import fetched, tokens
from harness.authority import Authority
from harness.endpoint import FORM, Endpoint, basic, form_body
from harness.metrics import Metrics
from harness.provider import Provider, answer
from harness.raw_http2 import RawHttp2, request
from harness.reload import Reloads
from harness.server import Server, free_port, wait_until
from harness.world import NARROW, Client

FETCHED = "https://fetched.example.com"
UNKNOWN = Client("nobody")
WAITING = 40  # new tokens at once where one may wait
PROTOCOL_LABEL = {"h1": "http1", "tls-h1": "http1", "h2c": "http2", "tls-h2": "http2", "unix": "http1"}


class Scene:
    """Counts, in answered, by the labels of introspectd_requests_total: (profile, protocol, outcome)."""

    def __init__(self, world, server, endpoints, admin, key):
        self.world, self.server, self.endpoints, self.admin, self.key = world, server, endpoints, admin, key
        self.answered = collections.Counter()

    def metrics(self):
        return Metrics(self.admin)

    def ask(self, protocol, token, client, profile):
        response = self.endpoints[protocol].introspect(token, client)
        self.answered[self._labels(protocol, profile, response.status, json.loads(response.body))] += 1

    def _labels(self, protocol, profile, status, body):
        label = PROTOCOL_LABEL[protocol]
        if "active" in body:
            return profile, label, "active" if body["active"] else "inactive"
        if body["error"] == "invalid_client":
            return "none", label, "unauthorized"
        return {429: ("none", label, "throttled"), 503: (profile, label, "unavailable")}[status]

    def ask_everything(self):
        """Every outcome, by every protocol."""
        world = self.world
        for protocol in self.endpoints:
            good, forged = world.token(), world.token(key=world.stranger["rsa"])
            for token in (good, good, forged, forged, world.token(exp=1), world.token(aud="another"), "no-token"):
                self.ask(protocol, token, world.rfc, "rfc7662")
            self.ask(protocol, world.token("ES256"), world.private, "front_private")
            self.ask(protocol, world.token("EdDSA"), world.shared, "front_shared")
            self.ask(protocol, fetched.token(self.key, FETCHED), world.rfc, "rfc7662")
            self.ask(protocol, world.token(issuer=NARROW), world.rfc, "rfc7662")
            self.ask(protocol, good, UNKNOWN, "none")
            self._ask_wrongly(protocol)
        for _ in range(3):
            self.ask("h1", world.token(), UNKNOWN, "none")
        self._ask_too_much()

    def _ask_wrongly(self, protocol):
        endpoint, label = self.endpoints[protocol], PROTOCOL_LABEL[protocol]
        assert endpoint.post(form_body(("x", "y")), authorization=basic(self.world.rfc.client_id, self.world.rfc.secret)).status == 400
        assert endpoint.request("GET", endpoint.path).status == 405
        self.answered["rfc7662", label, "invalid"] += 1
        self.answered["none", label, "invalid"] += 1

    def _ask_too_much(self):
        """More new tokens at once than have a place to wait."""
        headers = [basic(self.world.rfc.client_id, self.world.rfc.secret), ("Content-Type", FORM)]
        token = self.world.token("ES512")
        bodies = [form_body(("token", token[:-8] + f"{i:08}")) for i in range(WAITING)]
        with RawHttp2.on(self.endpoints["h2c"]) as peer:
            peer.send(*[request(2 * i + 1, headers, body) for i, body in enumerate(bodies)])
            for i in range(WAITING):
                is_verdict = peer.body_of(2 * i + 1) == b'{"active":false}'
                self.answered["rfc7662", "http2", "inactive" if is_verdict else "overloaded"] += 1

    def reload(self):
        """Once to what is the same, but for a detail; and once to what is refused."""
        reloads = Reloads(self.server)
        reloads.change_config(lambda config: config.update(shutdown_timeout="9s"))
        wait_until(lambda: self.metrics().value("introspectd_config_reloads_total", result="applied") == 1)
        good = reloads.config()
        reloads.put_config("nonsense: 1\n")
        wait_until(lambda: self.metrics().value("introspectd_config_reloads_total", result="refused") >= 1)
        reloads.put_config(good)
        wait_until(lambda: self.metrics().value("introspectd_config_reloads_total", result="applied") == 2)


@contextlib.contextmanager
def started(world, directory):
    """A Scene whose server has issuers with keys of files, with keys that are fetched, and one without keys."""
    key, authority, admin_port = fetched.new_key("fetched"), Authority(), free_port()
    with Provider(authority.issue()) as provider:
        provider.serve("/keys", answer(tokens.jwks(key)))
        issuers = world.issuers()
        next(issuer for issuer in issuers if issuer["issuer"] == NARROW)["jwks_file"] = "empty.json"
        issuers.append(fetched.issuer(FETCHED, provider.url("/keys"), refresh_min="1s", refresh_max="2s"))
        listen, endpoints = world.listeners(directory)
        endpoints.pop("ipv6", None)
        config = world.config(
            listen=listen,
            admin={"address": f"127.0.0.1:{admin_port}"},
            threads=1,
            ready="any",
            limits={"failed_authentications": 2, "max_waiting": 1},
            issuers=issuers,
        )
        admin = Endpoint("h1", ("127.0.0.1", admin_port))
        files = {**world.files, "empty.json": '{"keys":[]}', "ca.pem": authority.pem}
        server = Server(directory, config, files, [endpoint.address for endpoint in endpoints.values()] + [admin.address])
        try:
            server.start()
            scene = Scene(world, server, endpoints, admin, key)
            wait_until(lambda: scene.metrics().value("introspectd_key_fetches_total", issuer=FETCHED) >= 1)
            yield scene
        finally:
            if server.process is not None and server.process.poll() is None:
                server.stop()
