"""Volumes of ConfigMaps and Secrets, which kubelet exchanges under the running server."""

import pytest
import yaml

from harness import expect, tokens
from harness.endpoint import Endpoint, parse_json
from harness.kubernetes import Volume
from harness.reload import RELOADED, REFUSED, Reloads
from harness.server import Server, free_port, wait_until
from harness.tls_session import der, served_certificate
from harness.world import AUDIENCE, MAIN, Client, make_certificate


class Pod:
    """One server whose config, secrets, keys and certificate are volumes of their own."""

    def __init__(self, world, directory):
        self.world = world
        self.directory = directory
        self.port = free_port()
        self.key = tokens.generate_key("p256", kid="first")
        self.client = Client("front")
        self.certificate, self.private_key = make_certificate()
        (directory / "mnt").mkdir()
        self.volumes = {name: Volume(directory / "mnt" / name, self.files()[name]) for name in self.files()}
        self.server = Server(directory, "", None, [("127.0.0.1", self.port)])
        self.server.config_file = directory / "mnt/config/introspectd.yaml"
        self.endpoint = Endpoint("tls-h1", ("127.0.0.1", self.port), certificate_file=directory / "mnt/tls/tls.crt")

    def config(self):
        mounted = self.directory / "mnt"
        tls = {"certificate_file": "../tls/tls.crt", "private_key_file": str(mounted / "tls/tls.key")}
        return {
            "listen": [{"address": f"127.0.0.1:{self.port}", "tls": tls}],
            "admin": "none",
            "threads": 2,
            "issuers": [
                {"issuer": MAIN, "jwks_file": str(mounted / "keys/jwks.json"), "algorithms": ["ES256"], "audience": [AUDIENCE]}
            ],
            "clients": [
                {
                    "client_id": "front",
                    "client_secret_files": ["../secrets/front"],
                    "profile": "rfc7662",
                    "fields": {"version": self.mapping},
                }
            ],
        }

    mapping = "one-{sub}"

    def files(self):
        return {
            "config": {"introspectd.yaml": yaml.safe_dump(self.config())},
            "secrets": {"front": self.client.secret, "unused": "unused"},
            "keys": {"jwks.json": tokens.jwks(self.key)},
            "tls": {"tls.crt": self.certificate, "tls.key": self.private_key},
        }

    def update(self, name):
        self.volumes[name].update(self.files()[name])

    def token(self):
        return tokens.sign(self.key, "ES256", tokens.claims(MAIN, AUDIENCE))

    def reloaded(self, count):
        """Waits for that many reloads, and there must be no more, and no refusal."""
        wait_until(lambda: len(self.server.find_log(event=RELOADED)) >= count)
        assert len(self.server.find_log(event=RELOADED)) == count
        assert self.server.find_log(event=REFUSED) == []


@pytest.fixture
def pod(world, directory):
    made = Pod(world, directory)
    made.server.start()
    yield made
    try:
        made.server.stop()
    finally:
        if made.server.process.poll() is None:
            made.server.process.kill()
            made.server.process.wait()


def test_each_volume_is_exchanged_as_a_whole_and_taken_once(pod):
    old_client, old_token = pod.client, pod.token()
    expect.is_active(pod.endpoint.introspect(old_token, old_client))

    pod.client = Client("front")
    pod.update("secrets")
    pod.reloaded(1)
    expect.invalid_client(pod.endpoint.introspect(old_token, old_client))
    expect.is_active(pod.endpoint.introspect(old_token, pod.client))

    pod.key = tokens.generate_key("p256", kid="second")
    pod.update("keys")
    pod.reloaded(2)
    expect.inactive(pod.endpoint.introspect(old_token, pod.client), 200)
    expect.is_active(pod.endpoint.introspect(pod.token(), pod.client))

    pod.certificate, pod.private_key = make_certificate()
    pod.update("tls")
    pod.reloaded(3)
    assert served_certificate(pod.endpoint) == der(pod.certificate)

    pod.mapping = "two-{sub}"
    pod.update("config")
    pod.reloaded(4)
    assert parse_json(pod.endpoint.introspect(pod.token(), pod.client).body)["version"].startswith("two-")


def test_exchange_after_exchange(pod):
    for number in range(1, 8):
        pod.mapping = f"{number}-{{sub}}"
        pod.update("config")
        pod.reloaded(number)
        assert parse_json(pod.endpoint.introspect(pod.token(), pod.client).body)["version"].startswith(f"{number}-")
    assert all(event["trigger"] == "files" for event in pod.server.find_log(event=RELOADED))


def test_bad_config_map_is_refused_and_the_next_one_taken(pod):
    pod.mapping = "{not closed"
    pod.update("config")
    reloads = Reloads(pod.server)
    (refused,) = wait_until(lambda: pod.server.find_log(event=REFUSED))
    assert refused["error"] == reloads.check() and "version" in refused["error"]
    expect.is_active(pod.endpoint.introspect(pod.token(), pod.client))
    pod.mapping = "two-{sub}"
    reloads.accepted(lambda: pod.update("config"))
    assert parse_json(pod.endpoint.introspect(pod.token(), pod.client).body)["version"].startswith("two-")


def test_key_that_appears_in_a_secret(pod):
    """The config comes before the Secret that it needs: refused until the file is there."""
    reloads, added = Reloads(pod.server), Client("added")
    config = pod.config()
    config["clients"].append({"client_id": "added", "client_secret_files": ["../secrets/added"], "profile": "rfc7662"})
    error = reloads.refused(lambda: pod.volumes["config"].update({"introspectd.yaml": yaml.safe_dump(config)}))
    assert "clients[1].client_secret_files[0]: " in error
    reloads.accepted(lambda: pod.volumes["secrets"].update({"front": pod.client.secret, "added": added.secret}))
    for client in (pod.client, added):
        expect.is_active(pod.endpoint.introspect(pod.token(), client))
    error = reloads.refused(lambda: pod.volumes["secrets"].update({"front": pod.client.secret}))
    assert "clients[1].client_secret_files[0]: " in error
    expect.is_active(pod.endpoint.introspect(pod.token(), added))
