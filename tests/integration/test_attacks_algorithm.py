"""The algorithm is the issuer's choice: `none`, confusion of public keys with secrets, one algorithm's signature under another's name."""

import hashlib
import json

import pytest
from cryptography.hazmat.primitives import serialization

from harness import attacks, expect, tokens
from harness.attacks import BLANK, NARROW, ONLY_BLANK, PUBLIC, SECRET, Target, certificate_of, claims, hmac_token
from harness.tokens import b64url, json_bytes, signature_of, with_signature


@pytest.fixture(scope="module")
def target(world, start_module_server):
    return Target(world, start_module_server)


# none

NONE_NAMES = [
    "none", "None", "NONE", "nOnE", "NoNe", "nonE", "nONE",
    " none", "none ", "none\t", "none\n", "\r\nnone", "none\u00a0", "none\u200b", "\ufeffnone", "n\u00adone",
    "\uff4e\uff4f\uff4e\uff45", "n\u043ene", "non\u0435", "no\u0578e", "\u24dd\u24de\u24dd\u24d4", "n\u00f8ne", "n0ne",
    "none,RS256", "RS256,none", "none RS256", "RS256;none", "null", "nil", "undefined", "false", "0", "plain", "dir",
]  # fmt: skip


@pytest.mark.parametrize("issuer", [PUBLIC, NARROW, SECRET])
@pytest.mark.parametrize("signature", ["without", "borrowed", "a byte"])
def test_none_in_every_spelling(target, issuer, signature):
    algorithm = "HS256" if issuer == SECRET else "RS256"
    borrowed = target.token(algorithm, issuer).rsplit(".", 1)[1]
    ending = {"without": "", "borrowed": borrowed, "a byte": "AA"}[signature]

    def unsigned(header):
        return b64url(json_bytes(header)) + "." + b64url(json_bytes(claims(issuer))) + "." + ending

    key = tokens.KEY_OF_ALGORITHM[algorithm]
    cases = [(repr(name), "algorithm_not_allowed", unsigned({"alg": name, "kid": key})) for name in NONE_NAMES]
    cases += [(f"no kid, {name}", "algorithm_not_allowed", unsigned({"alg": name})) for name in ("none", "NONE")]
    cases.append(("escaped", "algorithm_not_allowed", unsigned(rb'{"alg":"\u006eon\u0065"}')))
    cases.append(("first of two", "malformed", unsigned(rb'{"alg":"none","\u0061lg":"RS256"}')))
    cases.append(("with NUL", "malformed", unsigned(rb'{"alg":"none\u0000"}')))
    cases.append(("NUL, then the good one", "malformed", unsigned(rb'{"alg":"none\u0000RS256"}')))
    for value in ("null", "false", "0", "[]", '["none"]', '["none","RS256"]', "{}", '{"none":"RS256"}'):
        cases.append((value, "malformed", unsigned(b'{"alg":' + value.encode() + b"}")))
    target.is_refused(cases, explained=signature == "without", logged=signature == "without")


def test_names_of_algorithms_are_exact(target):
    """Each is well signed by the key that its name almost is."""
    names = ["rs256", "Rs256", " RS256", "RS256 ", "RS-256", "RSA256", "\uff32\uff33256", "RS256\u200b", "RS\u0662\u0665\u0666", "RS1",
        "RSA-SHA256"]
    cases = [(name, "algorithm_not_allowed", tokens.sign_raw(target.keys["rsa"], "RS256", {"alg": name, "kid": "rsa"}, claims(PUBLIC)))
        for name in names]
    for name in ("HS2560", "HS1", "A256KW", "dir", "RSA-OAEP"):
        cases.append((name, "algorithm_not_allowed", target.signed({"alg": name, "kid": "oct"})))
    for name in ("eddsa", "EDDSA", "Ed25519", "ed25519"):
        cases.append((name, "algorithm_not_allowed",
            tokens.sign_raw(target.keys["ed25519"], "EdDSA", {"alg": name, "kid": "ed25519"}, claims(PUBLIC))))
    target.is_refused(cases)


# Public keys as secrets


def encodings(key):
    public = serialization.load_pem_public_key(key.export_to_pem())
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    formats = {"spki": serialization.PublicFormat.SubjectPublicKeyInfo}
    if key["kty"] == "RSA":
        formats["pkcs1"] = serialization.PublicFormat.PKCS1
    for name, form in formats.items():
        text = public.public_bytes(pem, form)
        lines = text.split(b"\n")
        yield f"{name}-pem", text
        yield f"{name}-pem-without-newline", text.rstrip(b"\n")
        yield f"{name}-pem-two-newlines", text + b"\n"
        yield f"{name}-pem-crlf", text.replace(b"\n", b"\r\n")
        yield f"{name}-pem-nul", text + b"\0"
        yield f"{name}-pem-body", b"\n".join(lines[1:-2])
        yield f"{name}-base64", b"".join(lines[1:-2])
        yield f"{name}-der", public.public_bytes(der, form)


def serializations(key, published_set):
    member = tokens.public_jwk(key)
    without_kid = {name: value for name, value in member.items() if name != "kid"}
    for name, jwk in (("jwk", member), ("jwk-without-kid", without_kid)):
        yield name, json.dumps(jwk).encode()
        yield f"{name}-compact", json_bytes(jwk)
        yield f"{name}-sorted", json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()
        yield f"{name}-indented", json.dumps(jwk, indent=2).encode()
    yield "set", published_set.encode()
    yield "thumbprint", hashlib.sha256(json.dumps(without_kid, sort_keys=True, separators=(",", ":")).encode()).digest()
    for name in ("n", "e", "x", "y"):
        if name in member:
            yield f"{name}-text", member[name].encode()
            yield f"{name}-bytes", tokens.unb64url(member[name])
            yield f"{name}-signed", b"\0" + tokens.unb64url(member[name])
    if "y" in member:
        yield "point", b"\4" + tokens.unb64url(member["x"]) + tokens.unb64url(member["y"])


def forms(key, published_set):
    yield from encodings(key)
    yield from serializations(key, published_set)
    yield "kid", key["kid"].encode()
    if key["kty"] == "RSA":
        yield from certificate_of(key).items()


@pytest.mark.parametrize("algorithm", attacks.HASHES)
@pytest.mark.parametrize("kind", ["rsa", "p256", "ed25519"])
def test_public_key_as_secret(target, kind, algorithm):
    """RFC 8725 section 2.1, with an allow-list that has the symmetric algorithms: only the key's type stands in the way."""
    cases = []
    for name, secret in forms(target.keys[kind], target.public_set):
        cases.append((name, "unknown_key", hmac_token(secret, {"alg": algorithm, "kid": kind}, claims(PUBLIC))))
        cases.append((f"{name}, no kid", "unknown_key", hmac_token(secret, {"alg": algorithm}, claims(PUBLIC))))
    assert len(cases) > 40
    target.is_refused(cases, logged=False)
    target.is_refused(cases[:4], explained=False)


def test_public_key_as_secret_where_it_is_not_even_allowed(target):
    cases = [
        (name, "algorithm_not_allowed", hmac_token(secret, {"alg": "HS256", "kid": "rsa"}, claims(NARROW)))
        for name, secret in forms(target.keys["rsa"], target.public_set)
    ]
    target.is_refused(cases)


def test_public_key_of_one_issuer_against_the_secret_of_another(target):
    cases = []
    for name, secret in forms(target.keys["rsa"], target.public_set):
        cases.append((name, "bad_signature", hmac_token(secret, {"alg": "HS256", "kid": "oct"}, claims(SECRET))))
    target.is_refused(cases)


# One algorithm's signature under another's name


def test_signature_of_another_algorithm(target):
    made_by = {"RS256": "rsa", "PS256": "rsa", "ES256": "p256", "EdDSA": "ed25519"}
    told = {"RS256": "rsa", "RS384": "rsa", "PS256": "rsa", "PS512": "rsa", "ES256": "p256", "ES384": "p384", "ES512": "p521",
        "EdDSA": "ed25519"}
    cases = []
    for algorithm, key in made_by.items():
        for name, kid in told.items():
            if name == algorithm or (algorithm, name) == ("RS256", "PS256"):
                continue
            for header in ({"alg": name, "kid": kid}, {"alg": name}):
                token = tokens.sign_raw(target.keys[key], algorithm, header, claims(PUBLIC))
                cases.append((f"{algorithm} by {key} as {header}", "bad_signature", token))
    target.is_refused(cases, logged=False)
    target.is_refused(cases[::3], explained=False)


def test_key_id_of_another_type(target):
    cases = []
    for algorithm, key, kids in [
        ("ES256", "p256", ("rsa", "p384", "p521", "ed25519", "ed448")),
        ("PS256", "rsa", ("p256", "ed25519")),
        ("EdDSA", "ed25519", ("rsa", "p256")),
    ]:
        for kid in kids:
            token = tokens.sign_raw(target.keys[key], algorithm, {"alg": algorithm, "kid": kid}, claims(PUBLIC))
            reason = "bad_signature" if (algorithm, kid) == ("EdDSA", "ed448") else "unknown_key"
            cases.append((f"{algorithm} under {kid}", reason, token))
    other_curve = tokens.sign_raw(target.keys["ed25519"], "EdDSA", {"alg": "EdDSA", "kid": "ed448"}, claims(PUBLIC))
    cases.append(("Ed25519 under Ed448", "bad_signature", other_curve))
    target.is_refused(cases)


# Symmetric keys that are no secret


def test_blank_and_short_secrets(target):
    cases = []
    for algorithm in attacks.HASHES:
        for kid in ("blank", "byte", "short", "nearly"):
            token = hmac_token(target.blanks[kid], {"alg": algorithm, "kid": kid}, claims(BLANK))
            cases.append((f"{algorithm} {kid}", "unknown_key", token))
        for name in ("blank", "byte", "short", "nearly"):
            token = hmac_token(target.blanks[name], {"alg": algorithm}, claims(BLANK))
            cases.append((f"{algorithm} {name}, no kid", "bad_signature", token))
        cases.append((f"{algorithm} zeros", "bad_signature", hmac_token(bytes(64), {"alg": algorithm, "kid": "strong"}, claims(BLANK))))
        cases.append((f"{algorithm} blank for strong", "bad_signature",
            hmac_token(b"", {"alg": algorithm, "kid": "strong"}, claims(BLANK))))
    for algorithm in ("HS384", "HS512"):
        token = hmac_token(target.blanks["for-256"], {"alg": algorithm, "kid": "for-256"}, claims(BLANK))
        cases.append((f"{algorithm} with a key for HS256", "unknown_key", token))
    cases.append(("blank kid", "unknown_key", hmac_token(b"", {"alg": "HS256", "kid": ""}, claims(BLANK))))
    target.is_refused(cases)


def test_secrets_that_are_long_enough_verify(target):
    for algorithm in attacks.HASHES:
        target.is_active(hmac_token(target.blanks["strong"], {"alg": algorithm, "kid": "strong"}, claims(BLANK)))
    target.is_active(hmac_token(target.blanks["for-256"], {"alg": "HS256", "kid": "for-256"}, claims(BLANK)))


def test_issuer_with_nothing_but_blank_secrets(target):
    """Nothing can be known of its tokens: no verdict, and never an active one."""
    for kid in ("blank", "byte", None):
        header = {"alg": "HS256"} if kid is None else {"alg": "HS256", "kid": kid}
        token = hmac_token(target.blanks.get(kid, b""), header, claims(ONLY_BLANK))
        for client, endpoint in ((target.front, target.h1), (target.rfc, target.h2c)):
            expect.unavailable(endpoint.introspect(token, client))
        attacks.eventually_logged(target, event="no_verdict", reason="keys_unavailable", token=tokens.token_name(token))
    target.good_stays_active()


# Signatures that are none

ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": int("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16),
    "ES512": int("1" + "F" * 65 + "A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
}  # fmt: skip


def rs(algorithm, r, s):
    size = {"ES256": 32, "ES384": 48, "ES512": 66}[algorithm]
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


@pytest.mark.parametrize("algorithm", ORDERS)
def test_ecdsa_values_at_the_edge(target, algorithm):
    """CVE-2022-21449 and its kin."""
    n, token = ORDERS[algorithm], target.token(algorithm)
    good = signature_of(token)
    half = len(good) // 2
    r, s = int.from_bytes(good[:half], "big"), int.from_bytes(good[half:], "big")
    target.is_active(with_signature(token, rs(algorithm, r, n - s)))  # the twin that anybody can make: the curve's, not a forgery
    top = (1 << (8 * half)) - 1
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1), (n, n), (n, 0), (0, n), (n, 1), (1, n), (n - 1, n - 1), (n + 1, n + 1), (top, top)]
    pairs += [(r, 0), (0, s), (r, n), (n, s), (s, r), (r, r), (n - r, s), (r, 1), (1, s)]
    if algorithm == "ES512":  # its 66 bytes hold more than its order
        pairs += [(r, s + n), (r + n, s), (r + n, s + n)]
    cases = [(f"{i}", "bad_signature", with_signature(token, rs(algorithm, *pair))) for i, pair in enumerate(pairs)]
    cases.append(("a zero byte more in front of both", "bad_signature", with_signature(token, b"\0" + good[:half] + b"\0" + good[half:])))
    cases.append(("r alone", "bad_signature", with_signature(token, good[:half])))
    cases.append(("twice", "bad_signature", with_signature(token, good + good)))
    target.is_refused(cases)


@pytest.mark.parametrize("algorithm, kid", [(a, k) for a, k in tokens.SIGNERS if a not in attacks.HASHES], ids=lambda value: value)
def test_zeros_and_nothing_for_every_algorithm(target, algorithm, kid):
    token = target.token(algorithm, key=target.keys[kid])
    size = len(signature_of(token))
    fills = {"nothing": b"", "a zero byte": b"\0", "zeros": bytes(size), "one": bytes(size - 1) + b"\1", "ones": b"\xff" * size}
    fills.update({"zeros more": bytes(size + 1), "zeros less": bytes(size - 1), "sixteen KiB": bytes(16384)})
    target.is_refused([(name, "bad_signature", with_signature(token, fill)) for name, fill in fills.items()], explained=False)


def test_hmac_of_nothing(target):
    cases = []
    for algorithm, hash_of in attacks.HASHES.items():
        token, size = target.token(algorithm, SECRET), hash_of().digest_size
        fills = {"nothing": b"", "zeros": bytes(size), "hash of nothing": hash_of(b"").digest(), "prefix": signature_of(token)[:-1]}
        fills["half"] = signature_of(token)[: size // 2]
        fills["hash without key"] = hash_of(token.rsplit(".", 1)[0].encode()).digest()
        cases += [(f"{algorithm} {name}", "bad_signature", with_signature(token, fill)) for name, fill in fills.items()]
    target.is_refused(cases)


def test_signature_values_that_equal_the_good_one_modulo_the_order(target):
    """RFC 8032 section 5.1.7 and RFC 8017 section 8.2.2: a value at or above the order or the modulus is no signature."""
    cases = []
    for kid, order in (
        ("ed25519", 2**252 + 27742317777372353535851937790883648493),
        ("ed448", 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885),
    ):
        token = target.token("EdDSA", key=target.keys[kid])
        good = signature_of(token)
        half = len(good) // 2
        larger = int.from_bytes(good[half:], "little") + order
        cases.append((f"{kid}: S + L", "bad_signature", with_signature(token, good[:half] + larger.to_bytes(half, "little"))))
    modulus = int.from_bytes(tokens.unb64url(tokens.public_jwk(target.keys["rsa"])["n"]), "big")
    for algorithm in ("RS256", "PS256"):
        while True:
            token = target.token(algorithm)
            larger = int.from_bytes(signature_of(token), "big") + modulus
            if larger < 1 << 2048:
                break
        cases.append((f"{algorithm}: s + n", "bad_signature", with_signature(token, larger.to_bytes(256, "big"))))
    cases.append(("RS256: n", "bad_signature", with_signature(target.token("RS256"), modulus.to_bytes(256, "big"))))
    cases.append(("RS256: n - 1", "bad_signature", with_signature(target.token("RS256"), (modulus - 1).to_bytes(256, "big"))))
    target.is_refused(cases)


def test_leading_zero_of_a_signature_is_part_of_it(target):
    while signature_of(token := target.token("RS256"))[0] != 0:
        tokens.made.pop()
    target.is_active(token)
    short = with_signature(token, signature_of(token)[1:])
    long = with_signature(token, b"\0" + signature_of(token))
    target.is_refused([("without the zero", "bad_signature", short), ("with another", "bad_signature", long)])
