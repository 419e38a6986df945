"""The image in a real dockerd: it serves with no right that it does not need, says how it is, and ends when it is told to."""

import json
import os
import time

import pytest

from harness import expect, fetched, tokens
from harness.authority import Authority
from harness.confined import is_of_user, threads
from harness.provider import Provider, answer
from harness.server import wait_until
from harness.world import Client
from image import RESTRICTED, USER_ID, told

HEALTH_SOON = ["--health-interval", "1s", "--health-retries", "2"]
ISSUER, OTHER_ISSUER = "https://fetched.example.com", "https://other.example.com"
KEY = fetched.new_key("key")
PROVIDER_NAME = "keys.example.com"


@pytest.fixture(scope="module")
def authority():
    return Authority()


def front_token(world, **changes):
    return world.token(front_channel_name="Acme", front_channel_address="acme:7", **changes)


def test_serves_with_the_least_rights(containers, world):
    started_s = time.monotonic()
    container = containers.start(world.config(), world.files, *HEALTH_SOON)
    wait_until(container.is_ready, every_s=0.005)
    told(f"from `docker run` to ready {1000 * (time.monotonic() - started_s):.0f} ms")
    response = container.endpoint.introspect(front_token(world), world.private)
    expect.active(response, front_channel_name="Acme", front_channel_address="acme:7")
    expect.inactive(container.endpoint.introspect(front_token(world, exp=int(time.time()) - 60), world.private), 401)
    expect.invalid_client(container.endpoint.introspect(front_token(world), Client(world.private.client_id)))
    for algorithm in ("PS256", "ES384", "EdDSA", "HS256"):
        expect.is_active(container.endpoint.introspect(world.token(algorithm), world.rfc))

    assert is_of_user(container.pid(), USER_ID, USER_ID)
    for thread in threads(container.pid()):
        assert thread["NoNewPrivs"] == ["1"] and int(thread["CapBnd"][0], 16) == 0, thread
    containers.docker.wait_for_health(container.name, "healthy")
    containers.docker.run("kill", "--signal", "TERM", container.name)
    assert container.wait() == 0, container.log()


def test_is_stopped_by_what_the_image_says(containers, world):
    container = containers.start(world.config(), world.files)
    wait_until(container.is_ready)
    containers.docker.run("stop", "--time", "30", container.name)
    assert container.wait() == 0, container.log()


def test_unhealthy_without_keys(containers, world):
    """The process is up and answers 503; its container counts as unhealthy."""
    issuers = [fetched.issuer(ISSUER, "https://nowhere.invalid/jwks", ca_file=None)]
    container = containers.start(fetched.config(world, issuers), world.files, *HEALTH_SOON, "--health-start-period", "0s")
    containers.docker.wait_for_health(container.name, "unhealthy")
    expect.unavailable(container.endpoint.introspect(fetched.token(KEY, ISSUER), world.rfc))
    checks = json.loads(containers.docker.inspect(container.name, "{{json .State.Health.Log}}"))
    assert {check["ExitCode"] for check in checks} == {1}, checks


def test_bad_config_is_told(containers, world):
    container = containers.start(world.config(threads="many"), world.files)
    assert container.wait() == 78
    assert "/etc/introspectd/introspectd.yaml:" in container.log() and "threads: must be" in container.log(), container.log()


def fails_because(container, issuer):
    return [event["problem"] for event in container.events("keys_refresh_failed") if event["issuer"] == issuer]


def test_keys_of_a_provider_in_etc_hosts(containers, world, authority):
    """Over https, by a name that is nowhere else; and by the image's own authorities the provider is a stranger."""
    with Provider(authority.issue((PROVIDER_NAME,))) as provider:
        provider.serve("/jwks", answer(tokens.jwks(KEY)))
        url = f"https://{PROVIDER_NAME}:{provider.port}/jwks"
        issuers = [fetched.issuer(ISSUER, url), fetched.issuer(OTHER_ISSUER, url, ca_file=None)]
        config = fetched.config(world, issuers, ready="any")
        files = {**world.files, "ca.pem": authority.pem}
        container = containers.start(config, files, "--add-host", f"{PROVIDER_NAME}:127.0.0.1", on_machine=True).listens()
        assert fetched.becomes_active(container.endpoint, fetched.token(KEY, ISSUER), world.rfc)
        reason = wait_until(lambda: fails_because(container, OTHER_ISSUER))[0]
        assert "unable to get local issuer certificate" in reason, reason


def test_a_name_that_dns_has_is_found(containers, world, authority):
    """The name of another container, which answers over TLS that it has no such path."""
    certificate, key = authority.issue((PROVIDER_NAME,))
    tls = {"certificate_file": "tls.crt", "private_key_file": "tls.key"}
    files = {**world.files, "tls.crt": certificate, "tls.key": key, "ca.pem": authority.pem}
    other = containers.start(world.config(), files, "--network-alias", PROVIDER_NAME, tls=tls)
    wait_until(other.is_ready)
    url = f"https://{PROVIDER_NAME}:{other.endpoint.address[1]}/jwks"
    container = containers.start(fetched.config(world, [fetched.issuer(ISSUER, url)]), files)
    reason = wait_until(lambda: fails_because(container, ISSUER))[0]
    assert reason.endswith("status 404"), reason


def test_filter_of_system_calls(containers, world, authority):
    """All that is fetched and answered is under the filter too, beside the one that the runtime sets."""
    with Provider(authority.issue((PROVIDER_NAME,))) as provider:
        provider.serve("/jwks", answer(tokens.jwks(KEY)))
        config = fetched.config(world, [fetched.issuer(ISSUER, f"https://{PROVIDER_NAME}:{provider.port}/jwks")], seccomp=True)
        files = {**world.files, "ca.pem": authority.pem}
        container = containers.start(config, files, "--add-host", f"{PROVIDER_NAME}:127.0.0.1", *HEALTH_SOON, on_machine=True).listens()
        assert fetched.becomes_active(container.endpoint, fetched.token(KEY, ISSUER), world.rfc)
        filters = {int(thread["Seccomp_filters"][0]) for thread in threads(container.pid())}
        assert filters == {2}, filters
        containers.docker.wait_for_health(container.name, "healthy")
        containers.docker.run("stop", container.name)
        assert container.wait() == 0, container.log()


def test_user_of_the_config(containers, world):
    """Started as root, it becomes the user whose name the image has."""
    rights = [word if word != f"{USER_ID}:{USER_ID}" else "0:0" for word in RESTRICTED]
    rights += ["--cap-add", "SETUID", "--cap-add", "SETGID"]
    container = containers.start(world.config(user="introspectd"), world.files, restrictions=rights, owner_id=0)
    wait_until(container.is_ready)
    assert is_of_user(container.pid(), USER_ID, USER_ID, groups=[USER_ID])
    expect.is_active(container.endpoint.introspect(world.token(), world.rfc))


@pytest.mark.skipif(os.cpu_count() < 2, reason="one processor: threads are one without a quota too")
def test_threads_follow_the_quota(containers, world):
    config = world.config(threads="auto")
    for options, expected in [(["--cpus", "1"], 1), ([], os.cpu_count())]:
        container = containers.start(config, world.files, *options)
        wait_until(container.is_ready)
        assert container.events("started")[0]["threads"] == expected, container.log()
