"""Published examples that nobody on this project wrote, through `introspectd verify`."""

import json

import pytest

from harness.server import run

COOKBOOK = "ietf-jose-cookbook"


@pytest.fixture
def verify(directory):
    def verify(key, *lines, algorithms=None):
        """The exit status and the lines that are printed for these tokens."""
        jwks_file = directory / "jwks.json"
        jwks_file.write_text(json.dumps({"keys": [key]}))
        more = [] if algorithms is None else ["--algorithms", algorithms]
        done = run("verify", "--jwks", jwks_file, *more, stdin="\n".join(lines) + "\n")
        return done.returncode, done.stdout.splitlines()

    return verify


@pytest.mark.parametrize("index", range(5), ids=["A.1", "A.2", "A.3", "A.4", "A.5"])
def test_rfc7515(vectors, verify, index):
    case = json.loads((vectors / "rfc7515" / "appendix-a.json").read_text())["cases"][index]
    key = case.get("key") or {"kty": "oct", "k": "A" * 86}
    status, lines = verify(key, case["jws"])
    if case["result"] == "valid":
        assert (status, lines) == (0, ["ok"])
        broken = case["jws"][:-10] + ("A" if case["jws"][-10] != "A" else "B") + case["jws"][-9:]
        assert verify(key, broken) == (1, ["refused bad_signature"])
    else:
        assert (status, lines) == (1, ["refused algorithm_not_allowed"])


@pytest.mark.parametrize("name", [
    "4_1.rsa_v15_signature", "4_2.rsa-pss_signature", "4_3.ecdsa_signature", "4_4.hmac-sha2_integrity_protection",
])  # fmt: skip
def test_rfc7520_compact(vectors, verify, name):
    case = json.loads((vectors / COOKBOOK / "jws" / f"{name}.json").read_text())
    key, token = case["input"]["key"], case["output"]["compact"]
    assert verify(key, token) == (0, ["ok"])
    assert verify(key, token, algorithms=case["input"]["alg"]) == (0, ["ok"])
    other = "RS256" if case["input"]["alg"] != "RS256" else "ES256"
    assert verify(key, token, algorithms=other) == (1, ["refused algorithm_not_allowed"])


def test_rfc7520_detached_content_is_no_compact_token(vectors, verify):
    case = json.loads((vectors / COOKBOOK / "jws" / "4_5.signature_with_detached_content.json").read_text())
    assert verify(case["input"]["key"], case["output"]["compact"]) == (1, ["refused bad_signature"])


@pytest.mark.parametrize("name", ["4_6.protecting_specific_header_fields", "4_7.protecting_content_only", "4_8.multiple_signatures"])
def test_rfc7520_json_serialization_is_refused(vectors, verify, name):
    """As what, is chance: the text around its dots is no part of a token."""
    case = json.loads((vectors / COOKBOOK / "jws" / f"{name}.json").read_text())
    key = case["input"]["key"]
    for form in ("json", "json_flat"):
        if form in case["output"]:
            line = json.dumps(case["output"][form])
            status, lines = verify(key[0] if isinstance(key, list) else key, line)
            assert status == 1 and lines in (["refused malformed"], ["refused encrypted"])


def test_rfc8037_ed25519(vectors, verify):
    case = json.loads((vectors / COOKBOOK / "curve25519" / "jws.json").read_text())
    key, token = case["input"]["key"], case["output"]["compact"]
    assert verify({name: value for name, value in key.items() if name != "d"}, token) == (0, ["ok"])
    assert verify(key, token) == (0, ["ok"])


@pytest.mark.parametrize("name", ["hmac-sha2_b64_false", "4.2.hmac-sha2_b64_false"])
def test_rfc7797_unencoded_payload_is_refused(vectors, verify, name):
    case = json.loads((vectors / COOKBOOK / "rfc7797" / f"{name}.json").read_text())
    key, signature = case["input"]["key"], case["output"]["json_flat"]["signature"]
    protected = case["output"]["json_flat"]["protected"]
    # The compact form has a payload that is not base64url; with one that is, `b64` itself is what is refused.
    status, lines = verify(key, f"{protected}.{case['input']['payload']}.{signature}", f"{protected}.JC4wMg.{signature}")
    assert status == 1 and lines[0].startswith("refused ") and lines[1] == "refused critical_header", lines


def test_published_public_keys_are_usable(vectors, verify):
    """RFC 7520 section 3: a set of them verifies what its private halves signed in section 4."""
    public = json.loads((vectors / COOKBOOK / "jwk" / "3_3.rsa_public_key.json").read_text())
    case = json.loads((vectors / COOKBOOK / "jws" / "4_1.rsa_v15_signature.json").read_text())
    assert verify(public, case["output"]["compact"]) == (0, ["ok"])
