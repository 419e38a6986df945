"""A real authorization server, npm oidc-provider: discovered by introspectd, its keys rotated while npm openid-client introspects."""

import pytest

from harness import expect, fetched, node, tokens
from harness.authority import Authority
from harness.server import free_port, wait_until
from harness.world import Client

RESOURCE = "https://channels.example.com"
COOLDOWN_S = 2
SLACK_S = 3
REFRESH_MAX_S = 4
CLAIMS = {"channel": {"name": "Acme Support"}, "https://ns.example.com/tenant": "t-7"}


@pytest.fixture(scope="module")
def keys():
    return {kid: tokens.generate_key("rsa", kid=kid) for kid in ("key-a", "key-b", "key-c")}


def private_keys(keys, *kids):
    return [{**tokens.private_jwk(keys[kid]), "use": "sig"} for kid in kids]


class Together:
    def __init__(self, running, authorization_server, load, issuer):
        self.running, self.authorization_server, self.load, self.issuer = running, authorization_server, load, issuer


@pytest.fixture(scope="module")
def together(world, keys, session_directory, start_module_server):
    """The authorization server with its first key, introspectd that discovered it, and the load on both."""
    for package in ("oidc-provider", "openid-client", "jose"):
        node.require_package(package)
    authority = Authority()
    certificate, certificate_key = authority.issue()
    ca_file = session_directory / "authorization-server-ca.pem"
    ca_file.write_bytes(authority.pem)
    port = free_port()
    issuer = f"https://127.0.0.1:{port}"
    application = Client("channel-application")
    entry = fetched.issuer(
        issuer,
        algorithms=["RS256"],
        audience=[RESOURCE],
        token_types=["at+jwt"],
        cooldown=f"{COOLDOWN_S}s",
        refresh_max=f"{REFRESH_MAX_S}s",
    )
    config = fetched.config(world, [entry])
    front = next(client for client in config["clients"] if client["client_id"] == world.private.client_id)
    front["fields"] = {"front_channel_name": "/channel/name", "front_channel_address": "{https://ns.example.com/tenant}:{client_id}"}
    environment = {"NODE_EXTRA_CA_CERTS": str(ca_file), "NO_PROXY": "*"}
    with node.Process("authorization_server.mjs") as server, node.Process("rotation_load.mjs", **environment) as load:
        server.ask(
            "start",
            port=port,
            certificate=certificate.decode(),
            certificateKey=certificate_key.decode(),
            issuer=issuer,
            resource=RESOURCE,
            client=vars(application),
            claims=CLAIMS,
            keys=private_keys(keys, "key-a"),
        )
        running = start_module_server(config, {"ca.pem": authority.pem})
        wait_until(lambda: fetched.readyz(running)[0] == 200)
        load.ask(
            "start",
            issuer=issuer,
            application=vars(application),
            resource=RESOURCE,
            endpoint=running.endpoints["h1"].url,
            caller=vars(world.rfc),
            parallel=3,
        )
        yield Together(running, server, load, issuer)


def wait_for_tokens(load, kid, count):
    """Waits until so many tokens of a key were introspected with success; gives what was seen."""
    return wait_until(lambda: (seen := load.ask("report").get(kid)) and seen["introspections"] - seen["refusals"] >= count and seen)


def introspect(together, world, token, client=None):
    client = client or world.rfc
    job = {
        "url": together.running.endpoints["h1"].url,
        "clientId": client.client_id,
        "clientSecret": client.secret,
        "method": "client_secret_basic",
        "token": token,
    }
    results = node.run_jobs("introspect_with_openid_client.mjs", [job, job])
    assert results[0] == results[1]
    return results[0]["ok"]


def test_rotation_under_load(together, world, keys, capsys, record_property):
    """New keys sign at once when they are published; then the oldest key is taken away."""
    server, load = together.authorization_server, together.load
    token_of_a = wait_for_tokens(load, "key-a", 20)["token"]
    answer = introspect(together, world, token_of_a)
    assert answer["active"] is True and answer["iss"] == together.issuer and answer["aud"] == RESOURCE
    assert answer["scope"] == "channel:read"
    expect.active(
        together.running.endpoints["h1"].introspect(token_of_a, world.private),
        front_channel_name="Acme Support",
        front_channel_address="t-7:channel-application",
    )

    # The second rotation comes right after the first was seen, so that the cooldown of the first has to be sat out.
    server.ask("use", keys=private_keys(keys, "key-b", "key-a"))
    token_of_b = wait_for_tokens(load, "key-b", 1)["token"]
    server.ask("use", keys=private_keys(keys, "key-c", "key-b", "key-a"))
    wait_for_tokens(load, "key-c", 20)
    for token in (token_of_a, token_of_b):
        assert introspect(together, world, token)["active"] is True

    changes = len(fetched.changes(together.running, together.issuer))
    server.ask("use", keys=private_keys(keys, "key-c", "key-b"))
    wait_until(lambda: len(fetched.changes(together.running, together.issuer)) > changes)
    for _ in range(2):
        assert introspect(together, world, token_of_a) == {"active": False}
    assert introspect(together, world, token_of_b)["active"] is True
    line = together.running.server.find_log(event="token_inactive", token=tokens.token_name(token_of_a))[-1]
    assert line["reason"] == "unknown_key" and line["kid"] == "key-a"

    # Nothing but the right refusals, and they were short.
    seen = load.ask("stop")
    assert set(seen) == {"key-a", "key-b", "key-c"}
    assert seen["key-a"]["refusals"] == 0
    longest_s = max(kid["longestRefusalMs"] for kid in seen.values()) / 1000
    total = sum(kid["tokens"] for kid in seen.values())
    figures = (
        f"{total} tokens over two rotations and a removal; longest refusal of a valid token {longest_s:.2f} s "
        f"at a cooldown of {COOLDOWN_S} s ({seen['key-b']['refusedTokens']} and {seen['key-c']['refusedTokens']} tokens were refused at first)"
    )
    record_property("rotation", figures)
    with capsys.disabled():
        print(f"\n{figures}")
    assert 0 < longest_s < COOLDOWN_S + SLACK_S
    asked = server.ask("requests")
    assert asked["/.well-known/openid-configuration"] <= 2, "once by introspectd, once by the application"
    assert not fetched.failures(together.running, together.issuer)
