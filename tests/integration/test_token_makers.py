"""Tokens from implementations that know nothing of each other are accepted: python3-jwcrypto makes those of all other tests; here
are PyJWT, npm jose, OpenSSL's command line and python3-authlib."""

import shutil
import subprocess

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from harness import expect, node, tokens
from harness.tokens import SIGNERS, b64url, json_bytes
from harness.world import AUDIENCE, issuer_of


def claims(algorithm):
    return tokens.claims(issuer_of(algorithm), AUDIENCE)


def remember(token):
    tokens.made.append(token)
    return token


@pytest.mark.parametrize("algorithm, kid", SIGNERS, ids=lambda value: value)
def test_pyjwt(h1, world, algorithm, kid):
    key = world.keys[kid]
    secret = tokens.unb64url(key.export(as_dict=True)["k"]) if kid == "oct" else key.export_to_pem(private_key=True, password=None)
    token = remember(jwt.encode(claims(algorithm), secret, algorithm, headers={"kid": kid}))
    expect.is_active(h1.introspect(token, world.private))


@pytest.fixture(scope="module")
def jose_results(world):
    """npm jose knows no Ed448."""
    node.require_package("jose")
    signers = [signer for signer in SIGNERS if signer[1] != "ed448"]
    jobs = [
        {"jwk": tokens.private_jwk(world.keys[kid]), "header": {"alg": algorithm, "kid": kid, "typ": "at+jwt"}, "claims": claims(algorithm)}
        for algorithm, kid in signers
    ]
    return dict(zip(signers, node.run_jobs("mint_with_jose.mjs", jobs)))


@pytest.mark.parametrize("signer", [signer for signer in SIGNERS if signer[1] != "ed448"], ids="-".join)
def test_npm_jose(h1, world, jose_results, signer):
    token = remember(jose_results[signer].get("ok"))
    assert token, jose_results[signer]
    expect.is_active(h1.introspect(token, world.private))


COORDINATE_BYTES = {"ES256": 32, "ES384": 48, "ES512": 66}


def openssl_signature(folder, key, algorithm, signing_input):
    key_file, data_file = folder / "key", folder / "data"
    data_file.write_bytes(signing_input)
    digest = "-sha" + algorithm[2:]
    if algorithm.startswith("HS"):
        secret = tokens.unb64url(key.export(as_dict=True)["k"]).hex()
        command = ["dgst", digest, "-binary", "-mac", "HMAC", "-macopt", f"hexkey:{secret}", str(data_file)]
    else:
        key_file.write_bytes(key.export_to_pem(private_key=True, password=None))
        if algorithm == "EdDSA":
            command = ["pkeyutl", "-sign", "-rawin", "-inkey", str(key_file), "-in", str(data_file)]
        else:
            command = ["dgst", digest, "-binary", "-sign", str(key_file), str(data_file)]
            if algorithm.startswith("PS"):
                command[3:3] = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
    signature = subprocess.run(["openssl", *command], capture_output=True, check=True, timeout=60).stdout
    if algorithm in COORDINATE_BYTES:
        r, s = decode_dss_signature(signature)
        size = COORDINATE_BYTES[algorithm]
        signature = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    return signature


@pytest.mark.parametrize("algorithm, kid", SIGNERS, ids=lambda value: value)
def test_openssl_command_line(h1, world, directory, algorithm, kid):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command here")
    header = {"alg": algorithm, "kid": kid}
    signing_input = b64url(json_bytes(header)) + "." + b64url(json_bytes(claims(algorithm)))
    signature = openssl_signature(directory, world.keys[kid], algorithm, signing_input.encode())
    token = remember(signing_input + "." + b64url(signature))
    expect.is_active(h1.introspect(token, world.private))


@pytest.mark.parametrize("algorithm, kid", [signer for signer in SIGNERS if signer[1] not in ("ed25519", "ed448")], ids=lambda value: value)
def test_authlib(h1, world, algorithm, kid):
    jose = pytest.importorskip("authlib.jose")
    token = jose.jwt.encode({"alg": algorithm, "kid": kid}, claims(algorithm), tokens.private_jwk(world.keys[kid])).decode()
    expect.is_active(h1.introspect(remember(token), world.private))
