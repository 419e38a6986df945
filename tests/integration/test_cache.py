"""Repeated tokens: the same answer, never for longer than the token lives, never for somebody else."""

import time

import pytest

from harness import expect, tokens
from harness.world import AUDIENCE, SYMMETRIC

CACHES = {
    "on": {"max_bytes": "64MiB", "stripes": 64, "max_ttl": "5m"},
    "off": {"max_bytes": 0},
    "tiny": {"max_bytes": "64KiB", "stripes": 1},
}


@pytest.fixture(scope="module", params=CACHES)
def h1(request, world, start_module_server):
    # One thread, so that every request meets the same queue and the same cache.
    return start_module_server(world.config(cache=CACHES[request.param], threads=1)).endpoints["h1"]


@pytest.mark.parametrize("client", ["private", "shared", "rfc"])
def test_the_second_answer_is_the_first(h1, world, client):
    client, good = getattr(world, client), world.token()
    bad = world.token(exp=1)
    with h1.connect() as connection:
        first, second, third = [h1.introspect(good, client, connection=connection) for _ in range(3)]
        expect.is_active(first)
        assert first.body == second.body == third.body
        assert [(n, v) for n, v in first.headers if n != "date"] == [(n, v) for n, v in second.headers if n != "date"]
        dead = [h1.introspect(bad, client, connection=connection) for _ in range(3)]
        for response in dead:
            expect.inactive(response, 200 if client is world.rfc else 401)


def test_an_answer_is_never_given_to_another_client(h1, world):
    token = world.token()
    for _ in range(2):
        private = h1.introspect(token, world.private)
        expect.active(private, front_channel_name="Acme Support", front_channel_address="acme-support-1")
        shared = h1.introspect(token, world.shared)
        expect.active(shared, resource_owner_id="owner-42", resource_owner_name="Ada Lovelace")
        expect.inactive(h1.introspect(token, world.limited), 200)
    half = world.token(resource_owner_id=None)
    for _ in range(2):
        expect.inactive(h1.introspect(half, world.shared), 401)
        expect.is_active(h1.introspect(half, world.private))


def test_wrong_credentials_get_nothing_from_the_cache(h1, world):
    token = world.token()
    expect.is_active(h1.introspect(token, world.private))
    expect.invalid_client(h1.introspect(token, type(world.private)(world.private.client_id, "wrong")))


def test_similar_tokens_are_told_apart(h1, world):
    token = world.token()
    expect.is_active(h1.introspect(token, world.private))
    last = "A" if token[-1] != "A" else "Q"
    for other in (token[:-1] + last, token[:-1], token + "A", token + ".", token.upper()):
        expect.inactive(h1.introspect(other, world.private), 401)
    expect.is_active(h1.introspect(token, world.private))


# The clock that a request is decided by is this much behind at most (include/introspectd/clock.h).
CLOCK_TICK_S = 0.01


def test_expiry_while_cached(h1, world):
    """Never active once the clock has passed `exp`; the main issuer has no leeway."""
    expires_s = int(time.time()) + 2
    token = world.token("HS256", exp=expires_s)
    with h1.connect() as connection:
        expect.is_active(h1.introspect(token, world.private, connection=connection))
        deadline = time.monotonic() + 15
        while True:
            asked_s = time.time()
            response = h1.introspect(token, world.private, connection=connection)
            if response.status == 401:
                break
            expect.is_active(response)
            assert asked_s < expires_s + CLOCK_TICK_S, "active after its expiry"
            assert time.monotonic() < deadline
            time.sleep(0.1)
        expect.inactive(response, 401)
        assert time.time() >= expires_s, "inactive before its expiry"


def test_not_yet_valid_becomes_valid(h1, world):
    """An inactive verdict that time changes is not kept for longer than that."""
    valid_s = int(time.time()) + 2
    token = world.token("HS256", nbf=valid_s)
    expect.inactive(h1.introspect(token, world.private), 401)
    deadline = time.monotonic() + 15
    while (response := h1.introspect(token, world.private)).status != 200:
        assert time.monotonic() < deadline, "still inactive long after its not-before time"
        time.sleep(0.1)
    expect.is_active(response)
    assert time.time() >= valid_s


def test_more_tokens_than_the_cache_holds(h1, world):
    base = tokens.claims(SYMMETRIC, AUDIENCE)
    made = [tokens.sign(world.keys["oct"], "HS256", {**base, "sub": f"s{i}", "pad": "x" * 200}) for i in range(400)]
    with h1.connect() as connection:
        for _ in range(2):
            for i, token in enumerate(made):
                response = h1.introspect(token, world.rfc, connection=connection)
                assert expect.parse_json(response.body)["sub"] == f"s{i}"


def test_flood_of_bad_tokens_changes_no_good_answer(h1, world):
    good = world.token()
    first = h1.introspect(good, world.private)
    with h1.connect() as connection:
        for i in range(300):
            expect.inactive(h1.introspect(f"bad.token.{i}", world.private, connection=connection), 401)
    assert h1.introspect(good, world.private).body == first.body
