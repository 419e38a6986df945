"""Tokens that others published: RFC 7515 appendix A, RFC 7520 section 4, RFC 8037 appendix A.4, RFC 7797."""

import json

import pytest

COOKBOOK = "ietf-jose-cookbook"
A1_KEY = {"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}


def load(vectors, *path):
    return json.loads(vectors.joinpath(*path).read_text())


def another(text, place):
    """The text with another letter there."""
    other = "A" if text[place] != "A" else "B"
    return text[:place] + other + (text[place + 1 :] if place != -1 else "")


@pytest.mark.parametrize("index", range(5), ids=["A.1", "A.2", "A.3", "A.4", "A.5"])
def test_rfc7515_appendix_a(vectors, judge, index):
    case = load(vectors, "rfc7515", "appendix-a.json")["cases"][index]
    token = case["jws"]
    if case["result"] != "valid":
        assert index == 4
        judge(A1_KEY, [("none", token, "refused algorithm_not_allowed"), ("none, signed", token + "AAAA", "refused algorithm_not_allowed")])
        return
    head, payload, signature = token.split(".")
    judge(case["key"], [
        ("published", token, "ok"),
        ("signature", f"{head}.{payload}.{another(signature, 9)}", "refused bad_signature"),
        ("payload", f"{head}.{another(payload, 2)}.{signature}", "refused bad_signature"),
        ("no signature", f"{head}.{payload}.", "refused bad_signature"),
        ("no payload", f"{head}..{signature}", "refused bad_signature"),
    ])  # fmt: skip


@pytest.mark.parametrize("name", [
    "4_1.rsa_v15_signature", "4_2.rsa-pss_signature", "4_3.ecdsa_signature", "4_4.hmac-sha2_integrity_protection",
])  # fmt: skip
def test_rfc7520_compact(vectors, judge, name):
    case = load(vectors, COOKBOOK, "jws", f"{name}.json")
    key, token, algorithm = case["input"]["key"], case["output"]["compact"], case["input"]["alg"]
    judge(key, [("published", token, "ok"), ("changed", another(token, -9), "refused bad_signature")])
    judge(key, [("allowed", token, "ok")], algorithms=algorithm)
    judge(key, [("not allowed", token, "refused algorithm_not_allowed")], algorithms="EdDSA")
    judge({**key, "kid": "other"}, [("unknown", token, "refused unknown_key")])


def test_rfc7520_detached_content(vectors, judge):
    """4.5: the content is elsewhere; with it back in its place the token is good."""
    case = load(vectors, COOKBOOK, "jws", "4_5.signature_with_detached_content.json")
    token, whole = case["output"]["compact"], load(vectors, COOKBOOK, "jws", "4_4.hmac-sha2_integrity_protection.json")["output"]["compact"]
    assert ".." in token
    judge(case["input"]["key"], [
        ("detached", token, "refused bad_signature"), ("attached", token.replace("..", f".{whole.split('.')[1]}."), "ok"),
    ])  # fmt: skip


@pytest.mark.parametrize("name", [
    "4_1.rsa_v15_signature", "4_2.rsa-pss_signature", "4_3.ecdsa_signature", "4_4.hmac-sha2_integrity_protection",
    "4_5.signature_with_detached_content", "4_6.protecting_specific_header_fields", "4_7.protecting_content_only",
    "4_8.multiple_signatures",
])  # fmt: skip
def test_rfc7520_json_serializations(vectors, judge, name):
    """Refused as what, is chance: the text around its dots is no part of a token."""
    case = load(vectors, COOKBOOK, "jws", f"{name}.json")
    forms = [(form, json.dumps(case["output"][form]), ("refused malformed", "refused encrypted"))
             for form in ("json", "json_flat") if form in case["output"]]  # fmt: skip
    assert forms
    key = case["input"]["key"]
    judge(key, forms)


def test_rfc7520_header_that_is_not_protected(vectors, judge):
    """4.6 and 4.7: what is left of them in compact form has no `alg`, or not even a header."""
    for name in ("4_6.protecting_specific_header_fields", "4_7.protecting_content_only"):
        case = load(vectors, COOKBOOK, "jws", f"{name}.json")
        flat = case["output"]["json_flat"]
        token = f"{flat.get('protected', '')}.{flat['payload']}.{flat['signature']}"
        expected = "refused malformed" if "protected" not in flat else ("refused unknown_key", "refused bad_signature", "ok")
        judge(case["input"]["key"], [(name, token, expected)])


def test_rfc8037_appendix_a4(vectors, judge):
    case = load(vectors, COOKBOOK, "curve25519", "jws.json")
    key, token = case["input"]["key"], case["output"]["compact"]
    cases = [("published", token, "ok"), ("changed", another(token, -9), "refused bad_signature")]
    assert not judge({name: value for name, value in key.items() if name != "d"}, cases).notes
    assert [note["kind"] for note in judge(key, cases).notes] == ["warning"]


@pytest.mark.parametrize("name", ["hmac-sha2_b64_false", "4.2.hmac-sha2_b64_false"])
def test_rfc7797_unencoded_payload(vectors, judge, name):
    """With a payload that is base64url, `b64` itself is what is refused."""
    case = load(vectors, COOKBOOK, "rfc7797", f"{name}.json")
    flat, payload = case["output"]["json_flat"], case["input"]["payload"]
    judge(case["input"]["key"], [
        ("published", f"{flat['protected']}.{payload}.{flat['signature']}", ("refused malformed", "refused critical_header")),
        ("detached", f"{flat['protected']}..{flat['signature']}", "refused critical_header"),
        ("encoded", f"{flat['protected']}.JC4wMg.{flat['signature']}", "refused critical_header"),
        ("json", json.dumps(flat), ("refused malformed", "refused encrypted")),
    ])  # fmt: skip
