"""Every JWK and JWK Set in ../shared/vectors: which keys are used, which are passed over and why, and that those in use verify."""

import hashlib
import json
import secrets

import pytest
from harness import tokens
from signatures import DIGEST_INFO

UNKNOWN = "refused unknown_key"
BAD = "refused bad_signature"
MIXED = "symmetric key in a set with public keys"
OPERATIONS = "`key_ops` does not allow `verify`"
CURVE = "`crv` is not P-256, P-384 or P-521"
EDWARDS_CURVE = "`crv` is not Ed25519 or Ed448"
# RFC 7518 section 6.2.1.2 and RFC 8037 section 2: coordinates have the full length; these lack leading zeros, or more.
COORDINATES = "`x` or `y` is missing, not base64url or not of the curve's length"
X = "`x` is missing, not base64url or not of the curve's length"
SECRET = "`k` is missing, not base64url or too long"
SHORT = "`k` is shorter than 32 bytes"

# The keys of each file that are passed over, by their places; all others are used.
PASSED_OVER = {
    "all.json": {
        0: OPERATIONS, 1: OPERATIONS, 4: CURVE, 5: CURVE, 8: COORDINATES, 9: COORDINATES, 14: "under 2048", 22: OPERATIONS, 23: OPERATIONS,
        26: OPERATIONS, 27: OPERATIONS, 28: OPERATIONS,
    },
    "bad_keys.json": {
        0: SECRET, 1: SHORT, 2: SECRET, 3: "`key_ops` holds something other than strings", 4: CURVE, 5: COORDINATES, 6: "`kty`", 7: "`kty`",
        8: "`alg`", 9: "not on its curve", 10: COORDINATES, 11: X, 12: EDWARDS_CURVE, 13: EDWARDS_CURVE,
    },
    "ec_key_prime256v1.json": {},
    "ec_key_prime256v1_pub.json": {},
    "ec_key_secp256k1.json": {0: CURVE},
    "ec_key_secp256k1_pub.json": {0: CURVE},
    "ec_key_secp384r1.json": {},
    "ec_key_secp384r1_pub.json": {},
    "ec_key_secp521r1.json": {0: COORDINATES},
    "ec_key_secp521r1_pub.json": {0: COORDINATES},
    "ec_key_with_x5c.json": {},
    "ec_key_x5c_bad_x5t.json": {},
    "eddsa_key_ed25519.json": {},
    "eddsa_key_ed25519_fake_es256.json": {},
    "eddsa_key_ed25519_pub.json": {},
    "eddsa_key_ed25519_pub_fake_es256.json": {},
    "eddsa_key_ed448.json": {0: X},
    "eddsa_key_ed448_pub.json": {},
    "jwks_jws_pair.json": {},
    "jwks_keyring.json": {2: CURVE, 3: CURVE, 6: COORDINATES, 7: COORDINATES, 8: X, 10: X, 24: MIXED, 25: MIXED, 26: MIXED},
    "jwks_test-1.json": {},
    "jwks_test-2.json": {0: "`use` is not `sig`"},
    "oct_key_128_too_small.json": {0: SHORT},
    "oct_key_256.json": {},
    "oct_key_256_invalid_base64.json": {0: OPERATIONS},
    "oct_key_256_issue1.json": {0: OPERATIONS},
    "oct_key_256_issue2.json": {0: OPERATIONS},
    "oct_key_256_sig.json": {},
    "oct_key_384.json": {},
    "oct_key_512.json": {},
    "oct_key_512_bad.json": {0: "`alg` contradicts"},
    "oct_key_512_small.json": {},
    "oct_key_512_wcb.json": {0: OPERATIONS},
    "rsa_key_1024.json": {0: "under 2048"},
    "rsa_key_2048.json": {},
    "rsa_key_2048_no_alg.json": {},
    "rsa_key_2048_pub.json": {},
    "rsa_key_2048_pub_alg_hs256.json": {0: "`alg` contradicts"},
    "rsa_key_2048_pub_no_alg.json": {},
    "rsa_key_4096.json": {},
    "rsa_key_4096_pub.json": {},
    "rsa_key_8192.json": {},
    "rsa_key_8192_pub.json": {},
    "rsa_key_i37_pub.json": {},
    "rsa_pss_key_2048.json": {},
    "rsa_pss_key_2048_384.json": {},
    "rsa_pss_key_2048_384_pub.json": {},
    "rsa_pss_key_2048_512.json": {},
    "rsa_pss_key_2048_512_pub.json": {},
    "rsa_pss_key_2048_noalg.json": {},
    "rsa_pss_key_2048_notpss.json": {},
    "rsa_pss_key_2048_notpss_pub.json": {},
    "rsa_pss_key_2048_pub.json": {},
    "3_1.ec_public_key.json": {},
    "3_2.ec_private_key.json": {},
    "3_3.rsa_public_key.json": {},
    "3_4.rsa_private_key.json": {},
    "3_5.symmetric_key_mac_computation.json": {},
    "3_6.symmetric_key_encryption.json": {0: "`use` is not `sig`"},
}  # fmt: skip

ALGORITHM_OF_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA", "Ed448": "EdDSA"}


def algorithm_of(jwk):
    return jwk.get("alg") or ALGORITHM_OF_CURVE.get(jwk.get("crv")) or {"RSA": "PS384", "oct": "HS256"}[jwk["kty"]]


def token_for(jwk):
    """A token that the key signed, and whether it could: nobody signs with a public key."""
    algorithm = algorithm_of(jwk)
    header = {"alg": algorithm, **({"kid": jwk["kid"]} if "kid" in jwk else {})}
    if "d" not in jwk and jwk["kty"] != "oct":
        signature = bytes({"RSA": 256, "OKP": 64}.get(jwk["kty"], 64))
        return tokens.b64url(tokens.json_bytes(header)) + ".e30." + tokens.b64url(signature), False
    if jwk["kty"] == "RSA":
        made = tokens.b64url(tokens.json_bytes(header)) + ".e30"
        return f"{made}.{tokens.b64url(rsa_signature(jwk, algorithm, made.encode()))}", True
    plain = {name: value for name, value in jwk.items() if name not in ("use", "key_ops", "alg")}
    return tokens.sign_raw(tokens.jwk.JWK(**plain), algorithm, header, {}), True


def mask(seed, size, name):
    """MGF1"""
    blocks = (hashlib.new(name, seed + count.to_bytes(4, "big")).digest() for count in range(size // 20 + 1))
    return int.from_bytes(b"".join(blocks)[:size], "big")


def pss_block(data, name, bits):
    """RFC 8017 section 9.1.1"""
    digest = hashlib.new(name, data).digest()
    salt = secrets.token_bytes(len(digest))
    inner = hashlib.new(name, bytes(8) + digest + salt).digest()
    size = (bits + 6) // 8 - len(inner) - 1
    covered = (int.from_bytes(b"\1" + salt, "big") ^ mask(inner, size, name)) & (1 << bits - 1 - 8 * (len(inner) + 1)) - 1
    return covered.to_bytes(size, "big") + inner + b"\xbc"


def rsa_signature(jwk, algorithm, data):
    """By hand: libraries look for primes first, which takes seconds for the larger keys."""
    n, p, q, dp, dq, qi = (int.from_bytes(tokens.unb64url(jwk[name]), "big") for name in ("n", "p", "q", "dp", "dq", "qi"))
    size, name = (n.bit_length() + 7) // 8, "sha" + algorithm[2:]
    tail = b"\0" + bytes.fromhex(DIGEST_INFO[name]) + hashlib.new(name, data).digest()
    block = b"\0\1" + b"\xff" * (size - 2 - len(tail)) + tail if algorithm.startswith("RS") else pss_block(data, name, n.bit_length())
    number = int.from_bytes(block, "big")
    of_p, of_q = pow(number, dp, p), pow(number, dq, q)
    return (of_q + (of_p - of_q) * qi % p * q).to_bytes(size, "big")


@pytest.fixture(scope="session")
def files(vectors):
    folders = (vectors / "libjwt", vectors / "ietf-jose-cookbook" / "jwk")
    return {path.name: path for folder in folders for path in folder.glob("*.json")}


def test_every_file_is_looked_at(files):
    assert set(files) == set(PASSED_OVER)


@pytest.mark.parametrize("name", PASSED_OVER)
def test_file(files, judge, name):
    text = files[name].read_text()
    parsed = json.loads(text)
    keys = parsed["keys"] if "keys" in parsed else [parsed]
    cases = []
    for index, jwk in enumerate(keys):
        if index not in PASSED_OVER[name]:
            token, is_signed = token_for(jwk)
            cases.append((f"key {index}", token, "ok" if is_signed else BAD))
        elif len(keys) == 1:
            header = {"alg": "RS256", **({"kid": jwk["kid"]} if "kid" in jwk else {})}
            cases.append((f"key {index}", tokens.b64url(tokens.json_bytes(header)) + ".e30.AAAA", UNKNOWN))
    verdicts = judge(text, cases)
    skipped = {int(note["index"]): note["text"] for note in verdicts.notes if note["kind"] == "skipped"}
    warned = {int(note["index"]) for note in verdicts.notes if note["kind"] == "warning"}
    assert set(skipped) == set(PASSED_OVER[name])
    assert all(expected in skipped[index] for index, expected in PASSED_OVER[name].items()), skipped
    assert warned == {index for index, jwk in enumerate(keys) if "d" in jwk} - set(skipped)
