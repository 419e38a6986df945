"""Tokens by python3-jwcrypto, and tokens that no honest library makes."""

import base64
import hashlib
import json
import time
import uuid

from jwcrypto import jwa, jwk, jws

ALGORITHMS = (
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip

# The key, by its kid in the main issuer's set, that signs with an algorithm.
KEY_OF_ALGORITHM = {
    "HS256": "oct", "HS384": "oct", "HS512": "oct",
    "RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
    "ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519",
}  # fmt: skip

# Every algorithm with a key for it; EdDSA has two.
SIGNERS = [(algorithm, KEY_OF_ALGORITHM[algorithm]) for algorithm in ALGORITHMS] + [("EdDSA", "ed448")]


made = []  # every token of this test run, for the look at what was logged


def generate_key(kind, kid, **extra):
    parameters = {
        "rsa": {"kty": "RSA", "size": 2048},
        "oct": {"kty": "oct", "size": 512},
        "p256": {"kty": "EC", "crv": "P-256"},
        "p384": {"kty": "EC", "crv": "P-384"},
        "p521": {"kty": "EC", "crv": "P-521"},
        "ed25519": {"kty": "OKP", "crv": "Ed25519"},
        "ed448": {"kty": "OKP", "crv": "Ed448"},
    }[kind]
    if kid is not None:
        extra["kid"] = kid
    return jwk.JWK.generate(**parameters, **extra)


def public_jwk(key):
    """What a JWK Set says of key; a symmetric key has no public half."""
    return key.export(as_dict=True) if key["kty"] == "oct" else key.export_public(as_dict=True)


def private_jwk(key):
    return key.export(private_key=True, as_dict=True) if key["kty"] != "oct" else key.export(as_dict=True)


def jwks(*keys):
    return json.dumps({"keys": [public_jwk(key) for key in keys]})


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def json_bytes(value):
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode("utf-8")


def now_s():
    return int(time.time())


def claims(issuer, audience, **changes):
    """A good access token's claims; a change to None removes the claim."""
    members = {
        "iss": issuer,
        "aud": audience,
        "sub": "user-" + uuid.uuid4().hex[:8],
        "iat": now_s(),
        "exp": now_s() + 3600,
        "jti": uuid.uuid4().hex,
        "scope": "channel:read channel:write",
        "client_id": "application-7",
        "front_channel_name": "Acme Support",
        "front_channel_address": "acme-support-1",
        "resource_owner_id": "owner-42",
        "resource_owner_name": "Ada Lovelace",
    }
    members.update(changes)
    return {name: value for name, value in members.items() if value is not None}


def sign(key, algorithm, payload, **header):
    """A compact JWS by jwcrypto's own serializer; a header member that is None is left out."""
    protected = {"alg": algorithm, "kid": key.get("kid"), "typ": "JWT", **header}
    protected = {name: value for name, value in protected.items() if value is not None}
    token = jws.JWS(json_bytes(payload))
    token.add_signature(key, algorithm, json.dumps(protected))
    made.append(token.serialize(compact=True))
    return made[-1]


def sign_raw(key, algorithm, header, payload):
    """A compact JWS whose header and payload may be any bytes; the signature is good."""
    signing_input = b64url(json_bytes(header)) + "." + b64url(json_bytes(payload))
    signature = jwa.JWA.signing_alg(algorithm).sign(key, signing_input.encode("ascii"))
    made.append(signing_input + "." + b64url(signature))
    return made[-1]


def with_signature(token, signature):
    return token.rsplit(".", 1)[0] + "." + b64url(signature)


def signature_of(token):
    return unb64url(token.rsplit(".", 1)[1])


def token_name(token):
    """What the log calls a token: the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()[:12]
