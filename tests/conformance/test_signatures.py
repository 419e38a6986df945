"""Classes of wrong signatures and wrong spellings, for every algorithm, through `introspectd verify`."""

import itertools
import string

import pytest
import signatures
from cryptography.hazmat.primitives.asymmetric import rsa as rsa_keys
from harness import tokens
from harness.tokens import ALGORITHMS, KEY_OF_ALGORITHM, SIGNERS
from signatures import SIGNATURE_BYTES, RsaKey, signing_input, token_of

BAD = "refused bad_signature"
MALFORMED = "refused malformed"
ECDSA = ("ES256", "ES384", "ES512")
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"

each_signer = pytest.mark.parametrize("algorithm, kid", SIGNERS, ids=lambda value: value)


@pytest.fixture(scope="module")
def keys():
    return {kid: tokens.generate_key(kid, kid=kid) for kid in ("rsa", "oct", "p256", "p384", "p521", "ed25519", "ed448")}


@pytest.fixture(scope="module")
def public(keys):
    return [tokens.public_jwk(key) for kid, key in keys.items() if kid != "oct"]


@pytest.fixture
def judge_signatures(keys, public, judge):
    def judge_signatures(kid, token, made, also=()):
        """Each of the named signatures is bad; the token itself is good."""
        cases = [("good", token, "ok"), *also, *[(name, tokens.with_signature(token, signature), BAD) for name, signature in made]]
        assert len(cases) > 2
        judge([tokens.public_jwk(keys["oct"])] if kid == "oct" else public, cases)

    return judge_signatures


@each_signer
def test_every_wrong_length(keys, judge_signatures, algorithm, kid):
    token = token_of(keys[kid], algorithm)
    good = tokens.signature_of(token)
    assert len(good) == SIGNATURE_BYTES[kid if algorithm == "EdDSA" else algorithm]
    judge_signatures(kid, token, [*signatures.of_other_lengths(good), *signatures.uniform(len(good))])


@each_signer
def test_every_changed_byte(keys, judge_signatures, algorithm, kid):
    token = token_of(keys[kid], algorithm)
    good = tokens.signature_of(token)
    changed = [(f"byte {at}", good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :]) for at in range(len(good))]
    judge_signatures(kid, token, changed)


@pytest.mark.parametrize("algorithm", ECDSA)
def test_ecdsa_numbers(keys, judge_signatures, algorithm):
    kid = KEY_OF_ALGORITHM[algorithm]
    for _ in range(4):
        token = token_of(keys[kid], algorithm)
        good = tokens.signature_of(token)
        other_half = tokens.with_signature(token, signatures.other_half(algorithm, good))
        judge_signatures(kid, token, signatures.ecdsa(algorithm, good), [("n - s", other_half, "ok")])


@pytest.mark.parametrize("kid", signatures.EDWARDS)
def test_eddsa_numbers(keys, judge_signatures, kid):
    token = token_of(keys[kid], "EdDSA")
    judge_signatures(kid, token, signatures.eddsa(kid, tokens.signature_of(token)))


@pytest.mark.parametrize("algorithm", RSA)
def test_rsa_numbers(keys, judge_signatures, algorithm):
    """Also a signature with the modulus added, which only some are small enough for."""
    rsa = RsaKey(keys["rsa"])
    for attempt in range(64):
        token = token_of(keys["rsa"], algorithm, b'{"attempt":%d}' % attempt)
        made = list(signatures.rsa_numbers(rsa, tokens.signature_of(token)))
        if any(name == "s+n" for name, _ in made):
            break
    judge_signatures("rsa", token, made)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_pkcs1_blocks(keys, judge_signatures, algorithm):
    rsa, token = RsaKey(keys["rsa"]), token_of(keys["rsa"], algorithm)
    right = rsa.raw(signatures.pkcs1_block(rsa, algorithm, signing_input(token)))
    assert right == tokens.signature_of(token)
    judge_signatures("rsa", token, signatures.pkcs1(rsa, algorithm, signing_input(token)))


@pytest.mark.parametrize("algorithm", ["PS256", "PS384", "PS512"])
def test_pss_parameters(keys, judge_signatures, algorithm):
    token = token_of(keys["rsa"], algorithm)
    judge_signatures("rsa", token, signatures.pss(RsaKey(keys["rsa"]), algorithm, signing_input(token)))


def test_forgery_for_the_exponent_3(judge):
    private = rsa_keys.generate_private_key(public_exponent=3, key_size=2048)
    key = tokens.jwk.JWK.from_pyca(private)
    key.update(kid="three")
    token = token_of(key, "RS256")
    forged = signatures.forged_for_exponent_3(256, "RS256", signing_input(token))
    verdicts = judge([tokens.public_jwk(key)], [("good", token, "ok"), ("forged", tokens.with_signature(token, forged), BAD)])
    assert [note["kind"] for note in verdicts.notes] == ["warning"]


# Keys and algorithms


def fits(kid, algorithm):
    return KEY_OF_ALGORITHM[algorithm] == kid or (kid == "ed448" and algorithm == "EdDSA")


@pytest.mark.parametrize("with_kid", [True, False], ids=["kid", "no-kid"])
def test_each_algorithm_under_each_key(keys, public, judge, with_kid):
    """Signed well by the key in an algorithm of its own, and named as another."""
    for jwks, kids in ((public, [kid for kid in keys if kid != "oct"]), ([tokens.public_jwk(keys["oct"])], ["oct"])):
        cases = []
        for own, kid in [signer for signer in SIGNERS if signer[1] in kids]:
            for named in ALGORITHMS:
                header = {"alg": named, "kid": kid} if with_kid else {"alg": named}
                found = fits(kid, named) if with_kid else any(fits(each, named) for each in kids)
                expected = "ok" if named == own else BAD if found else "refused unknown_key"
                cases.append((f"{own} as {named} by {kid}", tokens.sign_raw(keys[kid], own, header, {}), expected))
        judge(jwks, cases)


def test_names_that_are_no_algorithm(keys, public, judge):
    """Signed well, so that nothing else is wrong with them."""
    spellings = {"".join(letters) for letters in itertools.product(*[(c, c.upper()) for c in "none"])}
    names = sorted(spellings) + ["", " none", "none ", "null", "NULL", "ES256K", "ES256 ", " ES256", "ES256\0", "ES256,none", "RS1", "HS1"]
    names += ["RSA1_5", "dir", "A256GCM", "Ed25519", "Ed448", "RSASSA-PSS", "SHA256", "HMAC"]
    names += [change(algorithm) for algorithm in ALGORITHMS for change in (str.lower, str.capitalize, str.swapcase)]
    cases = []
    for name in set(names) - set(ALGORITHMS):
        expected = (MALFORMED, "refused algorithm_not_allowed") if "\0" in name else "refused algorithm_not_allowed"
        cases.append((name, tokens.sign_raw(keys["p256"], "ES256", {"alg": name, "kid": "p256"}, {}), expected))
        cases.append((f"{name}, unsigned", tokens.with_signature(cases[-1][1], b""), expected))
    for value in (None, 1, True, ["ES256"], {"alg": "ES256"}):
        cases.append((repr(value), tokens.sign_raw(keys["p256"], "ES256", {"alg": value, "kid": "p256"}, {}), MALFORMED))
    judge(public, cases)


# Spellings


def with_part(token, place, part):
    parts = token.split(".")
    parts[place] = part
    return ".".join(parts)


@each_signer
def test_other_spellings(keys, public, judge, algorithm, kid):
    """Three payloads, so that each part has each possible number of unused bits."""
    cases = []
    for payload in (b'{"a":1}', b'{"a":12}', b'{"a":123}'):
        token = token_of(keys[kid], algorithm, payload)
        cases.append(("good", token, "ok"))
        for place, part in enumerate(token.split(".")):
            put = [("=", part + "="), ("==", part + "=="), ("=3", part + "===")]
            put += [(f"{c!r} at {at}", part[:at] + c + part[at:]) for c in "=+/ \t%,~\0\x7f\xe9" for at in (0, len(part) // 2, len(part))]
            put += [(f"carriage return at {at}", part[:at] + "\r" + part[at:]) for at in (0, len(part) // 2)]
            # The same bytes again, with unused bits that are not zero.
            unused = {2: 4, 3: 2, 0: 0}[len(part) % 4]
            put += [(f"trailing bits {bits}", part[:-1] + ALPHABET[ALPHABET.index(part[-1]) | bits]) for bits in range(1, 1 << unused)]
            put += [("impossible length", part + "A" * ((1 - len(part)) % 4))]
            cases += [(f"part {place}: {name}", with_part(token, place, other), MALFORMED) for name, other in put]
            cases.append((f"part {place} doubled", with_part(token, place, part + part), (MALFORMED, BAD)))
            cases.append((f"part {place} empty", with_part(token, place, ""), MALFORMED if place == 0 else BAD))
        cases += [(name, text, MALFORMED) for name, text in [
            ("dot before", "." + token), ("dot behind", token + "."), ("two", token + "." + token),
            ("two parts", token.rsplit(".", 1)[0]), ("one part", token.split(".")[0]), ("nothing", ""), ("dots", ".."),
            ("quoted", f'"{token}"'),
            ("space before", " " + token), ("space behind", token + " "), ("scheme", "Bearer " + token),
        ]]  # fmt: skip
        cases += [("five parts", token + ".AA.AA", "refused encrypted"), ("joined", token + token, "refused encrypted")]
    judge([tokens.public_jwk(keys["oct"])] if kid == "oct" else public, cases)
