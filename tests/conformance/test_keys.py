"""Classes of keys that no set should hold, each beside a good one, through `introspectd verify`."""

import json
import random

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa as rsa_keys
from harness import tokens
from harness.tokens import b64url, unb64url
from signatures import CURVES

UNKNOWN = "refused unknown_key"
BAD = "refused bad_signature"
CURVE_NAMES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
OTHER_CURVES = ("secp256k1", "p-256", "P-224", "P256", "prime256v1", "", "Ed25519", 1, None)
KINDS = ("rsa", "p256", "p384", "p521", "ed25519", "ed448")


@pytest.fixture(scope="module")
def keys():
    return {kid: tokens.generate_key(kid, kid=kid) for kid in (*KINDS, "oct")}


@pytest.fixture(scope="module")
def public(keys):
    return {kid: tokens.public_jwk(key) for kid, key in keys.items()}


def number(value, size=None):
    return b64url(value.to_bytes((value.bit_length() + 7) // 8 if size is None else size, "big"))


def value_of(text):
    return int.from_bytes(unb64url(text), "big")


def without(jwk, *names):
    return {name: value for name, value in jwk.items() if name not in names}


@pytest.fixture
def judge_keys(keys, public, judge):
    """
    Judges keys as (name, JWK, what is noted of it or None, verdict on a token that names it); the tokens are signed by signer. The
    set has a good key besides, whose tokens must stay good.
    """

    def judge_keys(signer, algorithm, cases):
        good_kid, good_algorithm = ("oct", "HS256") if signer["kty"] == "oct" else ("p256", "ES256")
        jwks = [public[good_kid], *[{**jwk, "kid": name} for name, jwk, _, _ in cases]]
        sent = [("the good one", tokens.sign_raw(keys[good_kid], good_algorithm, {"alg": good_algorithm, "kid": good_kid}, {}), "ok")]
        sent += [(name, tokens.sign_raw(signer, algorithm, {"alg": algorithm, "kid": name}, {}), verdict) for name, _, _, verdict in cases]
        verdicts = judge(jwks, sent)
        for name, _, note, _ in cases:
            found = verdicts.notes_of(name)
            assert len(found) == (note is not None) and (note is None or note in found[0]), (name, note, found)
        assert verdicts.notes_of(good_kid) == []

    return judge_keys


# RSA


def fingerprinted(bits=2048):
    """A modulus as CVE-2017-15361's generator made them, as far as its remainders go."""
    product = 1
    for candidate in range(2, 168):
        if all(candidate % divisor for divisor in range(2, candidate)):
            product *= candidate
    made, rest = random.Random(1), bits - product.bit_length()
    return pow(65537, made.getrandbits(64), product) + product * (made.getrandbits(rest) | 1 << rest)


def test_rsa_keys(keys, public, judge_keys):
    rsa = public["rsa"]
    n = value_of(rsa["n"])

    def with_n(value):
        return {**rsa, "n": number(value)}

    def with_e(value):
        return {**rsa, "e": b64url(b"\0") if value == 0 else number(value)}

    judge_keys(keys["rsa"], "RS256", [
        ("good", rsa, None, "ok"),
        ("leading zeros", {**rsa, "n": number(n, 260), "e": number(65537, 8)}, None, "ok"),
        ("n - 1", with_n(n - 1), "modulus is even", UNKNOWN),
        ("2^2047", with_n(1 << 2047), "modulus is even", UNKNOWN),
        *[(f"n * {prime}", with_n(n * prime), "divisible by a small prime", UNKNOWN) for prime in (3, 5, 7, 65 * 3, 101, 167)],
        ("ROCA", with_n(fingerprinted()), "ROCA", UNKNOWN),
        ("ROCA 4096", with_n(fingerprinted(4096)), "ROCA", UNKNOWN),
        ("n cut", with_n(n >> 8), "under 2048", UNKNOWN),
        ("n = 0", {**rsa, "n": b64url(b"\0")}, "under 2048", UNKNOWN),
        ("n = 1", with_n(1), "under 2048", UNKNOWN),
        ("n of 16385 bits", with_n((1 << 16384) + 1), "over 16384", UNKNOWN),
        ("n of 1 MiB", {**rsa, "n": b64url(b"\xff" * 2**20)}, "skipped", UNKNOWN),
        ("n of another key", public_other_rsa(), None, BAD),
        ("e = 0", with_e(0), "exponent is even", UNKNOWN),
        ("e = 1", with_e(1), "exponent under 3", UNKNOWN),
        ("e = 2", with_e(2), "exponent is even", UNKNOWN),
        ("e = 3", with_e(3), "warning", BAD),
        ("e = 5", with_e(5), "warning", BAD),
        ("e = 65536", with_e(65536), "exponent is even", UNKNOWN),
        ("e = 65539", with_e(65539), None, BAD),
        ("e = 2^64", with_e(1 << 64), "exponent is even", UNKNOWN),
        ("e = n", with_e(n), "too large", UNKNOWN),
        ("e = n - 2", with_e(n - 2), "too large", UNKNOWN),
        ("e of 257 bits", with_e((1 << 256) + 1), "too large", UNKNOWN),
        ("e of 256 bits", with_e((1 << 256) - 1), None, BAD),
        ("e and n swapped", {**rsa, "n": rsa["e"], "e": rsa["n"]}, "under 2048", UNKNOWN),
        ("no n", without(rsa, "n"), "`n` or `e`", UNKNOWN),
        ("no e", without(rsa, "e"), "`n` or `e`", UNKNOWN),
        ("empty n", {**rsa, "n": ""}, "skipped", UNKNOWN),
        ("empty e", {**rsa, "e": ""}, "skipped", UNKNOWN),
        ("n as a number", {**rsa, "n": 12345}, "`n` or `e`", UNKNOWN),
        ("e as a number", {**rsa, "e": 65537}, "`n` or `e`", UNKNOWN),
        ("n padded", {**rsa, "n": rsa["n"] + "=="}, "`n` or `e`", UNKNOWN),
        ("n in base64", {**rsa, "n": "+/" + rsa["n"]}, "`n` or `e`", UNKNOWN),
        ("x and y", {"kty": "RSA", "x": "AA", "y": "AA"}, "`n` or `e`", UNKNOWN),
    ])  # fmt: skip


def public_other_rsa():
    return tokens.public_jwk(tokens.generate_key("rsa", kid="other"))


@pytest.mark.parametrize("bits", [512, 1024, 2040, 2047, 2048, 2049])
def test_rsa_sizes(judge_keys, bits):
    """Signed by the very key."""
    key = tokens.jwk.JWK.from_pyca(rsa_keys.generate_private_key(public_exponent=65537, key_size=bits))
    is_used = bits >= 2048
    judge_keys(key, "RS256", [("sized", tokens.public_jwk(key), None if is_used else "under 2048", "ok" if is_used else UNKNOWN)])


# EC and OKP


def leading_zero(kid):
    """A key one of whose coordinates begins with a zero byte, and the name of that one."""
    while True:
        jwk = tokens.public_jwk(tokens.generate_key(kid, kid=kid))
        for name in ("x", "y"):
            if unb64url(jwk[name])[0] == 0:
                return jwk, name


@pytest.mark.parametrize("kid, algorithm", [("p256", "ES256"), ("p384", "ES384"), ("p521", "ES512")])
def test_ec_points(keys, public, judge_keys, kid, algorithm):
    jwk, p = public[kid], CURVES[algorithm][0]
    x, y = value_of(jwk["x"]), value_of(jwk["y"])
    size = len(unb64url(jwk["x"]))
    zeroed, name = leading_zero(kid)
    other = tokens.public_jwk(tokens.generate_key(kid, kid="other"))
    off, length = "the point is not on its curve", "`x` or `y`"

    def point(x, y):
        return {**jwk, "x": number(x, size), "y": number(y, size)}

    cases = [
        ("good", jwk, None, "ok"),
        ("negative", point(x, p - y), None, BAD),
        ("another", other, None, BAD),
        ("leading zero", zeroed, None, BAD),
        ("leading zero dropped", {**zeroed, name: b64url(unb64url(zeroed[name])[1:])}, length, UNKNOWN),
        ("y + 1", point(x, y ^ 1), off, UNKNOWN),
        ("x + 1", point(x ^ 1, y), off, UNKNOWN),
        ("swapped", point(y, x), off, UNKNOWN),
        ("y of another", {**jwk, "y": other["y"]}, off, UNKNOWN),
        ("x of another", {**jwk, "x": other["x"]}, off, UNKNOWN),
        ("0, 0", point(0, 0), off, UNKNOWN),
        ("0, 1", point(0, 1), off, UNKNOWN),
        ("1, 0", point(1, 0), off, UNKNOWN),
        ("p, p", point(p, p), off, UNKNOWN),
        ("p, y", point(p, y), off, UNKNOWN),
        ("all ones", {**jwk, "x": b64url(b"\xff" * size), "y": b64url(b"\xff" * size)}, off, UNKNOWN),
        ("infinity", {**jwk, "x": "", "y": ""}, length, UNKNOWN),
        ("infinity, one byte", {**jwk, "x": "AA", "y": "AA"}, length, UNKNOWN),
        ("x cut", {**jwk, "x": b64url(unb64url(jwk["x"])[:-1])}, length, UNKNOWN),
        ("y cut", {**jwk, "y": b64url(unb64url(jwk["y"])[:-1])}, length, UNKNOWN),
        ("zero before x", {**jwk, "x": number(x, size + 1)}, length, UNKNOWN),
        ("zero before y", {**jwk, "y": number(y, size + 1)}, length, UNKNOWN),
        ("compressed", {**jwk, "x": b64url(b"\2" + unb64url(jwk["x"]))}, length, UNKNOWN),
        ("uncompressed", {**jwk, "x": b64url(b"\4" + unb64url(jwk["x"]) + unb64url(jwk["y"]))}, length, UNKNOWN),
        ("no x", without(jwk, "x"), length, UNKNOWN),
        ("no y", without(jwk, "y"), length, UNKNOWN),
        ("y null", {**jwk, "y": None}, length, UNKNOWN),
        ("no crv", without(jwk, "crv"), "`crv`", UNKNOWN),
        *[(f"crv {crv!r}", {**jwk, "crv": crv}, "`crv`", UNKNOWN) for crv in OTHER_CURVES],
        *[(f"as {crv}", {**jwk, "crv": crv}, "skipped", UNKNOWN) for crv in CURVE_NAMES.values() if crv != jwk["crv"]],
    ]
    cases += [("x + p", point(x + p, y), off, UNKNOWN)] if x + p < 2 ** (8 * size) else []
    cases += [("y + p", point(x, y + p), off, UNKNOWN)] if y + p < 2 ** (8 * size) else []
    judge_keys(keys[kid], algorithm, cases)


# The points of order 1, 2, 4 and 8 in each encoding that decodes: RFC 8032 section 5.1.3 and 5.2.3.
SMALL_ORDER = {
    "ed25519": [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ],
    "ed448": ["01" + "00" * 56, "00" * 57, "00" * 56 + "80", "fe" + "ff" * 27 + "fe" + "ff" * 27 + "00"],
}

# The field's prime and the numbers behind it, which are no encodings, with and without the sign bit.
NOT_REDUCED = {
    "ed25519": [(2**255 - 19 + more).to_bytes(32, "little") for more in range(19)],
    "ed448": [(2**448 - 2**224 - 1 + more).to_bytes(56, "little") + b"\0" for more in (0, 1, 2, 2**224)],
}


@pytest.mark.parametrize("kid", SMALL_ORDER)
def test_okp_points(keys, public, judge_keys, kid):
    jwk = public[kid]
    size = len(unb64url(jwk["x"]))

    def point(data):
        return {**jwk, "x": b64url(data)}

    cases = [
        ("good", jwk, None, "ok"),
        *[(f"small order {i}", point(bytes.fromhex(text)), "small order", UNKNOWN) for i, text in enumerate(SMALL_ORDER[kid])],
        *[(f"not reduced {i}", point(data), "skipped", UNKNOWN) for i, data in enumerate(NOT_REDUCED[kid])],
        *[(f"not reduced {i}, signed", point(data[:-1] + bytes([data[-1] | 0x80])), "skipped", UNKNOWN)
          for i, data in enumerate(NOT_REDUCED[kid])],
        ("all ones", point(b"\xff" * size), "skipped", UNKNOWN),
        ("cut", point(unb64url(jwk["x"])[:-1]), "`x`", UNKNOWN),
        ("zero behind", point(unb64url(jwk["x"]) + b"\0"), "`x`", UNKNOWN),
        ("empty", {**jwk, "x": ""}, "`x`", UNKNOWN),
        ("no x", without(jwk, "x"), "`x`", UNKNOWN),
        ("number", {**jwk, "x": 1}, "`x`", UNKNOWN),
        ("no crv", without(jwk, "crv"), "`crv`", UNKNOWN),
        *[(f"crv {crv}", {**jwk, "crv": crv}, "`crv`", UNKNOWN) for crv in ("X25519", "X448", "ed25519", "P-256", "")],
        ("the other curve", {**jwk, "crv": "Ed448" if kid == "ed25519" else "Ed25519"}, "`x`", UNKNOWN),
    ]  # fmt: skip
    judge_keys(keys[kid], "EdDSA", cases)


# Secrets


def test_secrets(keys, judge_keys):
    def secret(size):
        return {"kty": "oct", "k": b64url(bytes(range(1, 200))[:size])}

    cases = [(f"{size} bytes", secret(size), "shorter than 32" if size < 32 else None, UNKNOWN if size < 32 else BAD) for size in range(40)]
    short = ((47, "HS384"), (63, "HS512"), (32, "HS512"))
    cases += [(f"{size} bytes, {alg}", {**secret(size), "alg": alg}, "`alg`", UNKNOWN) for size, alg in short]
    cases += [
        ("blank", {"kty": "oct", "k": " " * 43}, "`k`", UNKNOWN),
        ("zeros", {"kty": "oct", "k": "A" * 43}, None, BAD),
        ("no k", {"kty": "oct"}, "`k`", UNKNOWN),
        ("padded", {"kty": "oct", "k": "A" * 43 + "="}, "`k`", UNKNOWN),
        ("trailing bits", {"kty": "oct", "k": "A" * 42 + "B"}, "`k`", UNKNOWN),
    ]
    judge_keys(keys["oct"], "HS256", cases)


# What every type has


@pytest.mark.parametrize("kid, algorithm", [
    ("rsa", "RS256"), ("p256", "ES256"), ("p384", "ES384"), ("p521", "ES512"), ("ed25519", "EdDSA"), ("ed448", "EdDSA"), ("oct", "HS256"),
])  # fmt: skip
def test_alg_use_and_key_ops(keys, public, judge_keys, kid, algorithm):
    """RFC 7517 section 4.2 to 4.4."""
    jwk = public[kid]
    # An unknown type is a public key for all that is known, and would take the secrets beside it with it.
    types = [None, 1, [jwk["kty"]]] + ([] if kid == "oct" else [jwk["kty"].swapcase(), "AKP", ""])
    own = {"rsa": ("RS", "PS"), "oct": ("HS",)}.get(kid, (algorithm,))
    fitting = [name for name in tokens.ALGORITHMS if name.startswith(own)]
    judge_keys(keys[kid], algorithm, [
        *[(f"alg {name}", {**jwk, "alg": name}, "`alg`", UNKNOWN) for name in tokens.ALGORITHMS if name not in fitting],
        *[(f"alg {name}", {**jwk, "alg": name}, None, "ok" if name == algorithm else UNKNOWN) for name in fitting],
        *[(f"alg {name!r}", {**jwk, "alg": name}, "`alg`", UNKNOWN)
          for name in ("none", "RSA-OAEP", "ECDH-ES", "dir", "", algorithm.swapcase(), 1, None, [algorithm])],
        ("use sig", {**jwk, "use": "sig"}, None, "ok"),
        *[(f"use {use!r}", {**jwk, "use": use}, "`use`", UNKNOWN) for use in ("enc", "SIG", "", None, ["sig"], 1)],
        *[(f"key_ops {ops!r}", {**jwk, "key_ops": ops}, None, "ok") for ops in (["verify"], ["sign", "verify"], ["x", "verify"])],
        *[(f"key_ops {ops!r}", {**jwk, "key_ops": ops}, "`key_ops`", UNKNOWN)
          for ops in ([], ["sign"], ["encrypt"], ["deriveKey", "wrapKey"], ["VERIFY"], "verify", None, [1], ["verify", "verify"])],
        ("use against key_ops", {**jwk, "use": "enc", "key_ops": ["verify"]}, "`use`", UNKNOWN),
        ("certificates", {**jwk, "x5c": ["AAAA"], "x5t": "AA", "x5t#S256": "AA", "x5u": "http://127.0.0.1:1/"}, None, "ok"),
        *[(f"kty {kty!r}", {**jwk, "kty": kty}, "`kty`", UNKNOWN) for kty in types],
    ])  # fmt: skip


def sign(key, algorithm, kid):
    return tokens.sign_raw(key, algorithm, {"alg": algorithm, "kid": kid}, {})


@pytest.mark.parametrize("kid, algorithm", [
    ("rsa", "RS256"), ("rsa", "PS512"), ("p256", "ES256"), ("p384", "ES384"), ("p521", "ES512"), ("ed25519", "EdDSA"), ("ed448", "EdDSA"),
])  # fmt: skip
def test_private_key_that_was_published(keys, public, judge, kid, algorithm):
    """The public half is loaded, with a warning that tells nothing of the private one."""
    private = tokens.private_jwk(keys[kid])
    for members in (private, {**private, "key_ops": ["sign"]}, {**public[kid], "d": private["d"]}, {**public[kid], "d": "AA"}):
        verdicts = judge([members], [("own", sign(keys[kid], algorithm, kid), "ok")])
        assert verdicts.notes_of(kid) == ["warning: a private key is published; only its public half is used"]
        assert private["d"] not in verdicts.stderr


# Sets


@pytest.mark.parametrize("kid, algorithm", [("rsa", "RS256"), ("p256", "ES256"), ("ed25519", "EdDSA"), ("oct", "HS256")])
def test_one_kid_for_several_keys(keys, public, judge, kid, algorithm):
    """RFC 7517 section 4.5: nobody can tell which is meant, so none is used; the same one again is the same one."""
    other = tokens.generate_key(kid, kid=kid)
    third = {**tokens.public_jwk(tokens.generate_key(kid, kid="third"))}
    different = [public[kid], third, tokens.public_jwk(other)]
    for jwks in (different, different[::-1]):
        verdicts = judge(jwks, [("first", sign(keys[kid], algorithm, kid), UNKNOWN), ("second", sign(other, algorithm, kid), UNKNOWN)])
        assert [note["text"] for note in verdicts.notes] == ["the kid stands for different keys of the same algorithm"] * 2
    cases = [("same", sign(keys[kid], algorithm, kid), "ok"), ("other", sign(other, algorithm, kid), BAD)]
    verdicts = judge([public[kid], third, public[kid]], cases)
    assert verdicts.notes_of(kid) == ["skipped: the same key again"]


def test_one_kid_for_keys_of_different_types(keys, public, judge):
    signers = {"rsa": "RS256", "p256": "ES256", "p384": "ES384", "ed25519": "EdDSA"}
    jwks = [{**public[kid], "kid": "same"} for kid in signers]
    verdicts = judge(jwks, [(kid, sign(keys[kid], algorithm, "same"), "ok") for kid, algorithm in signers.items()])
    assert verdicts.notes == []


@pytest.mark.parametrize("kid, algorithm", [
    ("rsa", "RS256"), ("p256", "ES256"), ("p521", "ES512"), ("ed25519", "EdDSA"), ("ed448", "EdDSA"),
])  # fmt: skip
def test_symmetric_key_beside_public_ones(keys, public, judge, kid, algorithm):
    cases = [("public", sign(keys[kid], algorithm, kid), "ok"), ("symmetric", sign(keys["oct"], "HS256", "oct"), UNKNOWN)]
    cases.append(("symmetric, no kid", tokens.sign_raw(keys["oct"], "HS256", {"alg": "HS256"}, {}), UNKNOWN))
    told = [{**public[kid], "alg": algorithm}, {**public["oct"], "alg": "HS256"}]
    for jwks in ([public["oct"], public[kid]], [public[kid], public["oct"]], told):
        verdicts = judge(jwks, cases)
        assert len(verdicts.notes) == 1 and "symmetric key in a set with public keys" in verdicts.notes_of("oct")[0]


def test_entries_that_are_no_keys(keys, public, judge):
    """RFC 7517 section 5: they are passed over."""
    entries = [None, 1, "key", [], {}, {"kid": "a"}, {"kty": "unheard-of"}, {"kty": "RSA"}, {**public["rsa"], "kid": 7}]
    verdicts = judge([*entries, public["p256"], *entries], [("good", sign(keys["p256"], "ES256", "p256"), "ok")])
    assert [int(note["index"]) for note in verdicts.notes] == [*range(len(entries)), *range(len(entries) + 1, 2 * len(entries) + 1)]
    assert all(note["kind"] == "skipped" for note in verdicts.notes)


def test_public_keys_as_secrets(keys, public, judge):
    """RFC 8725 section 2.1: every published form of a key as the secret of an HMAC under its kid."""
    cases = []
    for kid in KINDS:
        key = keys[kid].get_op_key("verify")
        jwk = public[kid]
        numbers = [jwk[name] for name in ("n", "x", "y") if name in jwk]
        forms = [keys[kid].export_to_pem(), keys[kid].export_to_pem().strip(), json.dumps(jwk).encode(), tokens.json_bytes(jwk)]
        forms += [unb64url(text) for text in numbers] + [text.encode() for text in numbers]
        forms += der_forms(key)
        for index, form in enumerate(forms):
            secret = tokens.jwk.JWK(kty="oct", k=b64url(form))
            for algorithm in ("HS256", "HS384", "HS512"):
                for header in ({"alg": algorithm, "kid": kid}, {"alg": algorithm}):
                    cases.append((f"{kid} {index} {header}", tokens.sign_raw(secret, algorithm, header, {}), UNKNOWN))
    judge([public[kid] for kid in KINDS], cases)


def der_forms(key):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    yield key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, rsa_keys.RSAPublicKey):
        yield key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        yield key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
