"""
Tokens with a `kid` that the issuer's set does not have: an attacker's flood of them costs the provider next to nothing, and the keys of a
real rotation are there within one cooldown all the same.
"""

import math
import os
import threading
import time

import pytest

from harness import expect, fetched, tokens
from harness.authority import Authority
from harness.endpoint import FORM, basic, form_body
from harness.http1 import request_bytes
from harness.provider import Provider, answer, gated
from harness.server import wait_until
from harness.world import AUDIENCE

FLOOD = int(os.environ.get("INTROSPECTD_TEST_FLOOD", 100_000))
CONNECTIONS = 4
PIPELINED = 50
COOLDOWN_S = 2
SLACK_S = 3  # what a busy machine may add to a cooldown

OLD_KEY, NEW_KEY, NEWEST_KEY = (fetched.new_key(kid) for kid in ("old", "new", "newest"))


@pytest.fixture(scope="module")
def provider():
    authority = Authority()
    with Provider(authority.issue()) as made:
        made.authority = authority
        yield made


class Fetched:
    """A server with issuers whose keys are only fetched because of tokens, and one that nobody disturbs."""

    def __init__(self, running, provider, world):
        self.running, self.provider, self.world = running, provider, world
        self.h1 = running.endpoints["h1"]

    @staticmethod
    def issuer(name):
        return f"https://{name}.example.com"

    def introspect(self, name, key=OLD_KEY, connection=None, **options):
        return self.h1.introspect(fetched.token(key, self.issuer(name), **options), self.world.rfc, connection=connection)

    def is_active(self, name, key=OLD_KEY, connection=None, **options):
        response = self.introspect(name, key, connection, **options)
        assert response.status == 200, response
        return expect.parse_json(response.body)["active"]

    def starts(self, name):
        return [request.started_s for request in self.provider.requests(f"/{name}")]


NAMES = ("flood", "busy", "rotation", "late", "many-unknown", "calm", "kidless", "few-tried", "broken")


@pytest.fixture(scope="module")
def served(world, provider, start_module_server):
    entries = []
    for name in NAMES:
        provider.serve(f"/{name}", answer(tokens.jwks(OLD_KEY)))
        more = {"max_keys_tried": 3} if name in ("kidless", "few-tried") else {}
        entries.append(fetched.issuer(Fetched.issuer(name), provider.url(f"/{name}"), cooldown=f"{COOLDOWN_S}s", **more))
    running = start_module_server(fetched.config(world, entries), {"ca.pem": provider.authority.pem})
    wait_until(lambda: fetched.readyz(running)[0] == 200)
    return Fetched(running, provider, world)


def template(issuer):
    """A token's parts without the header; nobody has signed it."""
    payload = tokens.b64url(tokens.json_bytes(tokens.claims(issuer, AUDIENCE)))
    return payload + "." + tokens.b64url(os.urandom(64))


def bogus_token(rest, i):
    return tokens.b64url(b'{"alg":"ES256","typ":"JWT","kid":"bogus-%d"}' % i) + "." + rest


class Flood:
    """Bogus tokens, pipelined on a few connections; every answer is looked at."""

    def __init__(self, served, name, count):
        self.served = served
        self.rest = template(served.issuer(name))
        self.inactive = 0
        self.wrong = []
        self.lock = threading.Lock()
        parts = [range(i, count, CONNECTIONS) for i in range(CONNECTIONS)]
        self.threads = [threading.Thread(target=self.send, args=(part,), daemon=True) for part in parts]

    def send(self, numbers):
        client = self.served.world.rfc
        headers = [basic(client.client_id, client.secret), ("Content-Type", FORM)]
        try:
            with self.served.h1.connect() as connection:
                for begin in range(0, len(numbers), PIPELINED):
                    batch = numbers[begin : begin + PIPELINED]
                    bodies = [form_body(("token", bogus_token(self.rest, i))) for i in batch]
                    connection.send(b"".join(request_bytes("POST", "/introspect", headers, body) for body in bodies))
                    answers = [connection.read_response() for _ in batch]
                    good = sum(1 for a in answers if a.status == 200 and a.body == b'{"active":false}')
                    with self.lock:
                        self.inactive += good
                        if good != len(answers):
                            self.wrong += [a for a in answers if a.status != 200 or a.body != b'{"active":false}'][:3]
        except Exception as error:
            with self.lock:
                self.wrong.append(error)

    def start(self):
        self.started_s = time.monotonic()
        for thread in self.threads:
            thread.start()

    def is_over(self):
        return not any(thread.is_alive() for thread in self.threads)

    def progress(self):
        with self.lock:
            return self.inactive


def assert_spaced(starts, least_s):
    """No two come at once. On a busy machine the provider notices one fetch later than the next."""
    gaps = [later - earlier for earlier, later in zip(starts, starts[1:])]
    assert all(gap > least_s for gap in gaps), gaps


def test_flood(served, record_property, capsys):
    """100 000 distinct bogus kids; good tokens stay active, and a rotation in the midst of it is seen within one cooldown."""
    path_count = len(served.starts("flood"))
    assert path_count == 1
    flood = Flood(served, "flood", FLOOD)
    flood.start()
    good = rotated_s = longest_gap_s = 0
    slowest_good_s = 0.0
    with served.h1.connect() as connection:
        while not flood.is_over():
            asked_s = time.monotonic()
            assert served.is_active("flood", connection=connection)
            slowest_good_s = max(slowest_good_s, time.monotonic() - asked_s)
            good += 1
            time.sleep(0.01)  # the flood is to have the machine
            if not rotated_s and flood.progress() > FLOOD // 4:
                served.provider.serve("/flood", answer(tokens.jwks(NEW_KEY, OLD_KEY)))
                rotated_s = time.monotonic()
                while not served.is_active("flood", NEW_KEY, connection):
                    assert time.monotonic() - rotated_s < 20
                picked_up_s = time.monotonic() - rotated_s
    elapsed_s = time.monotonic() - flood.started_s
    ended_s = time.monotonic()
    assert flood.wrong == [] and flood.inactive == FLOOD
    assert rotated_s and good > 10

    starts = [start for start in served.starts("flood")[1:] if start < ended_s]
    fetches = len(starts)
    longest_gap_s = max(later - earlier for earlier, later in zip([flood.started_s, *starts], [*starts, ended_s]))
    figures = (
        f"{FLOOD} tokens with distinct bogus kids in {elapsed_s:.1f} s, {fetches} fetches at a cooldown of {COOLDOWN_S} s; "
        f"rotation in the midst picked up after {picked_up_s:.2f} s; {good} good tokens in between, the slowest in {slowest_good_s:.2f} s"
    )
    record_property("flood", figures)
    with capsys.disabled():
        print(f"\n{figures}")
    assert 1 <= fetches <= 1 + math.ceil(elapsed_s / COOLDOWN_S)
    assert_spaced(served.starts("flood")[1:], 0.5 * COOLDOWN_S)
    assert longest_gap_s < COOLDOWN_S + SLACK_S
    assert picked_up_s < COOLDOWN_S + SLACK_S
    assert served.provider.most_at_once("/flood") == 1

    reasons = {event["reason"] for event in served.running.server.find_log(event="token_inactive", issuer=served.issuer("flood"))}
    assert reasons == {"unknown_key"}
    assert len(served.starts("calm")) == 1, "another issuer's keys were fetched"


def test_no_request_waits_for_a_fetch(served, provider):
    """While the provider does not answer: unknown kids are inactive, known ones active, other issuers served; one fetch at a time."""
    gate = threading.Event()
    provider.serve("/busy", gated(gate, answer(tokens.jwks(NEW_KEY, OLD_KEY))))
    before = provider.count("/busy")
    try:
        with served.h1.connect() as connection:
            assert not served.is_active("busy", NEW_KEY, connection)
            wait_until(lambda: provider.count("/busy") == before + 1)
            blocked_s = time.monotonic()
            while time.monotonic() < blocked_s + COOLDOWN_S + 0.5:
                assert not served.is_active("busy", NEW_KEY, connection)
                assert not served.is_active("busy", NEWEST_KEY, connection)
                assert served.is_active("busy", connection=connection)
                assert served.is_active("calm", connection=connection)
            assert provider.requests("/busy")[-1].ended_s is None, "the fetch was to be going on"
    finally:
        gate.set()
    wait_until(lambda: served.is_active("busy", NEW_KEY))
    assert provider.most_at_once("/busy") == 1


def test_a_token_that_was_refused_becomes_active(served, provider):
    """The very token, asked for again and again: its refusal is not kept beyond the fetch."""
    token = fetched.token(NEW_KEY, served.issuer("rotation"))
    provider.serve("/rotation", answer(tokens.jwks(NEW_KEY, OLD_KEY)))
    asked_s = time.monotonic()
    longest_s = []
    for key in (None, NEWEST_KEY):
        if key is not None:  # a second rotation at once, so that the cooldown of the first has to be sat out
            provider.serve("/rotation", answer(tokens.jwks(NEWEST_KEY, NEW_KEY)))
            token = fetched.token(key, served.issuer("rotation"))
            asked_s = time.monotonic()
        body = served.h1.introspect(token, served.world.rfc).body
        assert expect.parse_json(body) == {"active": False}, "decided before the fetch could have ended"
        wait_until(lambda: expect.parse_json(served.h1.introspect(token, served.world.rfc).body)["active"])
        longest_s.append(time.monotonic() - asked_s)
    assert longest_s[0] < COOLDOWN_S, "nothing had been fetched for long: no cooldown to sit out"
    assert longest_s[1] < COOLDOWN_S + SLACK_S
    assert_spaced(served.starts("rotation")[1:], 0.5 * COOLDOWN_S)
    assert not served.is_active("rotation", OLD_KEY), "the key left with the second rotation"


def test_a_key_that_is_published_later_than_it_signs(served, provider):
    """The fetch that the token caused found the old set still: asked for again, it causes another one."""
    token = fetched.token(NEW_KEY, served.issuer("late"))
    for fetches in (2, 3):
        wait_until(lambda: not expect.parse_json(served.h1.introspect(token, served.world.rfc).body)["active"]
                   and provider.count("/late") == fetches, every_s=0.1)  # fmt: skip
    provider.serve("/late", answer(tokens.jwks(NEW_KEY, OLD_KEY)))
    published_s = time.monotonic()
    wait_until(lambda: expect.parse_json(served.h1.introspect(token, served.world.rfc).body)["active"])
    assert time.monotonic() - published_s < COOLDOWN_S + SLACK_S


def test_a_kid_that_is_never_there_stops_costing_fetches_when_nobody_asks(served, provider):
    """One token, one fetch."""
    assert not served.is_active("many-unknown", NEW_KEY)
    wait_until(lambda: provider.count("/many-unknown") == 2)
    # A whole cooldown later and more, with good tokens only:
    until_s = time.monotonic() + COOLDOWN_S + 1
    while time.monotonic() < until_s:
        assert served.is_active("many-unknown")
        time.sleep(0.1)
    assert provider.count("/many-unknown") == 2


def test_broken_signatures_fetch_nothing(served, provider):
    """A kid that is known settles the matter; so do tokens that are refused before a key is looked for."""
    stranger = fetched.new_key("old")
    for token in (
        fetched.token(stranger, served.issuer("calm")),
        fetched.token(OLD_KEY, served.issuer("calm"), exp=1),
        tokens.sign_raw(OLD_KEY, "ES256", {"alg": "ES256", "kid": "none", "crit": ["x"]}, {"iss": served.issuer("calm")}),
        tokens.sign(tokens.generate_key("oct", kid="none"), "HS256", tokens.claims(served.issuer("calm"), AUDIENCE)),
        fetched.token(NEW_KEY, "https://nobody.example.com"),
    ):
        expect.inactive(served.h1.introspect(token, served.world.rfc), 200)
    assert served.is_active("calm")
    until_s = time.monotonic() + 0.5
    while time.monotonic() < until_s:
        assert provider.count("/calm") == 1
        time.sleep(0.05)


def test_unknown_kids_while_the_provider_fails(served, provider):
    """Still one attempt a cooldown, and the good keys stay."""
    provider.serve("/broken", answer("", 500))
    until_s = time.monotonic() + 3 * COOLDOWN_S
    with served.h1.connect() as connection:
        while time.monotonic() < until_s:
            assert not served.is_active("broken", NEW_KEY, connection)
            assert served.is_active("broken", connection=connection)
    attempts = served.starts("broken")[1:]
    assert 2 <= len(attempts) <= 1 + 3 * 2, attempts
    assert_spaced(attempts, 0.75)


# Tokens without `kid`


def test_a_token_without_kid_is_tried_with_the_keys_that_fit(served, provider):
    others = [tokens.generate_key("rsa", kid="r1"), tokens.generate_key("p384", kid="e1"), tokens.generate_key("ed25519", kid="o1")]
    fitting = [fetched.new_key(kid) for kid in ("x1", None, "x2")]
    provider.serve("/kidless", answer(tokens.jwks(*others, *fitting)))
    for key in fitting:  # the first is not there yet
        wait_until(lambda: served.is_active("kidless", key, kid=None))
    rsa = tokens.sign(others[0], "RS256", tokens.claims(served.issuer("kidless"), AUDIENCE), kid=None)
    expect.is_active(served.h1.introspect(rsa, served.world.rfc))


def test_no_more_keys_are_tried_than_configured(served, provider):
    keys = [fetched.new_key(f"k{i}") for i in range(6)]
    provider.serve("/few-tried", answer(tokens.jwks(*keys)))
    wait_until(lambda: served.is_active("few-tried", keys[5]))
    active = [served.is_active("few-tried", key, kid=None) for key in keys]
    assert sum(active) == 3, active


def test_rotation_of_a_key_without_kid(served, provider):
    """Nothing in the token says that its key is a new one; it is seen within one cooldown all the same."""
    replacement = fetched.new_key(None)
    provider.serve("/kidless", answer(tokens.jwks(replacement)))
    asked_s = time.monotonic()
    assert not served.is_active("kidless", replacement, kid=None)
    wait_until(lambda: served.is_active("kidless", replacement, kid=None))
    assert time.monotonic() - asked_s < COOLDOWN_S + SLACK_S
    assert_spaced(served.starts("kidless")[1:], 0.5 * COOLDOWN_S)
