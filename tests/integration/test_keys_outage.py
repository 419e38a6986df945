"""What becomes of an issuer whose provider goes away, or takes a key back."""

import datetime
import time

import pytest

from harness import expect, fetched, tokens
from harness.authority import Authority
from harness.provider import Provider, answer
from harness.server import wait_until

STALE_MAX_S = 5
SLACK_S = 3

KEY, NEXT_KEY, OTHER_KEY = (fetched.new_key(kid) for kid in ("key", "next", "other"))
DOWN, SPOILED, KEPT, REMOVED, NEIGHBOUR, SAME_KID = (
    f"https://{name}.example.com" for name in ("down", "spoiled", "kept", "removed", "neighbour", "same-kid")
)

REFRESHED = {"refresh_min": "1s", "refresh_max": "1s"}


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def provider(authority):
    with Provider(authority.issue()) as made:
        yield made


@pytest.fixture
def own_provider(authority):
    """One that a test may stop."""
    with Provider(authority.issue()) as made:
        yield made


def start(world, authority, starter, entries, **changes):
    return starter(fetched.config(world, entries, **changes), {"ca.pem": authority.pem})


def introspect(running, world, token):
    return running.endpoints["h1"].introspect(token, world.rfc)


def is_active(running, world, token):
    response = introspect(running, world, token)
    assert response.status == 200, response
    return expect.parse_json(response.body)["active"]


def seconds_since_epoch(text):
    return datetime.datetime.strptime(text[:19] + "+0000", "%Y-%m-%dT%H:%M:%S%z").timestamp()


def test_outage_longer_than_stale_max(world, authority, provider, own_provider, start_server):
    """One provider goes away, another one has only an empty set from then on, a third one goes on."""
    own_provider.serve("/jwks", answer(tokens.jwks(KEY)))
    provider.serve("/spoiled", answer(tokens.jwks(KEY)))
    provider.serve("/kept", answer(tokens.jwks(OTHER_KEY)))
    settings = {**REFRESHED, "stale_max": f"{STALE_MAX_S}s"}
    places = {DOWN: (own_provider, "/jwks"), SPOILED: (provider, "/spoiled"), KEPT: (provider, "/kept")}
    entries = [fetched.issuer(issuer, at.url(path), **settings) for issuer, (at, path) in places.items()]
    running = start(world, authority, start_server, entries)
    cached = {issuer: fetched.token(KEY, issuer) for issuer in (DOWN, SPOILED)}
    for token in cached.values():
        wait_until(lambda: introspect(running, world, token).status == 200)
    # They are being refreshed; the next fetch is a second away.
    wait_until(lambda: provider.count("/spoiled") >= 2 and own_provider.count("/jwks") >= 2)
    fetches = own_provider.count("/jwks")
    wait_until(lambda: own_provider.count("/jwks") > fetches and own_provider.requests("/jwks")[-1].ended_s)
    own_provider.stop()
    spoiled_after = provider.serve("/spoiled", answer('{"keys":[]}'))
    wait_until(lambda: provider.count("/spoiled") > spoiled_after)
    last = {DOWN: own_provider.requests("/jwks")[-1], SPOILED: provider.requests("/spoiled")[spoiled_after - 1]}
    seen = []  # when, whose token, what came
    until_s = max(request.ended_s for request in last.values()) + STALE_MAX_S + SLACK_S + 0.5
    with running.endpoints["h1"].connect() as connection:
        while time.monotonic() < until_s:
            for issuer in last:
                for token in (cached[issuer], fetched.token(KEY, issuer)):
                    asked_s = time.monotonic()
                    response = running.endpoints["h1"].introspect(token, world.rfc, connection=connection)
                    seen.append((asked_s, time.monotonic(), issuer, response))
            kept = running.endpoints["h1"].introspect(fetched.token(OTHER_KEY, KEPT), world.rfc, connection=connection)
            expect.is_active(kept)
            time.sleep(0.05)
    for asked_s, answered_s, issuer, response in seen:
        if answered_s < last[issuer].started_s + STALE_MAX_S:
            expect.is_active(response)
        elif asked_s > last[issuer].ended_s + STALE_MAX_S + SLACK_S:
            expect.unavailable(response)
        assert response.status in (200, 503), response
    for issuer in last:
        statuses = [response.status for _, _, of, response in seen if of == issuer]
        assert set(statuses) == {200, 503} and statuses == sorted(statuses), "once 503, no 200 came back"

    status, problems, _ = fetched.readyz(running)
    assert status == 503 and set(problems) == {DOWN, SPOILED}, problems
    for problem in problems.values():
        assert problem["problem"] == "no usable key" and problem["detail"]
        assert 0 <= time.time() - seconds_since_epoch(problem["since"]) < 2 * SLACK_S + 3, problem
    stale = running.server.find_log(event="keys_stale")
    assert sorted(event["issuer"] for event in stale) == [DOWN, SPOILED], stale
    assert not fetched.failures(running, KEPT)
    for issuer in last:
        failures = fetched.failures(running, issuer)
        assert failures[0]["has_keys"] is True and failures[-1]["has_keys"] is False
        assert [event["failures"] for event in failures] == list(range(1, len(failures) + 1))

    own_provider.start()
    provider.serve("/spoiled", answer(tokens.jwks(KEY)))
    for issuer, token in cached.items():
        wait_until(lambda: introspect(running, world, token).status == 200)
        assert is_active(running, world, token) and is_active(running, world, fetched.token(KEY, issuer))
    status, problems, _ = fetched.readyz(running)
    assert (status, problems) == (200, {})


def test_outage_shorter_than_stale_max(world, authority, own_provider, start_server):
    """Nobody notices."""
    own_provider.serve("/jwks", answer(tokens.jwks(KEY)))
    running = start(world, authority, start_server, [fetched.issuer(DOWN, own_provider.url("/jwks"), **REFRESHED)])
    wait_until(lambda: fetched.readyz(running)[0] == 200)
    own_provider.stop()
    wait_until(lambda: len(fetched.failures(running, DOWN)) >= 2)
    assert is_active(running, world, fetched.token(KEY, DOWN))
    assert fetched.readyz(running)[0] == 200
    own_provider.serve("/jwks", answer(tokens.jwks(NEXT_KEY)))
    own_provider.start()
    token = fetched.token(NEXT_KEY, DOWN)
    wait_until(lambda: is_active(running, world, token))
    assert not running.server.find_log(event="keys_stale")


def test_outage_from_the_start(world, authority, own_provider, start_server):
    own_provider.serve("/jwks", answer(tokens.jwks(KEY)))
    own_provider.stop()
    running = start(world, authority, start_server, [fetched.issuer(DOWN, own_provider.url("/jwks"), **REFRESHED)])
    token = fetched.token(KEY, DOWN)
    expect.unavailable(introspect(running, world, token))
    wait_until(lambda: len(fetched.failures(running, DOWN)) >= 2)
    expect.unavailable(introspect(running, world, token))
    assert fetched.readyz(running)[0] == 503
    assert running.admin.request("GET", "/livez").status == 200
    own_provider.start()
    wait_until(lambda: introspect(running, world, token).status == 200)
    assert is_active(running, world, token) and fetched.readyz(running)[0] == 200
    assert len(fetched.changes(running, DOWN)) == 1


def test_stopping_during_a_fetch(world, authority, provider, start_server):
    """The end does not wait for a provider."""
    provider.serve("/slow", lambda exchange: exchange.wait_for_end())
    running = start(world, authority, start_server, [fetched.issuer(DOWN, provider.url("/slow"), fetch_timeout="300s")])
    wait_until(lambda: provider.count("/slow") == 1)
    running.server.signal()
    assert running.server.wait(15) == 0


# Keys that leave


@pytest.fixture(scope="module")
def running(world, authority, provider, start_module_server):
    provider.serve("/removed", answer(tokens.jwks(KEY, NEXT_KEY)))
    provider.serve("/neighbour", answer(tokens.jwks(OTHER_KEY)))
    provider.serve("/same-kid", answer(tokens.jwks(KEY)))
    entries = [
        fetched.issuer(REMOVED, provider.url("/removed"), **REFRESHED),
        fetched.issuer(NEIGHBOUR, provider.url("/neighbour")),
        fetched.issuer(SAME_KID, provider.url("/same-kid"), **REFRESHED),
    ]
    started = start(world, authority, start_module_server, entries)
    wait_until(lambda: fetched.readyz(started)[0] == 200)
    return started


def wait_for_change(running, issuer, count):
    wait_until(lambda: len(fetched.changes(running, issuer)) == count)


def was_cached(running, world, token):
    """Whether an inactive verdict comes from the cache, as the log has it."""
    lines = len(running.server.find_log(token=tokens.token_name(token)))
    expect.inactive(introspect(running, world, token), 200)
    return wait_until(lambda: running.server.find_log(token=tokens.token_name(token))[lines:])[0]["cached"]


def test_a_removed_key_ends_its_cached_verdicts(running, world, provider):
    removed, stays = fetched.token(KEY, REMOVED), fetched.token(NEXT_KEY, REMOVED)
    neighbours, dead_neighbour = fetched.token(OTHER_KEY, NEIGHBOUR), fetched.token(OTHER_KEY, NEIGHBOUR, exp=1)
    for _ in range(2):
        assert all(is_active(running, world, token) for token in (removed, stays, neighbours))
    assert [was_cached(running, world, dead_neighbour) for _ in range(2)] == [False, True]

    provider.serve("/removed", answer(tokens.jwks(NEXT_KEY)))
    wait_for_change(running, REMOVED, 2)
    for _ in range(3):
        assert not is_active(running, world, removed)
        assert is_active(running, world, stays) and is_active(running, world, neighbours)
    line = running.server.find_log(event="token_inactive", token=tokens.token_name(removed))[-1]
    assert line["reason"] == "unknown_key" and line["kid"] == "key" and line["issuer"] == REMOVED
    # What was decided with the neighbour's keys was not decided anew.
    assert was_cached(running, world, dead_neighbour) is True

    provider.serve("/removed", answer(tokens.jwks(KEY, NEXT_KEY)))
    wait_until(lambda: is_active(running, world, removed))


def test_other_material_under_the_same_kid(running, world, provider):
    replacement = fetched.new_key("key")
    old, new = fetched.token(KEY, SAME_KID), fetched.token(replacement, SAME_KID)
    assert is_active(running, world, old) and not is_active(running, world, new)
    provider.serve("/same-kid", answer(tokens.jwks(replacement)))
    wait_for_change(running, SAME_KID, 2)
    assert not is_active(running, world, old) and is_active(running, world, new)


def test_keys_that_come_in_another_order_are_no_change(running, world, provider):
    before = len(fetched.changes(running, REMOVED))
    provider.serve("/removed", answer(tokens.jwks(NEXT_KEY, KEY)))
    fetches = provider.count("/removed")
    wait_until(lambda: provider.count("/removed") >= fetches + 3)
    assert len(fetched.changes(running, REMOVED)) <= before + 1


def test_two_issuers_of_one_provider_do_not_share_keys(world, authority, provider, start_server):
    """The same URL twice: each issuer's tokens are its own."""
    provider.serve("/shared", answer(tokens.jwks(KEY)))
    one, two = "https://one.example.com", "https://two.example.com"
    entries = [fetched.issuer(one, provider.url("/shared")), fetched.issuer(two, provider.url("/shared"), audience=["elsewhere"])]
    running = start(world, authority, start_server, entries)
    wait_until(lambda: fetched.readyz(running)[0] == 200)
    assert is_active(running, world, fetched.token(KEY, one)) and not is_active(running, world, fetched.token(KEY, two))
    assert is_active(running, world, fetched.token(KEY, two, aud="elsewhere"))


# A provider that moves


def test_a_provider_with_a_new_authority(world, authority, own_provider, start_server):
    """Its certificate is not believed until ca_file has the authority; then it is, without a restart."""
    own_provider.serve("/jwks", answer(tokens.jwks(KEY)))
    running = start(world, authority, start_server, [fetched.issuer(DOWN, own_provider.url("/jwks"), **REFRESHED)])
    wait_until(lambda: fetched.readyz(running)[0] == 200)
    other = Authority("another authority")
    own_provider.use_certificate(*other.issue())
    own_provider.serve("/jwks", answer(tokens.jwks(NEXT_KEY)))
    wait_until(lambda: len(fetched.failures(running, DOWN)) >= 2)
    assert is_active(running, world, fetched.token(KEY, DOWN)) and not is_active(running, world, fetched.token(NEXT_KEY, DOWN))
    assert all("certificate" in event["problem"].lower() for event in fetched.failures(running, DOWN))
    (running.server.directory / "ca.pem").write_bytes(authority.pem + other.pem)
    wait_until(lambda: is_active(running, world, fetched.token(NEXT_KEY, DOWN)))


def test_keys_that_moved_are_discovered_again(world, authority, provider, start_server):
    """The old place is gone: the metadata are asked where the keys are now. While they are there, they are not asked."""
    issuer = provider.url("/moving")
    metadata_path = "/moving/.well-known/openid-configuration"

    def publish(path, *keys):
        provider.serve(path, answer(tokens.jwks(*keys)))
        provider.serve(metadata_path, answer(tokens.json_bytes({"issuer": issuer, "jwks_uri": provider.url(path)})))

    publish("/moving/here", KEY)
    running = start(world, authority, start_server, [fetched.issuer(issuer)])
    wait_until(lambda: fetched.readyz(running)[0] == 200)
    assert (provider.count(metadata_path), provider.count("/moving/here")) == (1, 1)
    publish("/moving/here", KEY, OTHER_KEY)
    wait_until(lambda: is_active(running, world, fetched.token(OTHER_KEY, issuer)))
    assert provider.count(metadata_path) == 1 and provider.count("/moving/here") == 2

    publish("/moving/there", NEXT_KEY)
    provider.serve("/moving/here", answer("", 404))
    assert is_active(running, world, fetched.token(KEY, issuer))
    wait_until(lambda: is_active(running, world, fetched.token(NEXT_KEY, issuer)), timeout_s=40)
    assert not is_active(running, world, fetched.token(KEY, issuer))
