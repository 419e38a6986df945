"""Tokens that must be refused, each with the reason: (name, reason, how it is made from a World)."""

import base64
import json

from jwcrypto import jwe

from harness import tokens
from harness.tokens import b64url, json_bytes, sign_raw, signature_of, with_signature
from harness.world import AUDIENCE, MAIN, MAX_TOKEN, NARROW, SYMMETRIC, TYPED

LAST_SECOND_OF_9999 = 253402300799
ONE_OF_EACH_KIND = ("HS256", "RS256", "ES256", "EdDSA")


def header(algorithm, **more):
    return {"alg": algorithm, "kid": tokens.KEY_OF_ALGORITHM[algorithm], "typ": "JWT", **more}


def claims(**changes):
    return tokens.claims(MAIN, AUDIENCE, **changes)


def hs_claims(**changes):
    return tokens.claims(SYMMETRIC, AUDIENCE, **changes)


def hs256(world, head, payload):
    """Signed well, whatever the header and the payload are."""
    return sign_raw(world.keys["oct"], "HS256", head, payload)


def unsigned(algorithm):
    return b64url(json_bytes({"alg": algorithm, "typ": "JWT"})) + "." + b64url(json_bytes(claims())) + "."


def another_last_character(token):
    """The same bytes in base64url whose unused trailing bits are not zero (an HS256 signature leaves two)."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(token.rsplit(".", 1)[1]) % 4 == 3
    return token[:-1] + alphabet[alphabet.index(token[-1]) | 1]


def with_part(token, place, change):
    parts = token.split(".")
    parts[place] = change(parts[place])
    return ".".join(parts)


def flipped(token, at=-1):
    signature = bytearray(signature_of(token))
    signature[at] ^= 1
    return with_signature(token, bytes(signature))


def resized(token, by):
    """The signature with a byte less or a zero byte more."""
    signature = signature_of(token)
    return with_signature(token, signature[:by] if by < 0 else signature + bytes(by))


def encrypted(world):
    made = jwe.JWE(json_bytes(claims()), json.dumps({"alg": "dir", "enc": "A256CBC-HS512"}))
    made.add_recipient(world.keys["oct"])
    return made.serialize(compact=True)


def der_signature(world):
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    token = world.token("ES256")
    raw = signature_of(token)
    return with_signature(token, encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")))


def hmac_with_the_public_key(world):
    """RFC 8725 section 2.1: the RSA key's published PEM as the secret of an HMAC."""
    from jwcrypto import jwk

    secret = jwk.JWK(kty="oct", k=b64url(world.keys["rsa"].export_to_pem()), kid="rsa")
    return tokens.sign(secret, "HS256", claims())


def ps256_with_a_longer_salt(world):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    token = world.token("PS256")
    signer = world.keys["rsa"].get_op_key("sign")
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=64)
    return with_signature(token, signer.sign(token.rsplit(".", 1)[0].encode(), pss, hashes.SHA256()))


def standard_base64(token):
    return base64.b64encode(signature_of(token)).decode().rstrip("=")


def with_plus_or_slash(world):
    """A signature in base64's other alphabet, from a token whose signature needs one of the differing characters."""
    while True:
        token = world.token("HS256")
        spelled = standard_base64(token)
        if "+" in spelled or "/" in spelled:
            return token.rsplit(".", 1)[0] + "." + spelled


BAD_TOKENS = [
    # Not three strict base64url parts of JSON objects
    ("text", "malformed", lambda w: "opaque-token"),
    ("one-dot", "malformed", lambda w: w.token().rsplit(".", 1)[0]),
    ("only-dots", "malformed", lambda w: ".."),
    ("four-parts", "malformed", lambda w: w.token() + ".x"),
    ("six-parts", "malformed", lambda w: w.token() + ".x.y.z"),
    ("empty-header", "malformed", lambda w: with_part(w.token(), 0, lambda part: "")),
    ("empty-payload", "malformed", lambda w: with_part(w.token(), 1, lambda part: "")),
    ("padding", "malformed", lambda w: w.token("HS256") + "="),
    ("space-inside", "malformed", lambda w: with_part(w.token(), 1, lambda part: part[:9] + " " + part[9:])),
    ("newline-inside", "malformed", lambda w: with_part(w.token(), 2, lambda part: part[:9] + "\n" + part[9:])),
    ("base64-alphabet", "malformed", with_plus_or_slash),
    ("junk-in-signature", "malformed", lambda w: w.token() + "!!!"),
    ("trailing-bits", "malformed", lambda w: another_last_character(w.token("HS256"))),
    ("impossible-length", "malformed", lambda w: w.token("HS256") + "AA"),
    ("header-no-json", "malformed", lambda w: hs256(w, b"alg=HS256", hs_claims())),
    ("header-array", "malformed", lambda w: hs256(w, [header("HS256")], hs_claims())),
    ("header-cut-off", "malformed", lambda w: hs256(w, b'{"alg":"HS256"', hs_claims())),
    ("header-repeated-alg", "malformed", lambda w: hs256(w, b'{"alg":"none","kid":"oct","alg":"HS256"}', hs_claims())),
    ("header-repeated-escaped", "malformed", lambda w: hs256(w, rb'{"alg":"HS256","kid":"oct","\u006bid":"oct"}', hs_claims())),
    ("header-no-alg", "malformed", lambda w: hs256(w, {"kid": "oct"}, hs_claims())),
    ("header-alg-number", "malformed", lambda w: hs256(w, {"alg": 1, "kid": "oct"}, hs_claims())),
    ("header-kid-number", "malformed", lambda w: hs256(w, {"alg": "HS256", "kid": 1}, hs_claims())),
    ("header-typ-list", "malformed", lambda w: hs256(w, header("HS256", typ=["JWT"]), hs_claims())),
    ("payload-no-json", "malformed", lambda w: hs256(w, header("HS256"), b"Payload")),
    ("payload-array", "malformed", lambda w: hs256(w, header("HS256"), [hs_claims()])),
    ("payload-string", "malformed", lambda w: hs256(w, header("HS256"), b'"text"')),
    ("payload-repeated-exp", "malformed", lambda w: hs256(w, header("HS256"), b'{"exp":1,' + json_bytes(hs_claims())[1:])),
    ("payload-repeated-deep", "malformed", lambda w: hs256(w, header("HS256"), json_bytes(hs_claims())[:-1] + b',"a":{"b":1,"b":2}}')),
    ("payload-nul-behind", "malformed", lambda w: hs256(w, header("HS256"), json_bytes(hs_claims()) + b"\0")),
    ("payload-two-objects", "malformed", lambda w: hs256(w, header("HS256"), json_bytes(hs_claims()) * 2)),
    ("payload-not-utf8", "malformed", lambda w: hs256(w, header("HS256"), json_bytes(hs_claims())[:-1] + b',"a":"\xff"}')),
    ("payload-deep", "malformed", lambda w: hs256(w, header("HS256"), b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}")),
    ("encrypted", "encrypted", encrypted),
    ("too-long", "too_long", lambda w: w.token("HS256", filler="x" * MAX_TOKEN)),
    # The header
    ("crit", "critical_header", lambda w: hs256(w, header("HS256", crit=["exp"], exp=1), hs_claims())),
    ("crit-b64", "critical_header", lambda w: hs256(w, header("HS256", crit=["b64"], b64=True), hs_claims())),
    ("b64-false", "critical_header", lambda w: hs256(w, header("HS256", b64=False), hs_claims())),
    ("alg-none", "algorithm_not_allowed", lambda w: unsigned("none")),
    ("alg-none-mixed-case", "algorithm_not_allowed", lambda w: unsigned("nOnE")),
    ("alg-empty", "algorithm_not_allowed", lambda w: unsigned("")),
    ("alg-lower-case", "algorithm_not_allowed", lambda w: hs256(w, {"alg": "hs256", "kid": "oct"}, hs_claims())),
    ("alg-unknown", "algorithm_not_allowed", lambda w: hs256(w, {"alg": "ES256K", "kid": "p256"}, hs_claims())),
    ("alg-not-on-the-list", "algorithm_not_allowed", lambda w: w.token("ES256", issuer=NARROW)),
    ("alg-hmac-not-on-the-list", "algorithm_not_allowed", lambda w: w.token("HS256", issuer=NARROW)),
    # The key
    ("unknown-kid", "unknown_key", lambda w: w.token(header={"kid": "other"})),
    ("hostile-kid", "unknown_key", lambda w: w.token(header={"kid": "../../../etc/passwd' OR 1=1 --"})),
    ("empty-kid", "unknown_key", lambda w: w.token(header={"kid": ""})),
    ("kid-of-another-type", "unknown_key", lambda w: w.token("RS256", header={"kid": "p256"})),
    ("curve-of-another-algorithm", "unknown_key", lambda w: sign_raw(w.keys["p256"], "ES256", header("ES256", kid="p384"), claims())),
    ("hmac-with-the-public-key", "unknown_key", hmac_with_the_public_key),
    ("hmac-where-keys-are-public", "unknown_key", lambda w: w.token("HS256", issuer=MAIN)),
    # The signature
    ("key-of-another-issuer", "bad_signature", lambda w: w.token("ES256", w.other_key)),
    ("key-of-the-header", "bad_signature", lambda w: w.token(key=w.stranger["rsa"], header={"jwk": tokens.public_jwk(w.stranger["rsa"])})),
    ("jku-of-the-header", "bad_signature", lambda w: w.token(key=w.stranger["rsa"], header={"jku": "https://evil.example/jwks.json"})),
    ("no-kid-and-a-stranger", "bad_signature", lambda w: w.token(key=w.stranger["rsa"], header={"kid": None})),
    ("wrong-secret", "bad_signature", lambda w: w.token("HS256", w.stranger["oct"], header={"kid": "oct"})),
    ("another-payload", "bad_signature", lambda w: with_part(w.token(), 1, lambda part: b64url(json_bytes(claims(sub="admin"))))),
    ("another-header", "bad_signature", lambda w: with_part(w.token(), 0, lambda part: b64url(json_bytes(header("RS256", x=1))))),
    ("rs256-as-ps256", "bad_signature", lambda w: sign_raw(w.keys["rsa"], "RS256", header("PS256"), claims())),
    ("rs512-as-rs256", "bad_signature", lambda w: sign_raw(w.keys["rsa"], "RS512", header("RS256"), claims())),
    ("ps256-longer-salt", "bad_signature", ps256_with_a_longer_salt),
    *[(f"flipped-{a}", "bad_signature", lambda w, a=a: flipped(w.token(a), 5)) for a in tokens.ALGORITHMS],
    *[(f"no-signature-{a}", "bad_signature", lambda w, a=a: with_signature(w.token(a), b"")) for a in ONE_OF_EACH_KIND],
    *[(f"short-{a}", "bad_signature", lambda w, a=a: resized(w.token(a), -1)) for a in ONE_OF_EACH_KIND],
    *[(f"long-{a}", "bad_signature", lambda w, a=a: resized(w.token(a), 1)) for a in ONE_OF_EACH_KIND],
    ("es256-zeros", "bad_signature", lambda w: with_signature(w.token("ES256"), bytes(64))),
    ("es256-der", "bad_signature", der_signature),
    ("rsa-zeros", "bad_signature", lambda w: with_signature(w.token("RS256"), bytes(256))),
    ("rsa-ones", "bad_signature", lambda w: with_signature(w.token("RS256"), b"\xff" * 256)),
    # The claims
    ("issuer-unknown", "wrong_issuer", lambda w: w.token(issuer="https://evil.example/")),
    ("issuer-without-slash", "wrong_issuer", lambda w: w.token(issuer="https://idp.example.com")),
    ("issuer-upper-case", "wrong_issuer", lambda w: w.token(issuer="HTTPS://idp.example.com/")),
    ("issuer-missing", "wrong_issuer", lambda w: w.token(issuer=None)),
    ("issuer-list", "wrong_issuer", lambda w: w.token(issuer=["https://idp.example.com/"])),
    ("expired", "expired", lambda w: w.token(exp=tokens.now_s() - 1)),
    ("expired-long-ago", "expired", lambda w: w.token(exp=0)),
    ("expired-fraction", "expired", lambda w: w.token(exp=tokens.now_s() - 0.5)),
    ("not-yet-valid", "not_yet_valid", lambda w: w.token(nbf=tokens.now_s() + 3000)),
    ("no-expiry", "missing_expiry", lambda w: w.token(exp=None)),
    ("expiry-string", "invalid_claim", lambda w: w.token(exp=str(tokens.now_s() + 3600))),
    ("expiry-true", "invalid_claim", lambda w: w.token(exp=True)),
    ("expiry-null", "invalid_claim", lambda w: hs256(w, header("HS256"), {**hs_claims(), "exp": None})),
    ("expiry-negative", "invalid_claim", lambda w: w.token(exp=-1)),
    ("expiry-after-9999", "invalid_claim", lambda w: w.token(exp=LAST_SECOND_OF_9999 + 1)),
    ("expiry-huge", "invalid_claim", lambda w: w.token(exp=1e300)),
    ("not-before-string", "invalid_claim", lambda w: w.token(nbf="0")),
    ("issued-at-object", "invalid_claim", lambda w: w.token(iat={})),
    ("audience-other", "wrong_audience", lambda w: w.token(aud="https://other.example.com")),
    ("audience-prefix", "wrong_audience", lambda w: w.token(aud=AUDIENCE + "/")),
    ("audience-missing", "wrong_audience", lambda w: w.token(aud=None)),
    ("audience-empty-list", "wrong_audience", lambda w: w.token(aud=[])),
    ("audience-list-of-others", "wrong_audience", lambda w: w.token(aud=["a", "b"])),
    ("audience-number", "invalid_claim", lambda w: w.token(aud=1)),
    ("audience-list-with-a-number", "invalid_claim", lambda w: w.token(aud=[AUDIENCE, 1])),
    ("type-missing", "wrong_type", lambda w: w.token(issuer=TYPED, token_use="access", header={"typ": None})),
    ("type-other", "wrong_type", lambda w: w.token(issuer=TYPED, token_use="access")),
    ("type-lookalike", "wrong_type", lambda w: w.token(issuer=TYPED, token_use="access", header={"typ": "at+jwt2"})),
    ("requirement-missing", "claim_mismatch", lambda w: w.token(issuer=TYPED, header={"typ": "at+jwt"})),
    ("requirement-other", "claim_mismatch", lambda w: w.token(issuer=TYPED, token_use="id", header={"typ": "at+jwt"})),
    ("requirement-list", "claim_mismatch", lambda w: w.token(issuer=TYPED, token_use=["access"], header={"typ": "at+jwt"})),
    ("no-address", "mapping_missing", lambda w: w.token(front_channel_address=None)),
    ("empty-name", "mapping_missing", lambda w: w.token(front_channel_name="")),
    ("name-is-an-object", "mapping_missing", lambda w: w.token(front_channel_name={"a": "b"})),
    ("address-with-a-newline", "mapping_missing", lambda w: w.token(front_channel_address="a\nb")),
    ("address-too-long", "mapping_missing", lambda w: w.token(front_channel_address="x" * 1025)),
]  # fmt: skip

assert len({name for name, _, _ in BAD_TOKENS}) == len(BAD_TOKENS)
