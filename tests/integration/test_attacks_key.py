"""Which key verifies is the config's choice: not a key or an address in the header, not a hostile `kid`, not another issuer's key."""

import base64
import hashlib
import json
import socket

import pytest

from harness import attacks, tokens
from harness.attacks import PUBLIC, SECOND, SECRET, Target, certificate_of, claims, hmac_token
from harness.tokens import b64url, public_jwk


@pytest.fixture(scope="module")
def target(world, start_module_server):
    return Target(world, start_module_server)


@pytest.fixture
def listener():
    """Where an attacker would wait for a key to be fetched."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def by_attacker(target, header, algorithm="RS256", payload=None):
    """Signed by a key that the issuer does not know; a header member that is None is left out."""
    header = {"alg": algorithm, "kid": tokens.KEY_OF_ALGORITHM[algorithm], "typ": "JWT", **header}
    header = {name: value for name, value in header.items() if value is not None}
    key = target.keys["stranger-" + tokens.KEY_OF_ALGORITHM[algorithm]]
    return tokens.sign_raw(key, algorithm, header, claims(PUBLIC) if payload is None else payload)


# Keys and addresses in the header


def test_key_in_the_header(target):
    """RFC 8725 section 3.10."""
    cases = []
    for algorithm in ("RS256", "PS256", "ES256", "EdDSA"):
        key = target.keys["stranger-" + tokens.KEY_OF_ALGORITHM[algorithm]]
        public = public_jwk(key)
        unnamed = {name: value for name, value in public.items() if name != "kid"}
        for name, member in [
            ("public", public), ("without kid", unnamed), ("private", tokens.private_jwk(key)), ("as text", json.dumps(public)),
            ("set", {"keys": [public]}), ("list", [public]),
            ("for verification", {**public, "alg": algorithm, "use": "sig", "key_ops": ["verify"]}),
        ]:  # fmt: skip
            cases.append((f"{algorithm} {name}", "bad_signature", by_attacker(target, {"jwk": member}, algorithm)))
            cases.append((f"{algorithm} {name}, no kid", "bad_signature", by_attacker(target, {"jwk": member, "kid": None}, algorithm)))
        cases.append((f"{algorithm} kid of its own", "unknown_key",
            by_attacker(target, {"jwk": {**public, "kid": "mine"}, "kid": "mine"}, algorithm)))
    symmetric = target.keys["stranger-oct"]
    secret = tokens.unb64url(symmetric["k"])
    for issuer, kid, reason in ((PUBLIC, "oct", "unknown_key"), (PUBLIC, None, "unknown_key"), (SECRET, "oct", "bad_signature"),
        (SECRET, None, "bad_signature")):
        header = {"alg": "HS256", "jwk": tokens.private_jwk(symmetric), **({} if kid is None else {"kid": kid})}
        cases.append((f"symmetric, {issuer}, {kid}", reason, hmac_token(secret, header, claims(issuer))))
    target.is_refused(cases)


def test_certificate_in_the_header(target):
    der = certificate_of(target.keys["stranger-rsa"])["certificate-der"]
    chain = [base64.b64encode(der).decode()]
    thumbprints = {"x5t": b64url(hashlib.sha1(der).digest()), "x5t#S256": b64url(hashlib.sha256(der).digest())}
    headers = [{"x5c": chain}, {"x5c": chain[0]}, {"x5c": chain * 3}, {"x5c": chain, **thumbprints}, thumbprints,
        {"x5c": chain, "jwk": public_jwk(target.keys["stranger-rsa"])}]
    cases = []
    for header in headers:
        cases.append((f"{list(header)}", "bad_signature", by_attacker(target, header)))
        cases.append((f"{list(header)}, no kid", "bad_signature", by_attacker(target, {**header, "kid": None})))
        cases.append((f"{list(header)}, kid of its own", "unknown_key", by_attacker(target, {**header, "kid": thumbprints["x5t"]})))
    target.is_refused(cases)


def test_nothing_is_fetched_from_where_a_token_says(target, listener):
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    cases = []
    for name in ("jku", "x5u", "iss", "url", "jwks_uri", "openid_configuration"):
        for url in (f"{base}/jwks.json", f"{base}/.well-known/openid-configuration", base.replace("http:", "https:") + "/jwks.json",
            f"//{base[7:]}/jwks.json"):
            cases.append((f"{name} {url}", "bad_signature", by_attacker(target, {name: url})))
        cases.append((f"{name} list", "bad_signature", by_attacker(target, {name: [f"{base}/jwks.json"]})))
        cases.append((f"{name} no kid", "bad_signature", by_attacker(target, {name: f"{base}/jwks.json", "kid": None})))
        cases.append((f"{name} other kid", "unknown_key", by_attacker(target, {name: f"{base}/jwks.json", "kid": "other"})))
    cases.append(("kid", "unknown_key", by_attacker(target, {"kid": f"{base}/jwks.json", "jku": f"{base}/jwks.json"})))
    for issuer in (base, base + "/", f"{PUBLIC}@{base[7:]}", f"{base}/{PUBLIC}"):
        cases.append((f"iss {issuer}", "wrong_issuer", by_attacker(target, {}, payload=claims(issuer, jwks_uri=f"{base}/jwks.json"))))
    target.is_refused(cases)
    target.is_never_fetched(listener)


def test_listener_that_is_asked_is_noticed(target, listener):
    """The proof above can fail."""
    with socket.create_connection(listener.getsockname()):
        with pytest.raises(AssertionError, match="something was fetched"):
            target.is_never_fetched(listener)


def test_good_token_stays_good_whatever_its_header_points_to(target, listener):
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/jwks.json"
    stranger = public_jwk(target.keys["stranger-rsa"])
    target.is_active(target.token("RS256", header={"jku": url, "x5u": url, "jwk": stranger, "x5c": ["AAAA"], "x5t": "AAAA"}))
    target.is_never_fetched(listener)


# A hostile kid

HOSTILE_KIDS = [
    "../../dev/null", "../../../../../../../../dev/null", "/dev/null", "/dev/stdin", "/proc/self/environ", "..\\..\\nul",
    "C:\\Windows\\win.ini",
    "file:///dev/null", "%2e%2e%2fdev%2fnull", "..%c0%af..%c0%afdev/null", "attacked-secret.json", "./rsa", "rsa/../rsa", "/rsa", "rsa/",
    "rsa.pem",
    "' OR '1'='1", "rsa' OR 1=1 --", "rsa'--", "x' UNION SELECT 'AAAA';--", "'; DROP TABLE keys; --", '" or ""="', "rsa\\' OR 1=1",
    "|cat /dev/null", "; true", "$(true)", "`true`", "${jndi:ldap://127.0.0.1/a}", "{{7*7}}", "<script>alert(1)</script>", "%s%s%s%n%n%n",
    "%00", "rsa%00",
    "rsa\n", "\nrsa", "rsa\r\nX-Injected: 1", 'x"}\n{"event":"forged"}', "rsa ", " rsa", "\trsa", "RSA", "rSa", "rs", "rsaa", "rsa,p256",
    "*", "rs?", "r.*", "^rsa$",
    "\uff52\uff53\uff41", "rsa\u200b", "\u202ersa", "rsa\u0301", "\ufeffrsa", "r\u0455a", "\U0001f511", "\u001b[2J", "\u007f",
    "__proto__", "constructor", "toString", "null", "undefined", "true", "0", "1", "-1", "NaN", "None", "[object Object]",
]  # fmt: skip


def test_hostile_kid(target):
    """Where a key would be read by its name, /dev/null is an empty secret, and SQL is any secret."""
    cases = []
    for kid in HOSTILE_KIDS:
        cases.append((repr(kid), "unknown_key", by_attacker(target, {"kid": kid})))
        cases.append((f"{kid!r}, empty secret", "unknown_key", hmac_token(b"", {"alg": "HS256", "kid": kid}, claims(SECRET))))
        cases.append((f"{kid!r}, good key", "unknown_key",
            tokens.sign_raw(target.keys["rsa"], "RS256", {"alg": "RS256", "kid": kid}, claims(PUBLIC))))
    cases.append(("SQL's answer as secret", "unknown_key",
        hmac_token(b"AAAA", {"alg": "HS256", "kid": "x' UNION SELECT 'AAAA';--"}, claims(SECRET))))
    target.is_refused(cases, logged=False)
    target.is_refused(cases[::3], explained=False)
    assert target.server.find_log(event="forged") == []
    logged = {line["kid"] for line in target.server.find_log(event="token_inactive", reason="unknown_key")}
    assert logged >= {"../../dev/null", 'x"}\n{"event":"forged"}'}


def test_kid_that_is_no_text(target):
    """Signed by the key that would be found if the kid were ignored."""
    values = ["null", "true", "false", "0", "1", "-1", "1e400", "1.5", "[]", '["oct"]', "{}", '{"oct":"oct"}', '{"kid":"oct"}', "[[]]",
        '[null,"oct"]']
    cases = [(value, "malformed", target.signed(b'{"alg":"HS256","kid":' + value.encode() + b"}")) for value in values]
    for text in ('"oct\\u0000"', '"\\u0000"', '"oct\\u0000x"', '"\\u0000oct"', '"oct', '"o\\ct"', '"\\ud800oct"', "oct", "'oct'",
        '"oc" "t"'):
        cases.append((text, "malformed", target.signed(b'{"alg":"HS256","kid":' + text.encode() + b"}")))
    cases.append(("raw NUL", "malformed", target.signed(b'{"alg":"HS256","kid":"oct\0"}')))
    cases.append(("raw newline", "malformed", target.signed(b'{"alg":"HS256","kid":"oct\n"}')))
    cases.append(("two", "malformed", target.signed(b'{"alg":"HS256","kid":"oct","kid":"oct"}')))
    cases.append(("two, one escaped", "malformed", target.signed(rb'{"alg":"HS256","kid":"x","k\u0069d":"oct"}')))
    target.is_refused(cases)
    target.is_active(target.signed(rb'{"alg":"HS256","kid":"\u006fct"}'))


@pytest.mark.parametrize("character", ["k", "'", "/", "\u6771", "\x01"], ids=["letter", "quote", "slash", "escaped", "control"])
def test_kid_of_a_mebibyte(target, character):
    """Refused like any other, and named in the log by its beginning alone."""
    kid = character * ((1 << 20) // len(json.dumps(character)[1:-1]))
    token = by_attacker(target, {"kid": kid}, "ES256")
    assert len(token) > 1 << 20
    target.is_refused([("attacker's", "unknown_key", token)])
    with_good_key = tokens.sign_raw(target.keys["oct"], "HS256", {"alg": "HS256", "kid": "oct" + kid}, claims(SECRET))
    target.is_refused([("good key", "unknown_key", with_good_key)])
    for line in target.server.find_log(token=tokens.token_name(token)):
        assert line["kid"] and kid.startswith(line["kid"]) and len(line["kid"]) <= 256, line


# Another issuer's good key


def test_token_of_another_issuer(target):
    """RFC 8725 section 3.8: a key speaks for its own issuer alone, also when both use the same kid."""
    second, only = target.keys["second"], target.keys["second-only"]
    cases = [
        ("same kid", "bad_signature", tokens.sign(second, "RS256", claims(PUBLIC))),
        ("no kid", "bad_signature", tokens.sign(second, "RS256", claims(PUBLIC), kid=None)),
        ("the other way", "bad_signature", tokens.sign(target.keys["rsa"], "RS256", claims(SECOND))),
        ("the other way, no kid", "bad_signature", tokens.sign(target.keys["rsa"], "RS256", claims(SECOND), kid=None)),
        ("kid of the other alone", "unknown_key", tokens.sign(only, "ES256", claims(PUBLIC))),
        ("kid taken over", "bad_signature", tokens.sign(only, "ES256", claims(PUBLIC), kid="p256")),
        ("issuer in the header", "bad_signature", tokens.sign(second, "RS256", claims(PUBLIC), iss=SECOND)),
        ("issuer in the header, the other way", "bad_signature", tokens.sign(target.keys["rsa"], "RS256", claims(SECOND), iss=PUBLIC)),
        ("secret of another", "unknown_key", tokens.sign(target.keys["oct"], "HS256", claims(PUBLIC))),
        ("secret of another, no kid", "unknown_key", tokens.sign(target.keys["oct"], "HS256", claims(PUBLIC), kid=None)),
        ("algorithm of another", "algorithm_not_allowed", tokens.sign(target.keys["oct"], "HS256", claims(SECOND))),
    ]
    target.is_refused(cases)
    target.is_active(tokens.sign(second, "RS256", claims(SECOND)))
    target.is_active(tokens.sign(only, "ES256", claims(SECOND)))


ISSUERS = [
    f'["{PUBLIC}"]', f'["{PUBLIC}","{SECOND}"]', f'{{"{PUBLIC}":true}}', "null", "true", "0", '""', f'"{PUBLIC}/"', f'"{PUBLIC} "',
    f'" {PUBLIC}"',
    f'"{PUBLIC.upper()}"', '"https://public.attacks.example:443"', '"https://PUBLIC.attacks.example"', '"http://public.attacks.example"',
    f'"{PUBLIC}?"', f'"{PUBLIC}#"', f'"{PUBLIC}/."', f'"{PUBLIC}."', f'"{PUBLIC}.evil.example"', f'"https://evil.example/{PUBLIC}"',
    f'"{PUBLIC},{SECOND}"',
    f'"{PUBLIC} {SECOND}"', '"https://public.attacks.exampl"', '"https://publi\u0441.attacks.example"', f'"{PUBLIC}\\n"', f'"{PUBLIC}\\t"',
    '"*"', '"https://*"', '".*"',
]  # fmt: skip


def test_issuer_that_is_almost_ours(target):
    """Signed by the key of the issuer that it almost is."""
    cases = []
    for issuer in ISSUERS:
        payload = attacks.with_member(claims(PUBLIC, iss=None), f'"iss":{issuer}')
        cases.append((issuer, "wrong_issuer", tokens.sign_raw(target.keys["p256"], "ES256", {"alg": "ES256", "kid": "p256"}, payload)))
    for name in ("Iss", "ISS", "iss ", " iss", "issuer", "i\u0455s"):
        payload = {**claims(PUBLIC, iss=None), name: PUBLIC}
        cases.append((f"member {name!r}", "wrong_issuer", tokens.sign(target.keys["p256"], "ES256", payload)))
    cases.append(("nested", "wrong_issuer", tokens.sign(target.keys["p256"], "ES256", {"claims": claims(PUBLIC)})))
    target.is_refused(cases)
    escaped = attacks.with_member(claims(PUBLIC, iss=None), '"\\u0069ss":"' + PUBLIC.replace("/", "\\/").replace("p", "\\u0070") + '"')
    target.is_active(tokens.sign_raw(target.keys["p256"], "ES256", {"alg": "ES256", "kid": "p256"}, escaped))


def test_good_token_inside_one_of_the_attacker(target):
    """Nothing of the inner one counts."""
    inner = target.token("RS256")
    for header in ({}, {"cty": "JWT"}):
        cases = [("claim", "bad_signature", by_attacker(target, header, payload=claims(PUBLIC, token=inner)))]
        target.is_refused(cases)
