"""Claims that are made to be misread, in tokens that the issuer itself signed: audience, type, wrapping, repetition, numbers, depth."""

import json

import pytest
from jwcrypto import jwe

from harness import expect, tokens
from harness.attacks import PUBLIC, REQUIRED, SECRET, TYPED, Target, claims, with_member
from harness.endpoint import JSON, basic
from harness.tokens import b64url, json_bytes
from harness.world import AUDIENCE


@pytest.fixture(scope="module")
def target(world, start_module_server):
    return Target(world, start_module_server)


def without(*names, issuer=SECRET):
    return claims(issuer, **{name: None for name in names})


# A token for another audience


def test_audience_that_is_almost_ours(target):
    host = AUDIENCE.removeprefix("https://")
    texts = [
        AUDIENCE.upper(), AUDIENCE.capitalize(), f"HTTPS://{host}", f"http://{host}", host, f"//{host}", AUDIENCE[:-1], AUDIENCE + ".",
        AUDIENCE + "/.", AUDIENCE + "//",
        AUDIENCE + ":443", AUDIENCE + "?", AUDIENCE + "#", AUDIENCE + ".evil.example", f"https://x@{host}",
        f"https://evil.example/{AUDIENCE}", f"https://x.{host}",
        AUDIENCE + " ", " " + AUDIENCE, AUDIENCE + "\n", f"{AUDIENCE} other", f"other {AUDIENCE}", f"{AUDIENCE},other", f'["{AUDIENCE}"]',
        f'"{AUDIENCE}"',
        "*", "https://*", ".*", "any", "true", "null", "", " ", AUDIENCE.replace("a", "\u0430"), AUDIENCE.replace(".", "\uff0e"),
        AUDIENCE + "\u200b", AUDIENCE.replace("c", "%63"),
    ]  # fmt: skip
    cases = [(repr(text), "wrong_audience", target.signed(payload=claims(aud=text))) for text in texts]
    cases += [(f"[{text!r}]", "wrong_audience", target.signed(payload=claims(aud=["other", text]))) for text in texts]
    target.is_refused(cases)


def test_audience_of_another_type(target):
    values = [
        "null", "true", "false", "0", "-0", "1e9", "{}", f'{{"{AUDIENCE}":true}}', f'{{"aud":"{AUDIENCE}"}}', f'{{"0":"{AUDIENCE}"}}',
        f'[["{AUDIENCE}"]]',
        f'["{AUDIENCE}",null]', f'[null,"{AUDIENCE}"]', f'["{AUDIENCE}",{{}}]', f'["{AUDIENCE}",["{AUDIENCE}"]]', f'["{AUDIENCE}",true]',
        f'["{AUDIENCE}",1.5]', "[[]]", "[{}]",
    ]  # fmt: skip
    target.is_refused([(v, "invalid_claim", target.signed(payload=with_member(without("aud"), f'"aud":{v}'))) for v in values])


def test_audience_under_another_name(target):
    cases = []
    for name in ("Aud", "AUD", "aud ", " aud", "audience", "azp", "client_id", "resource", "\u0430ud", "aud\u200b", "/aud"):
        cases.append((repr(name), "wrong_audience",
            target.signed(payload=with_member(without("aud", "client_id"), f'{json.dumps(name)}:"{AUDIENCE}"'))))
    cases.append(("in the header", "wrong_audience", target.signed({"alg": "HS256", "kid": "oct", "aud": AUDIENCE}, without("aud"))))
    cases.append(("nested", "wrong_audience", target.signed(payload={**without("aud"), "claims": {"aud": AUDIENCE}})))
    target.is_refused(cases)


def test_audience_in_other_spellings_of_json_is_ours(target):
    escaped = "".join(f"\\u{ord(c):04x}" for c in AUDIENCE)
    for text in (f'"aud":"{escaped}"', f'"\\u0061ud":["x","{escaped}"]', '"aud" : \t[ "x" ,\r\n"' + AUDIENCE.replace("/", "\\/") + '" ]'):
        target.is_active(target.signed(payload=with_member(without("aud"), text)))
    target.is_active(target.signed(payload=claims(aud=[f"https://{i}.example" for i in range(2000)] + [AUDIENCE])))


# An ID token where access tokens are required


def id_token(issuer, **changes):
    return claims(issuer, nonce="n-0S6_WzA2Mj", at_hash="77QmUPtjPfzWtF2AnpK9RQ", auth_time=tokens.now_s(), azp="application-7", **changes)


def test_id_token_by_its_type(target):
    names = [
        "JWT", "jwt", "", " ", "id_token+jwt", "id+jwt", "it+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "token-introspection+jwt",
        "oauth-authz-req+jwt", "at", "at+", "+jwt", "at+jw",
        "at+jwt ", " at+jwt", "at+jwt\n", "at +jwt", "at%2Bjwt", "at jwt", "at-jwt", "at+jwt;charset=utf-8", "at+jwt,JWT", "JWT,at+jwt",
        "at+jwt at+jwt", "at+jwt+jwt", "x.at+jwt",
        "application/JWT", "application/application/at+jwt", "application/", "application//at+jwt", "application/at+jwt/",
        "application/ at+jwt", "text/at+jwt", "application", "/at+jwt",
        "\u0430t+jwt", "at\uff0bjwt", "at+jwt\u200b", "\ufeffat+jwt", "*", "*/*", "application/*",
    ]  # fmt: skip
    cases = [(repr(name), "wrong_type", target.signed({"alg": "HS256", "kid": "oct", "typ": name}, id_token(TYPED))) for name in names]
    for name in ("Typ", "TYP", "type", "typ ", "cty"):
        cases.append((f"member {name!r}", "wrong_type", target.signed({"alg": "HS256", "kid": "oct", name: "at+jwt"}, id_token(TYPED))))
    cases.append(("in the payload", "wrong_type",
        target.signed({"alg": "HS256", "kid": "oct", "typ": "JWT"}, id_token(TYPED, typ="at+jwt"))))
    for text in ("null", "true", "0", "{}", "[]", '{"at+jwt":1}', '["at+jwt"]', '"at+jwt\\u0000"', '"at+jwt\\u0000x"',
        '"JWT","typ":"at+jwt"', '"at+jwt","\\u0074yp":"at+jwt"'):
        cases.append((text, "malformed", target.signed(b'{"alg":"HS256","kid":"oct","typ":' + text.encode() + b"}", id_token(TYPED))))
    target.is_refused(cases)
    for name in ("at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"):
        target.is_active(target.signed({"alg": "HS256", "kid": "oct", "typ": name}, claims(TYPED)))


def test_id_token_by_a_claim(target):
    values = [
        '"id"', '"ID"', '"Access"', '"ACCESS"', '"access "', '" access"', '"acces"', '"accesss"', '"access,id"', '"id access"', '""',
        '"\u0430ccess"', '"access\\n"',
        "null", "true", "1", "{}", "[]", '["access"]', '{"access":true}', '[["access"]]',
    ]  # fmt: skip
    cases = [(value, "claim_mismatch", target.signed(payload=with_member(id_token(REQUIRED), f'"token_use":{value}'))) for value in values]
    cases.append(("missing", "claim_mismatch", target.signed(payload=id_token(REQUIRED))))
    cases.append(("in the header", "claim_mismatch",
        target.signed({"alg": "HS256", "kid": "oct", "token_use": "access"}, id_token(REQUIRED))))
    cases.append(("nested", "claim_mismatch", target.signed(payload=id_token(REQUIRED, claims={"token_use": "access"}))))
    cases.append(("another case", "claim_mismatch", target.signed(payload=id_token(REQUIRED, Token_use="access"))))
    cases.append(("two", "malformed", target.signed(payload=with_member(id_token(REQUIRED), '"token_use":"id","token_use":"access"'))))
    cases.append(("NUL", "malformed", target.signed(payload=with_member(id_token(REQUIRED), '"token_use":"access\\u0000"'))))
    target.is_refused(cases)
    target.is_active(target.signed(payload=claims(REQUIRED, token_use="access")))


# Tokens in tokens, encrypted tokens, other serializations


def test_nested_tokens(target):
    inner, header = target.token("RS256"), {"alg": "HS256", "kid": "oct", "cty": "JWT"}
    unsigned = b64url(json_bytes({"alg": "none", "cty": "JWT"}))
    cases = [
        ("token as payload", "malformed", target.signed(header, inner.encode())),
        ("token as text", "malformed", target.signed(header, json_bytes(inner))),
        ("token in a list", "malformed", target.signed(header, json_bytes([inner]))),
        ("twice", "malformed", target.signed(header, target.signed(header, inner.encode()).encode())),
        ("without signature", "malformed", f"{unsigned}.{b64url(inner.encode())}."),
        ("in a claim", "wrong_issuer", target.signed(header, {"jwt": inner, "token": inner})),
        ("payload of another", "malformed", target.signed(header, inner.split(".")[1].encode())),
    ]
    target.is_refused(cases)


def test_encrypted_tokens(target):
    inner = target.token("RS256")
    rsa, p256 = target.keys["rsa"], target.keys["p256"]

    def encrypted(algorithm, key, plain, **header):
        made = jwe.JWE(plain, json.dumps({"alg": algorithm, "enc": "A128GCM", "kid": key["kid"], **header}))
        made.add_recipient(key)
        return made.serialize(compact=True)

    cases = [
        ("good token, RSA-OAEP", "encrypted", encrypted("RSA-OAEP", rsa, inner.encode(), cty="JWT")),
        ("good token, ECDH-ES", "encrypted", encrypted("ECDH-ES", p256, inner.encode(), cty="JWT")),
        ("claims, RSA-OAEP-256", "encrypted", encrypted("RSA-OAEP-256", rsa, json_bytes(claims(PUBLIC)))),
        ("compressed", "encrypted", encrypted("RSA-OAEP", rsa, b"0" * 100000, zip="DEF")),
        ("four dots", "encrypted", "...."),
        ("five parts of nothing", "encrypted", "a.b.c.d.e"),
        ("good token and more", "encrypted", inner + ".AA.AA"),
        ("alg none", "encrypted", b64url(b'{"alg":"none"}') + "....AA"),
    ]
    target.is_refused(cases)


def test_json_serializations(target):
    token = target.token("RS256")
    header, payload, signature = token.split(".")
    flat = {"protected": header, "payload": payload, "signature": signature}
    general = {"payload": payload, "signatures": [{"protected": header, "signature": signature}]}
    cases = [(f"{list(form)}", "malformed", json.dumps(form))
        for form in (flat, general, {**flat, "header": {"alg": "none"}}, {"token": token[:20]})]
    cases.append(("base64url", "malformed", b64url(json_bytes(flat))))
    target.is_refused(cases)
    credentials = basic(target.front.client_id, target.front.secret)
    for value in (flat, general, [token], {"token": token}, 1, True, None, [], {}):
        expect.invalid_request(target.h1.post(json_bytes({"token": value}), content_type=JSON, authorization=credentials))
        expect.invalid_request(target.h2c.post(json_bytes({"token": value}), content_type=JSON, authorization=credentials))
    target.good_stays_active()


def test_unencoded_payload_and_unknown_extensions(target):
    """RFC 7797, RFC 7515 section 4.1.11: what changes the meaning of the signature is refused, marked as critical or not."""

    def unencoded(header, payload):
        made = tokens.jwa.JWA.signing_alg("HS256").sign(target.keys["oct"], b64url(json_bytes(header)).encode() + b"." + payload)
        return f"{b64url(json_bytes(header))}.{payload.decode()}.{b64url(made)}"

    base = {"alg": "HS256", "kid": "oct"}
    encoded = b64url(json_bytes(claims())).encode()
    cases = [
        ("unencoded", "malformed", unencoded({**base, "b64": False, "crit": ["b64"]},
        json_bytes(claims(scope=None, iss="x", aud="x", front_channel_name=None)))),
        ("unencoded, no crit", "malformed", unencoded({**base, "b64": False}, b'{"iss":"x"}')),
        ("unencoded that looks encoded", "critical_header", unencoded({**base, "b64": False, "crit": ["b64"]}, encoded)),
        ("the same without crit", "critical_header", unencoded({**base, "b64": False}, encoded)),
    ]
    texts = ['"b64":true', '"b64":null', '"b64":0', '"b64":"false"', '"b64":[]', '"\\u0062\\u0036\\u0034":false', '"b64":false,"crit":[]']
    texts += ['"crit":[]', '"crit":null', '"crit":false', '"crit":"exp"', '"crit":{}', '"crit":[1]', '"crit":["alg"]', '"crit":[""]',
        '"crit":["x","x"],"x":1', '"\\u0063rit":["x"]']
    texts += ['"crit":["http://example.invalid/UNDEFINED"],"http://example.invalid/UNDEFINED":true', '"crit":["crit"]',
        '"crit":[["b64"]],"b64":false', '"crit":["x5t#S256"]']
    cases += [(text, "critical_header", target.signed(with_member(base, text))) for text in texts]
    cases.append(("two crit", "malformed", target.signed(with_member(base, '"crit":["b64"],"crit":[]'))))
    target.is_refused(cases)


# Repeated members


def test_repeated_members(target):
    """RFC 7515 section 4, RFC 7519 section 4: the first one or the last one is a choice that two parties make differently."""
    cases = []
    for name, first, last in [("alg", "none", "HS256"), ("alg", "HS256", "HS256"), ("kid", "other", "oct"), ("typ", "JWT", "at+jwt"),
        ("x", "1", "2"), ("", "1", "2")]:
        for second in (name, *(f"\\u{ord(c):04x}{name[1:]}" for c in name[:1]), *(f"{name[:-1]}\\u{ord(c):04X}" for c in name[-1:])):
            head = {key: value for key, value in {"alg": "HS256", "kid": "oct"}.items() if key != name}
            cases.append((f"header {name!r}, {second}", "malformed",
                target.signed(with_member(head, f'"{name}":"{first}","{second}":"{last}"'))))
    for name in ("iss", "aud", "exp", "nbf", "iat", "sub", "front_channel_address", "x", "\u00e9", "\U0001f600"):
        escapes = "".join(f"\\u{int.from_bytes(pair, 'big'):04x}" for pair in zip(*[iter(name.encode("utf-16-be"))] * 2))
        value = json.dumps(claims(nbf=1, x=1).get(name, 1))
        for second in (name, escapes, escapes[:6] + name[1:] if len(name) > 1 else escapes.upper().replace("U", "u")):
            text = f'"{name}":{value},"{second}":{value}'
            cases.append((f"payload {name!r}, {second}", "malformed", target.signed(payload=with_member(without(name), text))))
    for text in ('"a":{"b":{"c":1,"c":1}}', '"a":[{"b":1,"\\u0062":1}]', '"a":[[[{"":1,"":1}]]]', '"a":{"/":1,"\\/":1}',
        '"a":{"\\n":1,"\\u000a":1}', '"a":{"\\"":1,"\\u0022":2}'):
        cases.append((text, "malformed", target.signed(payload=with_member(claims(), text))))
    cases.append(("ten thousand, the last twice", "malformed",
        target.signed(payload=with_member(claims(), ",".join(f'"m{i}":0' for i in range(10000)) + ',"m9999":0'))))
    target.is_refused(cases)
    target.is_active(target.signed(payload=with_member(claims(), '"e\u0301":1,"\u00e9":2,"ISS":"x","a":{"iss":"y"},"b":[{"c":1},{"c":1}]')))
    target.is_active(target.signed(payload=with_member(claims(), ",".join(f'"m{i}":0' for i in range(10000)))))


# Deep nesting


def nested(levels, kind, closed=True):
    opening, closing, core = {"arrays": ("[", "]", ""), "objects": ('{"a":', "}", "1"), "mixed": ('[{"a":', "}]", "1")}[kind]
    times = levels // 2 if kind == "mixed" else levels
    return opening * times + core + closing * times * closed


@pytest.mark.parametrize("kind", ["arrays", "objects", "mixed"])
def test_deep_nesting(target, kind):
    """The bound is 64 levels with the object itself; the stack never is."""
    base = {"alg": "HS256", "kid": "oct"}
    cases = []
    for levels in (64, 100, 1000, 2047, 2048, 2049, 10_000, 100_000):
        text = f'"x":{nested(levels, kind)}'
        cases.append((f"header, {levels}", "malformed", target.signed(with_member(base, text))))
        cases.append((f"payload, {levels}", "malformed", target.signed(payload=with_member(claims(), text))))
    unclosed = f'"x":{nested(100_000, kind, closed=False)}'
    cases.append(("unclosed", "malformed", target.signed(payload=with_member(claims(), unclosed))))
    cases.append(("behind a quote that is escaped", "malformed",
        target.signed(payload=with_member(claims(), f'"\\\\":"\\"","x":{nested(100_000, kind)}'))))
    target.is_refused(cases)
    target.is_active(target.signed(with_member(base, f'"x":{nested(62, kind)}')))
    target.is_active(target.signed(payload=with_member(claims(), f'"x":{nested(62, kind)},"y":{nested(62, kind)},"z":"{"[" * 500}"')))


def test_deep_nesting_in_the_request(target):
    credentials = basic(target.front.client_id, target.front.secret)
    for levels in (64, 100, 10_000, 100_000):
        for kind in ("arrays", "objects"):
            body = with_member({"token": target.good[0]}, f'"x":{nested(levels, kind)}')
            expect.invalid_request(target.h1.post(body, content_type=JSON, authorization=credentials))
    expect.is_active(target.h1.post(with_member({"token": target.good[0]}, f'"x":{nested(63, "arrays")}'), content_type=JSON,
        authorization=credentials))


# Numbers and dates

NO_JSON_NUMBERS = [
    "1e400", "-1e400", "1E+400", "1e99999999999999999999", "9" * 400 + ".0", "9223372036854775808", "-9223372036854775809", "9" * 400,
    "1" + "0" * 100_000,
    "+1", "01", "-01", "00", ".5", "1.", "-", "--1", "1e", "1e+", "1.e5", "0x7fffffff", "0b1", "0o7", "1_000", "1,000", "NaN", "-NaN",
    "Infinity", "-Infinity", "nan", "inf",
    "1f", "1L", "\uff11\uff10", "\u0661", "1 000", "True", "None", "undefined", "nul", "'1'", "Date()", "",
]  # fmt: skip
NO_DATES = [
    "9007199254740993", "9223372036854775807", "-9223372036854775808", "1000000000000000000", "1e18", "1e19", "1.7976931348623157e308",
    "253402300799.5", "253402300800.0",
    "-1e18", "-1.5", "-0.5", "-1e-9", "-9007199254740993", '"1e400"', '""', '"never"', '"2099-01-01T00:00:00Z"', '"9999999999 "', "false",
    "[]", "[9999999999]", "{}", '{"$numberLong":"9999999999"}',
]  # fmt: skip
LONG_AGO = ["0", "-0", "-0.0", "-0e0", "-0E+5", "0e400", "0.0", "1e-400", "1e-5", "1", "1e0", "0.1e1", "1." + "0" * 100_000 + "1",
    "100000000000e-11", "1e00000000000000000009", "1099511627776e-3"]


def dated(name, value):
    return with_member(without(name), f'"{name}":{value}')


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_dates_that_are_none(target, name):
    cases = [(value[:30], "malformed", target.signed(payload=dated(name, value))) for value in NO_JSON_NUMBERS]
    cases += [(value, "invalid_claim", target.signed(payload=dated(name, value))) for value in NO_DATES]
    target.is_refused(cases)


def test_dates_long_ago(target):
    """Zero and less than nothing have many spellings."""
    target.is_refused([(value[:30], "expired", target.signed(payload=dated("exp", value))) for value in LONG_AGO])
    for value in LONG_AGO:
        target.is_active(target.signed(payload=dated("nbf", value)))


def test_dates_at_the_edge(target):
    now = tokens.now_s()
    cases = [
        ("this second", "expired", target.signed(payload=dated("exp", now))),
        ("half a second ago", "expired", target.signed(payload=dated("exp", f"{now - 1}.5"))),
        ("in exponents", "expired", target.signed(payload=dated("exp", f"{now - 5}0e-1"))),
        ("from tomorrow", "not_yet_valid", target.signed(payload=dated("nbf", f"{now + 86400}.25"))),
        ("from the last second", "not_yet_valid", target.signed(payload=dated("nbf", "253402300799"))),
    ]
    for member in ("Exp", "EXP", "exp ", " exp", "expires", "expires_in", "e\u0445p"):
        cases.append((f"member {member!r}", "missing_expiry", target.signed(payload={**without("exp"), member: now + 3600})))
    cases.append(("in the header", "missing_expiry", target.signed({"alg": "HS256", "kid": "oct", "exp": now + 3600}, without("exp"))))
    target.is_refused(cases)
    for value in (f"{now + 3600}.5", f"{now + 3600}e0", f"{now + 3600}0e-1", "2.53402300799e11", f"{now + 3600}." + "0" * 5000 + "1"):
        target.is_active(target.signed(payload=dated("exp", value)))


def test_huge_numbers_elsewhere(target):
    """Nobody looks at them, but JSON with a number that no double holds is read differently by everybody."""
    for text in ("1e400", "-1e400", "9" * 400, "9223372036854775808", "[1e999]", '{"a":1e400}'):
        target.is_refused([(text[:30], "malformed", target.signed(payload=with_member(claims(), f'"x":{text}')))])
    for text in ("1e308", "-0", "9223372036854775807", "-9223372036854775808", "1e-400", "0." + "3" * 100_000):
        target.is_active(target.signed(payload=with_member(claims(), f'"x":{text}')))
