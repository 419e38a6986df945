"""
What introspectd accepts, others accept too: over 200,000 tokens derived from good ones, judged by `introspectd verify`; those that it
accepts are judged by python3-jwcrypto, npm jose and LibJWT as well, and a sample of the refused ones to see how many they take.
DIFFERENTIAL_SEED=N repeats a run's mutations (the keys and so the signatures are new each time).
"""

import collections
import json
import os
import pathlib
import random
import secrets
import tempfile

import pytest

import mutations
import verifiers
from signers import ALGORITHM_OF, CURVES, KIDS, ORDERS, SHARES, Signer, unb64url

WANTED = 205_000
GOOD_PER_SHARE = 260
RESIGNED = 12_000
SAMPLE = 3_000
MIN_TOKENS, MIN_ACCEPTED, MIN_REFUSED, MIN_ACCEPTED_PER_KEY = 200_000, 15_000, 150_000, 200

Mutant = collections.namedtuple("Mutant", "token kid kind must_be_good")


# Disagreements that are explained: (who refuses what introspectd accepts, class, whether a token is of it, why)


def header_of(mutant):
    return json.loads(unb64url(mutant.token.split(".")[0]))


def payload_is_object(mutant):
    try:
        return isinstance(json.loads(unb64url(mutant.token.split(".")[1])), dict)
    except ValueError:
        return False


EXPLAINED = [
    ("jose", "Ed448", lambda m: m.kid == "Ed448", "jose 6 has no Ed448 (WebCrypto has none everywhere)"),
    ("libjwt", "typ", lambda m: str(header_of(m).get("typ", "JWT")).upper() != "JWT",
     "libjwt 1.10 refuses every `typ` but JWT, at+jwt of RFC 9068 too"),
    ("libjwt", "payload", lambda m: not payload_is_object(m),
     "libjwt takes JWTs alone; `verify` judges any JWS, and claims are judged later"),
]


def make_good(rng, signers):
    made = {}
    for kid, signer in signers.items():
        for _ in range(SHARES[kid] * GOOD_PER_SHARE):
            token = mutations.good(rng, signer)
            made[token] = Mutant(token, kid, "signed again", True)
            if kid in CURVES:
                token = mutations.twin(token, kid)
                made[token] = Mutant(token, kid, "ECDSA twin", True)
    return made


def make_mutants(rng, signers):
    made = make_good(rng, signers)
    pools = {kid: [] for kid in KIDS}
    for mutant in list(made.values()):
        # The long ones are few enough to be judged, and too many to be copied two hundred thousand times.
        if len(mutant.token) < 2500:
            pools[mutant.kid].append(mutant.token)
    quick = ["HS256", "HS512", "ES256", "Ed25519", "RS256"]
    kids = rng.choices(KIDS, [SHARES[kid] for kid in KIDS], k=WANTED)
    for turn in range(WANTED * 2):
        if len(made) >= WANTED:
            break
        kid, breaks = kids[turn % WANTED], mutations.BREAKING
        if turn < RESIGNED:
            kid, breaks = quick[turn % 50 % 5 if turn % 50 < 5 else turn % 4], mutations.SIGNING
        signer, mutate = signers[kid], rng.choice(breaks)
        token = mutate(rng, signer, rng.choice(pools[kid]), rng.choice(pools[kid]))
        if "\n" not in token and token not in made:
            made[token] = Mutant(token, kid, mutate.__name__.replace("_", " "), False)
    made = list(made.values())
    rng.shuffle(made)
    return made


class Figures:
    pass


@pytest.fixture(scope="module")
def figures():
    verifiers.require_jose()
    with tempfile.TemporaryDirectory(prefix="introspectd-") as folder:  # a hundred megabytes
        return judge(pathlib.Path(folder))


def judge(folder):
    made = Figures()
    made.seed = int(os.environ.get("DIFFERENTIAL_SEED", secrets.randbits(32)))
    rng = random.Random(made.seed)
    made.signers = {kid: Signer(kid) for kid in KIDS}
    made.mutants = make_mutants(rng, made.signers)
    made.verdicts = verifiers.introspectd(folder, made.signers, made.mutants)
    made.accepted = [mutant for mutant, verdict in zip(made.mutants, made.verdicts) if verdict == "ok"]
    refused = [i for i, verdict in enumerate(made.verdicts) if verdict != "ok"]
    made.refused_count = len(refused)
    # A NUL or a carriage return would not reach every verifier as it is.
    sample = [i for i in rng.sample(refused, min(SAMPLE, len(refused))) if not set("\0\r") & set(made.mutants[i].token)]
    made.sampled = [(made.mutants[i], made.verdicts[i]) for i in sample]
    asked = made.accepted + [mutant for mutant, _ in made.sampled]
    jose = verifiers.Jose(folder, made.signers, asked)
    libjwt = verifiers.LibJwt(folder, verifiers.build_libjwt_verify(folder), made.signers, asked)
    made.opinions = {"jwcrypto": verifiers.jwcrypto(made.signers, asked), "jose": jose.result(), "libjwt": libjwt.result()}
    return made


def test_as_many_tokens_as_are_wanted(figures):
    assert len(figures.mutants) >= MIN_TOKENS and len({mutant.token for mutant in figures.mutants}) == len(figures.mutants)
    assert len(figures.accepted) >= MIN_ACCEPTED and figures.refused_count >= MIN_REFUSED
    per_key = collections.Counter(mutant.kid for mutant in figures.accepted)
    assert set(per_key) == set(KIDS) and min(per_key.values()) >= MIN_ACCEPTED_PER_KEY, per_key
    assert {ALGORITHM_OF[kid] for kid in per_key} == set(ALGORITHM_OF.values()) and len(set(ALGORITHM_OF.values())) == 13
    kinds = {mutant.kind for mutant in figures.mutants if not mutant.must_be_good}
    assert len(kinds) == len(mutations.BREAKING + mutations.SIGNING), kinds


def test_introspectd_accepts_what_is_signed_well_and_nothing_else(figures):
    wrong = [(m, verdict) for m, verdict in zip(figures.mutants, figures.verdicts) if m.must_be_good != (verdict == "ok")]
    assert wrong == [], f"seed {figures.seed}: {len(wrong)} verdicts, {wrong[:5]}"
    known = {"malformed", "encrypted", "critical_header", "algorithm_not_allowed", "unknown_key", "bad_signature"}
    seen = collections.Counter(verdict.removeprefix("refused ") for verdict in figures.verdicts if verdict != "ok")
    assert set(seen) == known, seen


def test_others_accept_what_introspectd_accepts(figures):
    unexplained, classes = [], collections.Counter()
    for name, opinions in figures.opinions.items():
        explanations = [(label, is_of_class) for who, label, is_of_class, _ in EXPLAINED if who == name]
        for mutant, is_accepted in zip(figures.accepted, opinions):
            if is_accepted is not False:
                continue
            label = next((label for label, is_of_class in explanations if is_of_class(mutant)), None)
            if label is None:
                unexplained.append((name, mutant))
            else:
                classes[name, label] += 1
    assert unexplained == [], f"seed {figures.seed}: {len(unexplained)} disagreements, {unexplained[:5]}"
    # An explanation that explains nothing any more is to be taken out.
    assert set(classes) == {(who, label) for who, label, _, _ in EXPLAINED}
    print_figures(figures, classes)


def print_figures(figures, classes):
    print(f"\nseed {figures.seed}: {len(figures.mutants)} tokens, {len(figures.accepted)} accepted, {figures.refused_count} refused")
    reasons = collections.Counter(verdict for verdict in figures.verdicts if verdict != "ok")
    print("  " + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()))
    for name, opinions in figures.opinions.items():
        asked = [opinion for opinion in opinions[: len(figures.accepted)] if opinion is not None]
        print(f"  {name}: agrees on {sum(asked)} of {len(asked)} accepted tokens")
        for (who, label), count in classes.items():
            if who == name:
                print(f"    {count} refused, class {label}: {next(why for w, l, _, why in EXPLAINED if (w, l) == (who, label))}")
    for name, opinions in figures.opinions.items():
        sampled = list(zip(figures.sampled, opinions[len(figures.accepted) :]))
        taken = collections.Counter(f"{verdict.removeprefix('refused ')} ({mutant.kind})"
            for (mutant, verdict), opinion in sampled if opinion)
        known = sum(opinion is not None for _, opinion in sampled)
        print(f"  {name}: accepts {sum(taken.values())} of {known} sampled tokens that introspectd refuses")
        for label, count in taken.most_common(12):
            print(f"    {count} {label}")


# The same for the sample of what introspectd refuses for its signature: (who accepts, class, whether a token is of it, why)
LENIENT = [
    ("jwcrypto", "length", lambda m: m.kid in CURVES and len(unb64url(m.token.split(".")[2])) != signature_len(m.kid),
     "jwcrypto cuts a signature of any length into halves; RFC 7518 section 3.4 fixes it"),
]  # fmt: skip


def signature_len(kid):
    return 2 * ((ORDERS[kid].bit_length() + 7) // 8)


def test_others_refuse_what_has_a_bad_signature(figures):
    """Where the text is good and the signature is not, there is nothing to be lenient about. LibJWT is known to read signatures loosely."""
    for name in ("jwcrypto", "jose"):
        opinions = figures.opinions[name][len(figures.accepted) :]
        wrong = [mutant for (mutant, verdict), opinion in zip(figures.sampled, opinions) if opinion and verdict == "refused bad_signature"]
        wrong = [mutant for mutant in wrong if not any(who == name and is_of_class(mutant) for who, _, is_of_class, _ in LENIENT)]
        assert wrong == [], f"seed {figures.seed}, {name}: {wrong[:5]}"
