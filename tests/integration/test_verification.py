"""Which tokens are active and which are not, and that the reason is told to the operator and to nobody else."""

import json

import pytest

from harness import expect, tokens
from harness.bad_tokens import BAD_TOKENS
from harness.server import run, wait_until, write_config
from harness.world import AUDIENCE, NARROW, OTHER, SYMMETRIC, TYPED


@pytest.fixture(scope="module")
def config_file(world, session_directory):
    folder = session_directory / "explain"
    folder.mkdir()
    return write_config(folder, world.config(), world.files)


def explain(config_file, client, token):
    """The exit status and the story that `explain` tells."""
    done = run("explain", "--config", config_file, "--client", client.client_id, "--json", stdin=token + "\n")
    return done.returncode, json.loads(done.stdout)


# Good tokens


@pytest.mark.parametrize("algorithm, kid", tokens.SIGNERS, ids=lambda value: value)
def test_good_token_of_each_algorithm(running, world, algorithm, kid):
    token = world.token(algorithm, world.keys[kid])
    for protocol in ("h1", "h2c"):
        expect.is_active(running.endpoints[protocol].introspect(token, world.private))


@pytest.mark.parametrize("algorithm, kid", tokens.SIGNERS, ids=lambda value: value)
def test_token_without_a_kid(h1, world, algorithm, kid):
    expect.is_active(h1.introspect(world.token(algorithm, world.keys[kid], header={"kid": None}), world.private))


GOOD_TOKENS = [
    ("audience-list", lambda w: w.token(aud=["https://idp.example.com/userinfo", AUDIENCE])),
    ("second-audience", lambda w: w.token(aud="second-audience")),
    ("not-before-now", lambda w: w.token(nbf=tokens.now_s() - 1)),
    ("issued-in-the-future", lambda w: w.token(iat=tokens.now_s() + 600)),
    ("fractional-dates", lambda w: w.token(exp=tokens.now_s() + 3600.75, nbf=tokens.now_s() - 10.25, iat=1.5)),
    ("exponent-dates", lambda w: tokens.sign_raw(
        w.keys["oct"], "HS256", {"alg": "HS256", "kid": "oct"},
        tokens.json_bytes(tokens.claims(SYMMETRIC, AUDIENCE, exp=None))[:-1] + b',"exp":2.5e10}')),
    ("last-second-of-9999", lambda w: w.token(exp=253402300799)),
    ("no-typ", lambda w: w.token(header={"typ": None})),
    ("any-typ", lambda w: w.token(header={"typ": "something"})),
    ("unknown-header-members", lambda w: w.token(header={"x": {"y": [1]}, "jku": "https://evil.example", "x5u": "x", "x5c": ["x"]})),
    ("header-with-white-space", lambda w: tokens.sign_raw(
        w.keys["oct"], "HS256", b'{"typ":"JWT",\r\n "alg":"HS256"}', tokens.claims(SYMMETRIC, AUDIENCE))),
    ("typed", lambda w: w.token(issuer=TYPED, token_use="access", aud="anything", header={"typ": "at+jwt"})),
    ("typed-long", lambda w: w.token(issuer=TYPED, token_use="access", aud=None, header={"typ": "application/AT+JWT"})),
    ("other-issuer", lambda w: w.token("ES256", w.other_key, issuer=OTHER)),
    ("text-in-many-scripts", lambda w: w.token(front_channel_name="Café 東京 \U0001f600 \"quoted\" \\ </script>")),
    ("as-long-as-allowed", lambda w: w.token("HS256", filler="x" * 11000)),
    ("largest-member", lambda w: w.token(front_channel_address="x" * 1024)),
]  # fmt: skip


@pytest.mark.parametrize("make", [make for _, make in GOOD_TOKENS], ids=[name for name, _ in GOOD_TOKENS])
def test_good_tokens(h1, world, make):
    expect.is_active(h1.introspect(make(world), world.private))


def test_answer_is_json_whatever_the_text_is(h1, world):
    name = "Café 東京 \U0001f600 \"quoted\" \\ / \u2028 </script>"
    response = h1.introspect(world.token(front_channel_name=name), world.private)
    expect.active(response, front_channel_name=name, front_channel_address="acme-support-1")


def test_leeway_holds_for_expiry_and_not_before(h1, world):
    """The narrow issuer has a leeway of ten minutes."""
    expect.is_active(h1.introspect(world.token(issuer=NARROW, exp=tokens.now_s() - 300), world.private))
    expect.is_active(h1.introspect(world.token(issuer=NARROW, nbf=tokens.now_s() + 300), world.private))
    expect.inactive(h1.introspect(world.token(issuer=NARROW, exp=tokens.now_s() - 601), world.private), 401)
    expect.inactive(h1.introspect(world.token(issuer=NARROW, nbf=tokens.now_s() + 900), world.private), 401)


# Bad tokens


@pytest.fixture(scope="module")
def bad_tokens(world):
    """Made once, so that every test speaks of the same token."""
    return {name: make(world) for name, _, make in BAD_TOKENS}


@pytest.mark.parametrize("name, reason", [(name, reason) for name, reason, _ in BAD_TOKENS], ids=lambda value: value)
def test_bad_token_is_inactive(running, world, bad_tokens, name, reason):
    token = bad_tokens[name]
    expect.inactive(running.endpoints["h1"].introspect(token, world.private, "json"), 401)
    if reason != "mapping_missing":  # the profile of Front's private credentials alone needs these members
        expect.inactive(running.endpoints["h2c"].introspect(token, world.rfc), 200)


@pytest.mark.parametrize("name, reason", [(name, reason) for name, reason, _ in BAD_TOKENS], ids=lambda value: value)
def test_explain_gives_the_reason(config_file, world, bad_tokens, name, reason):
    status, story = explain(config_file, world.private, bad_tokens[name])
    assert status == 1
    assert story["reason"] == reason, story


def test_log_gives_the_reason(running, world, bad_tokens):
    """Bursts are thinned, so a line may take a second try."""
    missing = {name: reason for name, reason, _ in BAD_TOKENS}
    h1 = running.endpoints["h1"]

    def all_are_logged():
        with h1.connect() as connection:
            for name in missing:
                h1.introspect(bad_tokens[name], world.private, connection=connection)
        lines = {(line["token"], line["reason"]) for line in running.server.find_log(event="token_inactive", client="front-private")}
        for name in [n for n, reason in missing.items() if (tokens.token_name(bad_tokens[n]), reason) in lines]:
            del missing[name]
        return not missing

    wait_until(all_are_logged, timeout_s=60, every_s=1.1)


def test_issuer_that_is_not_the_clients(h1, config_file, world):
    token = world.token()
    expect.inactive(h1.introspect(token, world.limited), 200)
    assert explain(config_file, world.limited, token)[1]["reason"] == "wrong_issuer"
    own = world.token("ES256", world.other_key, issuer=OTHER)
    expect.is_active(h1.introspect(own, world.limited))


def test_mapping_that_only_one_profile_misses(h1, world):
    token = world.token(front_channel_address=None)
    expect.inactive(h1.introspect(token, world.private), 401)
    expect.active(h1.introspect(token, world.shared), resource_owner_id="owner-42", resource_owner_name="Ada Lovelace")


def test_explain_of_keys_that_cannot_be_had(world, directory):
    config = world.config()
    config["issuers"][0]["jwks_file"] = "empty.json"
    config_file = write_config(directory, config, {**world.files, "empty.json": '{"keys":[]}'})
    status, story = explain(config_file, world.private, world.token())
    assert status == 1 and story["reason"] == "keys_unavailable"


# Key sets as identity providers publish them


def jwks_text(*members):
    return json.dumps({"keys": list(members)})


@pytest.fixture(scope="module")
def keys_server(world, start_module_server):
    """One issuer for each peculiar key set."""
    rsa, p256, secret = (tokens.public_jwk(world.keys[kid]) for kid in ("rsa", "p256", "oct"))
    small = tokens.jwk.JWK.generate(kty="RSA", size=1024, kid="small")
    short = tokens.jwk.JWK.generate(kty="oct", size=248, kid="short")
    sets = {
        "unusable-beside-usable": jwks_text(
            {"kty": "unheard-of", "kid": "a"}, {"kid": "b"}, "no object", {"kty": "RSA", "n": "!", "e": "AQAB"},
            {"kty": "EC", "crv": "P-256", "x": rsa["n"][:43], "y": rsa["n"][43:86]}, rsa,
        ),
        "for-encryption": jwks_text({**rsa, "use": "enc"}, {**p256, "use": "sig"}),
        "other-operations": jwks_text({**rsa, "key_ops": ["encrypt"]}, {**p256, "key_ops": ["verify"]}),
        "own-algorithm": jwks_text({**rsa, "alg": "RS512"}, {**p256, "alg": "ES256"}),
        "small-rsa": jwks_text(tokens.public_jwk(small), p256),
        "short-secret": jwks_text(tokens.public_jwk(short), secret),
        "private-published": jwks_text(tokens.private_jwk(world.keys["rsa"])),
        "extra-members": jwks_text({**rsa, "x5c": ["x"], "x5t": "y", "issuer": "z", "nested": {"a": [1]}}),
        "mixed": jwks_text(secret, rsa),
        "one-kid-two-keys": jwks_text(p256, {**tokens.public_jwk(world.other_key), "kid": "p256"}, {**rsa, "kid": "p256"}),
        "one-key-twice": jwks_text(p256, p256),
    }  # fmt: skip
    issuers = [
        {"issuer": f"https://{name}.example", "jwks_file": f"{name}.json", "algorithms": list(tokens.ALGORITHMS), "audience": "any"}
        for name in sets
    ]
    files = {f"{name}.json": text for name, text in sets.items()}
    started = start_module_server(world.config(issuers=issuers, clients=[world.client_entry(world.rfc)]), files)
    started.small, started.short = small, short
    return started


@pytest.mark.parametrize(
    "name, algorithm, is_active",
    [
        ("unusable-beside-usable", "RS256", True),
        ("for-encryption", "RS256", False),
        ("for-encryption", "ES256", True),
        ("other-operations", "RS256", False),
        ("other-operations", "ES256", True),
        ("own-algorithm", "RS256", False),
        ("own-algorithm", "PS512", False),
        ("own-algorithm", "RS512", True),
        ("own-algorithm", "ES256", True),
        ("private-published", "RS256", True),
        ("extra-members", "RS256", True),
        ("short-secret", "HS256", True),
        ("mixed", "HS256", False),
        ("mixed", "RS256", True),
        ("one-kid-two-keys", "ES256", False),
        ("one-key-twice", "ES256", True),
    ],
)
def test_key_sets(keys_server, world, name, algorithm, is_active):
    token = world.token(algorithm, issuer=f"https://{name}.example")
    response = keys_server.endpoints["h1"].introspect(token, world.rfc)
    expect.is_active(response) if is_active else expect.inactive(response, 200)


def test_weak_keys_verify_nothing(keys_server, world):
    h1 = keys_server.endpoints["h1"]
    small = world.token("RS256", keys_server.small, issuer="https://small-rsa.example")
    short = tokens.sign_raw(
        keys_server.short, "HS256", {"alg": "HS256", "kid": "short"}, tokens.claims("https://short-secret.example", AUDIENCE)
    )
    expect.inactive(h1.introspect(small, world.rfc), 200)
    expect.inactive(h1.introspect(short, world.rfc), 200)


def test_operator_is_told_of_skipped_keys(keys_server):
    notes = " ".join(event["note"] for event in keys_server.server.find_log(event="config_note"))
    assert "issuers[0].jwks_file: key 0" in notes and "issuers[6].jwks_file: key 0" in notes, notes
    assert "private key" in notes, notes
