"""Keys made at run time, one for each algorithm and curve, and signatures by python3-cryptography alone."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwcrypto import jwk

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": int("F" * 48 + "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16),
    "ES512": int("1" + "F" * 65 + "A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
    "Ed25519": 2**252 + 27742317777372353535851937790883648493,
    "Ed448": 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885,
}

# kid -> algorithm. The share of each in what is made: what costs a verifier most is made least.
ALGORITHM_OF = {f"{family}{size}": f"{family}{size}" for family in ("HS", "RS", "PS", "ES") for size in HASHES}
ALGORITHM_OF.update({"Ed25519": "EdDSA", "Ed448": "EdDSA"})
SHARES = {"HS256": 9, "HS384": 6, "HS512": 6, "ES256": 8, "Ed25519": 8, "ES384": 1, "ES512": 1, "Ed448": 2,
    **{f"{f}{s}": 2 for f in ("RS", "PS") for s in HASHES}}
KIDS = list(SHARES)


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Signer:
    """One key with the algorithm that it signs with."""

    def __init__(self, kid):
        self.kid, self.algorithm = kid, ALGORITHM_OF[kid]
        if kid in CURVES:
            self.jwk = jwk.JWK.generate(kty="EC", crv=CURVES[kid], kid=kid)
        elif self.algorithm == "EdDSA":
            self.jwk = jwk.JWK.generate(kty="OKP", crv=kid, kid=kid)
        elif kid.startswith("HS"):
            self.jwk = jwk.JWK.generate(kty="oct", size=512, kid=kid)
        else:
            self.jwk = jwk.JWK.generate(kty="RSA", size=2048, kid=kid)
        self.is_secret = kid.startswith("HS")
        self.public = json.loads(self.jwk.export() if self.is_secret else self.jwk.export_public())
        self.secret = unb64url(self.public["k"]) if self.is_secret else None
        self._private = None if self.is_secret else self.jwk.get_op_key("sign")

    def pem_or_secret(self):
        return self.secret if self.is_secret else self.jwk.export_to_pem()

    def modulus(self):
        return int.from_bytes(unb64url(self.public["n"]), "big")

    def sign(self, signing_input):
        size = self.kid[2:]
        if self.is_secret:
            return hmac.new(self.secret, signing_input, getattr(hashlib, "sha" + size)).digest()
        if self.algorithm == "EdDSA":
            return self._private.sign(signing_input)
        if self.kid in CURVES:
            width = (ORDERS[self.kid].bit_length() + 7) // 8
            r, s = decode_dss_signature(self._private.sign(signing_input, ec.ECDSA(HASHES[size])))
            return r.to_bytes(width, "big") + s.to_bytes(width, "big")
        scheme = padding.PKCS1v15()
        if self.kid.startswith("PS"):
            scheme = padding.PSS(mgf=padding.MGF1(HASHES[size]), salt_length=HASHES[size].digest_size)
        return self._private.sign(signing_input, scheme, HASHES[size])

    def token(self, header, payload):
        """Header and payload are bytes; whatever they are, the signature is good."""
        signing_input = b64url(header) + "." + b64url(payload)
        return signing_input + "." + b64url(self.sign(signing_input.encode("ascii")))
