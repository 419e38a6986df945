"""The command line: help, versions, and what verify, explain, keygen and mint print."""

import json
import re

import pytest

from harness import expect, tokens
from harness.server import run, write_config
from harness.tokens import SIGNERS
from harness.world import AUDIENCE, MAIN, OTHER, issuer_of

COMMANDS = ("serve", "check", "explain", "health", "verify", "mint", "keygen")
EX_USAGE = 64


def test_help_names_every_command():
    done = run("--help")
    assert done.returncode == 0 and done.stderr == ""
    for command in COMMANDS:
        assert command in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command):
    done = run(command, "--help")
    assert done.returncode == 0 and done.stderr == "", done
    assert f"introspectd {command}" in done.stdout and "--help" in done.stdout


@pytest.mark.parametrize("command", [(), *[(command,) for command in COMMANDS]], ids=lambda value: "".join(value) or "introspectd")
def test_version(command):
    done = run(*command, "--version")
    assert done.returncode == 0 and done.stderr == "", done
    assert re.fullmatch(r"introspectd \d+\.\d+\.\d+\n", done.stdout), done.stdout


@pytest.mark.parametrize("arguments", [
    (), ("unheard-of",), ("--unheard-of",),
    *[(command, "--unheard-of") for command in COMMANDS], *[(command, "stray") for command in COMMANDS],
    ("serve",), ("check",), ("explain",), ("verify",), ("mint",), ("serve", "--config"),
], ids=" ".join)  # fmt: skip
def test_wrong_use(arguments):
    done = run(*arguments)
    assert done.returncode == EX_USAGE and done.stdout == "" and done.stderr != "", done


# verify


@pytest.fixture(scope="module")
def jwks_file(world, session_directory):
    path = session_directory / "verify-jwks.json"
    path.write_text(tokens.jwks(*world.public_keys()))
    return path


@pytest.fixture(scope="module")
def oct_file(world, session_directory):
    path = session_directory / "verify-oct.json"
    path.write_text(tokens.jwks(world.keys["oct"]))
    return path


def test_verify_prints_one_line_for_each_token(world, jwks_file, oct_file):
    """The signature and its key alone count: an expired token is as good as any."""
    for file, signers in [
        (jwks_file, [signer for signer in SIGNERS if signer[1] != "oct"]),
        (oct_file, [signer for signer in SIGNERS if signer[1] == "oct"]),
    ]:
        good = [world.token(algorithm, world.keys[kid], exp=1) for algorithm, kid in signers]
        done = run("verify", "--jwks", file, stdin="".join(token + "\n" for token in good))
        assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n" * len(good), "")


def test_verify_says_which_keys_are_not_used(world, directory):
    path = directory / "jwks.json"
    path.write_text(tokens.jwks(world.keys["oct"], world.keys["p256"]))
    done = run("verify", "--jwks", path, stdin=world.token("ES256") + "\n" + world.token("HS256"))
    assert (done.returncode, done.stdout) == (1, "ok\nrefused unknown_key\n")
    assert "key 0" in done.stderr and "symmetric" in done.stderr, done.stderr


def test_verify_tells_why_it_refuses(world, jwks_file):
    rs256 = world.token()
    lines = {
        rs256: "ok",
        world.token(key=world.stranger["rsa"]): "refused bad_signature",
        world.token(header={"kid": "other"}): "refused unknown_key",
        "a.b": "refused malformed",
        "a.b.c.d.e": "refused encrypted",
        "eyJhbGciOiJub25lIn0.e30.": "refused algorithm_not_allowed",
        tokens.sign_raw(world.keys["p256"], "ES256", {"alg": "ES256", "crit": ["x"], "x": 1}, {}): "refused critical_header",
        tokens.sign_raw(world.keys["p256"], "ES256", {"alg": "ES256"}, b"no JSON at all"): "ok",
    }
    done = run("verify", "--jwks", jwks_file, stdin="\n".join(lines) + "\n")
    assert done.returncode == 1 and done.stdout.splitlines() == list(lines.values())


def test_verify_reads_a_last_line_without_its_end(world, jwks_file):
    done = run("verify", "--jwks", jwks_file, stdin=world.token())
    assert (done.returncode, done.stdout) == (0, "ok\n")


def test_verify_without_tokens(jwks_file):
    done = run("verify", "--jwks", jwks_file, stdin="")
    assert (done.returncode, done.stdout) == (0, "")


def test_verify_with_some_algorithms_only(world, jwks_file):
    both = world.token("RS256") + "\n" + world.token("ES256") + "\n"
    done = run("verify", "--jwks", jwks_file, "--algorithms", "ES256", stdin=both)
    assert (done.returncode, done.stdout) == (1, "refused algorithm_not_allowed\nok\n")
    done = run("verify", "--jwks", jwks_file, "--algorithms", "ES256,RS256", stdin=both)
    assert (done.returncode, done.stdout) == (0, "ok\nok\n")


@pytest.mark.parametrize("names", ["none", "rs256", "RS256,", "RS256,,ES256", "RS256 ES256", ""])
def test_verify_with_unknown_algorithms(jwks_file, names):
    done = run("verify", "--jwks", jwks_file, "--algorithms", names)
    assert done.returncode not in (0, 1) and done.stdout == "" and done.stderr != "", done


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"keys":{}}'])
def test_verify_with_a_bad_key_set(directory, content):
    path = directory / "jwks.json"
    if content is not None:
        path.write_text(content)
    done = run("verify", "--jwks", path)
    assert done.returncode not in (0, 1) and done.stdout == "" and str(path) in done.stderr, done


def test_verify_with_one_jwk(world, directory):
    path = directory / "key.json"
    path.write_text(json.dumps(tokens.public_jwk(world.keys["p256"])))
    done = run("verify", "--jwks", path, stdin=world.token("ES256"))
    assert (done.returncode, done.stdout) == (0, "ok\n")


# explain


@pytest.fixture(scope="module")
def config_file(world, session_directory):
    folder = session_directory / "commands"
    folder.mkdir()
    return write_config(folder, world.config(), world.files)


def test_explain_of_a_good_token_in_words(world, config_file):
    token = world.token(nbf=86400, exp=tokens.now_s() + 7500)
    done = run("explain", "--config", config_file, "--client", world.private.client_id, stdin=token)
    assert done.returncode == 0 and done.stderr == "", done
    for text in ("active", MAIN, "RS256", "rsa", "RSA 2048", "1970-01-02T00:00:00Z", "in 2 hours", "acme-support-1"):
        assert text in done.stdout, (text, done.stdout)


def test_explain_of_a_bad_token_in_words(world, config_file):
    token = world.token("ES256", exp=86400)
    done = run("explain", "--config", config_file, "--client", world.private.client_id, stdin=token + "\n")
    assert done.returncode == 1 and done.stderr == "", done
    for text in ("inactive", "expired", MAIN, "ES256", "p256", "1970-01-02T00:00:00Z", "ago", tokens.token_name(token), "401"):
        assert text in done.stdout, (text, done.stdout)
    assert token not in done.stdout


def test_explain_names_the_missing_member(world, config_file):
    done = run("explain", "--config", config_file, "--client", world.private.client_id, stdin=world.token(front_channel_address=""))
    assert done.returncode == 1 and "mapping_missing" in done.stdout and "front_channel_address" in done.stdout


def test_explain_for_machines(world, config_file):
    token = world.token()
    done = run("explain", "--config", config_file, "--client", world.private.client_id, "--json", stdin=token)
    story = json.loads(done.stdout)
    assert done.returncode == 0
    assert story["active"] is True and story["reason"] == "none" and story["issuer"] == MAIN and story["kid"] == "rsa"
    assert story["answer"] == {"active": True, "front_channel_name": "Acme Support", "front_channel_address": "acme-support-1"}


def test_explain_for_every_client(world, config_file):
    """Without --client: active for one is active."""
    half = world.token(front_channel_address=None)
    done = run("explain", "--config", config_file, "--json", stdin=half)
    assert done.returncode == 0
    stories = {story["client"]: story for story in json.loads(done.stdout)["clients"]}
    assert stories[world.private.client_id]["reason"] == "mapping_missing"
    assert stories[world.shared.client_id]["active"] is True
    assert stories[world.limited.client_id]["reason"] == "wrong_issuer"
    assert run("explain", "--config", config_file, stdin="x").returncode == 1


def test_explain_for_every_client_tells_first_what_says_most(world, directory):
    """The first client may not ask about this issuer, so for it the signature is not even looked at."""
    clients = [world.client_entry(world.limited, issuers=[OTHER]), world.client_entry(world.rfc)]
    file = write_config(directory, world.config(clients=clients), world.files)
    forged = world.token(key=world.stranger["rsa"])
    done = run("explain", "--config", file, "--json", stdin=forged)
    story = json.loads(done.stdout)
    assert done.returncode == 1 and story["reason"] == "bad_signature" and story["issuer"] == MAIN, story
    assert [client["reason"] for client in story["clients"]] == ["wrong_issuer", "bad_signature"]
    in_words = run("explain", "--config", file, stdin=forged).stdout.split("\n\n")[0]
    assert "bad_signature" in in_words and "wrong_issuer" not in in_words, in_words


def test_explain_of_a_client_that_is_not_there(world, config_file):
    done = run("explain", "--config", config_file, "--client", "nobody", stdin=world.token())
    assert done.returncode == EX_USAGE and done.stdout == "" and "nobody" in done.stderr


def test_explain_says_what_the_endpoint_says(running, world, config_file):
    for token in (world.token(), world.token(exp=1), "x"):
        for client in (world.private, world.shared, world.rfc):
            response = running.endpoints["h1"].introspect(token, client)
            done = run("explain", "--config", config_file, "--client", client.client_id, "--json", stdin=token)
            story = json.loads(done.stdout)
            assert story["status"] == response.status and story["answer"] == expect.parse_json(response.body)


def test_explain_prints_no_control_characters_of_a_token(world, config_file):
    evil = "\x1b[31mred\x07\u009b"
    done = run("explain", "--config", config_file, stdin=world.token(issuer=evil, header={"kid": evil, "typ": evil}))
    assert done.returncode == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout), done.stdout


# mint and keygen


def mint(directory, key, claims, *more):
    """The token that mint makes of a key (a JWK, or PEM) and claims."""
    key_file, claims_file = directory / "key", directory / "claims.json"
    key_file.write_bytes(key if isinstance(key, bytes) else json.dumps(key).encode())
    claims_file.write_text(json.dumps(claims))
    done = run("mint", "--key", key_file, "--claims", claims_file, *more)
    assert done.returncode == 0 and done.stderr == "", done
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", done.stdout), done.stdout
    tokens.made.append(done.stdout.strip())
    return tokens.made[-1]


@pytest.mark.parametrize("algorithm, kid", SIGNERS, ids=lambda value: value)
def test_minted_token_is_good(h1, world, directory, jwks_file, oct_file, algorithm, kid):
    """For the endpoint, for verify, and for python3-jwcrypto."""
    claims = tokens.claims(issuer_of(algorithm), AUDIENCE)
    token = mint(directory, tokens.private_jwk(world.keys[kid]), claims, "--algorithm", algorithm)
    expect.active(h1.introspect(token, world.private), front_channel_name="Acme Support", front_channel_address="acme-support-1")
    assert run("verify", "--jwks", oct_file if kid == "oct" else jwks_file, stdin=token).stdout == "ok\n"
    checked = tokens.jws.JWS()
    checked.deserialize(token, world.keys[kid])
    assert checked.jose_header["alg"] == algorithm and checked.jose_header["kid"] == kid
    assert json.loads(checked.payload) == claims


@pytest.mark.parametrize("kid, algorithm", [
    ("rsa", "RS256"), ("p256", "ES256"), ("p384", "ES384"), ("p521", "ES512"), ("ed25519", "EdDSA"), ("ed448", "EdDSA"),
])  # fmt: skip
def test_mint_with_pem_and_the_algorithm_that_the_key_suggests(h1, world, directory, kid, algorithm):
    pem = world.keys[kid].export_to_pem(private_key=True, password=None)
    token = mint(directory, pem, tokens.claims(MAIN, AUDIENCE))
    checked = tokens.jws.JWS()
    checked.deserialize(token, world.keys[kid])
    assert checked.jose_header["alg"] == algorithm and "kid" not in checked.jose_header
    expect.is_active(h1.introspect(token, world.private))


def test_mint_refuses_what_cannot_be(world, directory):
    (directory / "claims.json").write_text("{}")
    (directory / "array.json").write_text("[]")
    (directory / "key.json").write_text(json.dumps(tokens.private_jwk(world.keys["p256"])))
    (directory / "public.json").write_text(json.dumps(tokens.public_jwk(world.keys["p256"])))
    for key, claims, more in [
        ("key.json", "claims.json", ["--algorithm", "RS256"]),
        ("key.json", "claims.json", ["--algorithm", "none"]),
        ("key.json", "array.json", []),
        ("key.json", "absent.json", []),
        ("absent.json", "claims.json", []),
        ("public.json", "claims.json", []),
        ("claims.json", "claims.json", []),
    ]:
        done = run("mint", "--key", directory / key, "--claims", directory / claims, *more)
        assert done.returncode not in (0, 1) and done.stdout == "" and done.stderr.count("\n") >= 1, (key, claims, more, done)
        assert json.loads((directory / "key.json").read_text())["d"] not in done.stderr


@pytest.mark.parametrize("algorithm", tokens.ALGORITHMS)
def test_keygen_makes_a_key_that_mint_and_verify_take(directory, algorithm):
    done = run("keygen", "--algorithm", algorithm)
    assert done.returncode == 0 and done.stderr == "", done
    key = json.loads(done.stdout)
    again = json.loads(run("keygen", "--algorithm", algorithm).stdout)
    secret = "k" if key["kty"] == "oct" else "d"
    assert key[secret] != again[secret]
    token = mint(directory, key, {"sub": "x"}, "--algorithm", algorithm)
    (directory / "jwks.json").write_text(json.dumps({"keys": [tokens.public_jwk(tokens.jwk.JWK(**key))]}))
    assert run("verify", "--jwks", directory / "jwks.json", stdin=token).stdout == "ok\n"


def header_of(token):
    return json.loads(tokens.unb64url(token.split(".")[0]))


def payload_of(token):
    return json.loads(tokens.unb64url(token.split(".")[1]))


def test_mint_takes_header_members_and_a_lifetime(world, directory):
    key = tokens.private_jwk(world.keys["p256"])
    before = tokens.now_s()
    (directory / "header.json").write_text('{"x":{"y":[1]}}')
    token = mint(directory, key, {"a": 1}, "--kid", "k2", "--typ", "custom", "--header", directory / "header.json", "--expires-in", "60")
    assert header_of(token) == {"alg": "ES256", "kid": "k2", "typ": "custom", "x": {"y": [1]}}
    claims = payload_of(token)
    assert claims["a"] == 1 and before <= claims["iat"] <= claims["exp"] - 60 <= tokens.now_s()
    plain = mint(directory, key, {"exp": 5}, "--typ", "")
    assert header_of(plain) == {"alg": "ES256", "kid": "p256"} and payload_of(plain) == {"exp": 5}
    assert header_of(mint(directory, key, {}))["typ"] == "at+jwt"


def test_mint_makes_expired_and_otherwise_bad_tokens_too(h1, world, directory):
    """What the demo shows: a token that the endpoint refuses."""
    expired = mint(directory, tokens.private_jwk(world.keys["rsa"]), tokens.claims(MAIN, AUDIENCE), "--expires-in", "-60")
    expect.inactive(h1.introspect(expired, world.private), 401)


def test_keygen_writes_a_file_for_its_owner_alone(directory):
    path = directory / "key.json"
    done = run("keygen", "--algorithm", "EdDSA", "--kid", "k1", "--out", path)
    assert done.returncode == 0 and done.stdout == "" and path.stat().st_mode & 0o777 == 0o600, done
    key = json.loads(path.read_text())
    assert key["kid"] == "k1" and key["crv"] == "Ed25519" and "d" in key
    again = run("keygen", "--algorithm", "EdDSA", "--out", path)
    assert again.returncode == 78 and json.loads(path.read_text()) == key, again


def test_keygen_publishes_public_halves(world, directory):
    for kid in ("rsa", "p256", "ed448"):
        (directory / f"{kid}.json").write_text(json.dumps(tokens.private_jwk(world.keys[kid])))
    (directory / "p384.pem").write_bytes(world.keys["p384"].export_to_pem(private_key=True, password=None))
    done = run("keygen", "--public", *[directory / name for name in ("rsa.json", "p256.json", "ed448.json", "p384.pem")])
    assert done.returncode == 0 and done.stderr == "", done
    published = json.loads(done.stdout)["keys"]
    for kid, key in zip(("rsa", "p256", "ed448", "p384"), published):
        public = tokens.public_jwk(world.keys[kid])
        assert all(key[name] == public[name] for name in public if name != "kid"), (key, public)
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)
    (directory / "jwks.json").write_text(done.stdout)
    done = run("verify", "--jwks", directory / "jwks.json", stdin=world.token("ES256") + "\n" + world.token("RS256"))
    assert done.stdout == "ok\nok\n"
