"""When keys are fetched again: what a provider's header fields say, within the config's bounds. Judged by what the provider saw."""

import email.utils
import time

import pytest

from harness import expect, fetched, tokens
from harness.authority import Authority
from harness.provider import Provider, answer, with_etag
from harness.server import wait_until

KEY = fetched.new_key("good")
NEXT_KEY = fetched.new_key("next")
KEYS = tokens.jwks(KEY)

MIN_S, MAX_S = 1, 4
JITTER = 0.75  # refreshes may come so much earlier
SLACK_S = 0.9  # and so much later; on a busy machine not every one is that punctual
REFRESHES = 3
STALE_MAX_S = 6


def http_date(offset_s):
    return email.utils.formatdate(time.time() + offset_s, usegmt=True)


DAY_S = 24 * 3600
SKEWED_PAST, SKEWED_FUTURE = http_date(-DAY_S), http_date(DAY_S)

# What stands in the answer, and after how many seconds the keys are to be fetched again, before jitter.
SOON, LATE, BETWEEN = (MIN_S, MIN_S), (MAX_S, MAX_S), (MIN_S, MAX_S)
HEADERS = {
    "none": ([], LATE),
    "max-age": ([("Cache-Control", "max-age=2")], (2, 2)),
    "max-age among others": ([("Cache-Control", "public, MAX-AGE = 2 , must-revalidate".replace(" = ", "="))], (2, 2)),
    "max-age huge": ([("Cache-Control", "max-age=1000000")], LATE),
    "max-age beyond all numbers": ([("Cache-Control", "max-age=" + "9" * 60)], LATE),
    "max-age zero": ([("Cache-Control", "max-age=0")], SOON),
    "max-age negative": ([("Cache-Control", "max-age=-5")], BETWEEN),
    "max-age garbage": ([("Cache-Control", "max-age=soon")], BETWEEN),
    "max-age empty": ([("Cache-Control", "max-age=, max-age")], BETWEEN),
    "max-age of a shared cache": ([("Cache-Control", "s-maxage=0, max-age=1000")], LATE),
    "no-store": ([("Cache-Control", "no-store")], SOON),
    "no-cache": ([("Cache-Control", "max-age=1000"), ("Cache-Control", "no-cache")], SOON),
    "cache-control garbage": ([("Cache-Control", ',,="",\x01;;"')], BETWEEN),
    "age": ([("Cache-Control", "max-age=3600"), ("Age", "3598")], (2, 2)),
    "age over max-age": ([("Cache-Control", "max-age=10"), ("Age", "4000")], SOON),
    "age garbage": ([("Cache-Control", "max-age=1000"), ("Age", "-1x")], BETWEEN),
    "expires": ([("Date", http_date(0)), ("Expires", http_date(2))], (2, 2)),
    "expires long ago by a slow clock": ([("Date", SKEWED_PAST), ("Expires", http_date(-DAY_S + 3600))], LATE),
    "expires far off by a fast clock": ([("Date", SKEWED_FUTURE), ("Expires", http_date(DAY_S + 2))], (2, 2)),
    "expires before date": ([("Date", SKEWED_FUTURE), ("Expires", http_date(0))], SOON),
    "expires zero": ([("Expires", "0")], SOON),
    "expires beaten by max-age": ([("Cache-Control", "max-age=1000"), ("Date", http_date(0)), ("Expires", http_date(0))], LATE),
    "dates without sense": ([("Date", "yesterday"), ("Expires", "Thu, 99 Foo 99999 99:99:99 GMT")], BETWEEN),
}  # fmt: skip


def issuer_of(name):
    return "https://caching.example.com/" + name.replace(" ", "-")


def path_of(name):
    return "/" + name.replace(" ", "-")


@pytest.fixture(scope="module")
def provider():
    authority = Authority()
    with Provider(authority.issue()) as made:
        made.authority = authority
        yield made


def entry(provider, name, **settings):
    return fetched.issuer(issuer_of(name), provider.url(path_of(name)), **settings)


def start(world, provider, start_module_server, *entries):
    return start_module_server(fetched.config(world, list(entries)), {"ca.pem": provider.authority.pem})


ETAGS = {"strong": '"v1"', "weak": 'W/"v1"', "odd": '"a,b;\\=\'{}"', "empty": '""'}
USELESS_ETAGS = {"no quotes": "v1", "endless": '"' + "v" * 5000 + '"', "not ascii": '"\x80\xff"', "nothing": ""}


@pytest.fixture(scope="module")
def running(world, provider, start_module_server):
    for name, (headers, _) in HEADERS.items():
        provider.serve(path_of(name), answer(KEYS, headers=headers))
    for name, etag in {**ETAGS, **USELESS_ETAGS}.items():
        provider.serve(path_of(name), with_etag(KEYS, etag))
    bounded = {"refresh_min": f"{MIN_S}s", "refresh_max": f"{MAX_S}s"}
    often = {"refresh_min": "1s", "refresh_max": "1s", "stale_max": f"{STALE_MAX_S}s"}
    provider.serve(path_of("tight"), answer(KEYS, headers=[("Cache-Control", "max-age=3600")]))
    entries = [entry(provider, name, **bounded) for name in (*HEADERS, *USELESS_ETAGS)]
    entries.append(entry(provider, "tight", refresh_min="1s", refresh_max=f"{STALE_MAX_S}s", stale_max=f"{STALE_MAX_S}s"))
    return start(world, provider, start_module_server, *entries, *[entry(provider, name, **often) for name in ETAGS])


def refreshes(provider, name):
    """The requests for a path after the first, as soon as there are enough."""
    path = path_of(name)
    wait_until(lambda: provider.count(path) > REFRESHES, timeout_s=40)
    return provider.requests(path)


def gaps(requests):
    return [later.started_s - earlier.ended_s for earlier, later in zip(requests, requests[1:])]


@pytest.mark.parametrize("name", HEADERS)
def test_time_between_refreshes(provider, running, name):
    shortest_s, longest_s = HEADERS[name][1]
    waits = gaps(refreshes(provider, name)[: REFRESHES + 1])
    assert min(waits) > max(JITTER * shortest_s, 0.95 * MIN_S), waits
    assert min(waits) < longest_s + SLACK_S, waits


@pytest.mark.parametrize("name", ETAGS)
def test_unchanged_keys_are_not_sent_again(provider, running, world, name):
    first, *later = refreshes(provider, name)
    assert "if-none-match" not in first.headers
    assert [request.headers.get("if-none-match") for request in later] == [ETAGS[name]] * len(later)
    # A 304 says that the keys are current: they do not go stale.
    wait_until(lambda: time.monotonic() > first.started_s + STALE_MAX_S + 1)
    expect.is_active(running.endpoints["h1"].introspect(fetched.token(KEY, issuer_of(name)), world.rfc))
    assert len(fetched.changes(running, issuer_of(name))) == 1 and not fetched.failures(running, issuer_of(name))


@pytest.mark.parametrize("name", USELESS_ETAGS)
def test_etags_that_are_none_do_no_harm(provider, running, world, name):
    for request in refreshes(provider, name):
        assert request.headers.get("if-none-match", "") in ("", USELESS_ETAGS[name])
    expect.is_active(running.endpoints["h1"].introspect(fetched.token(KEY, issuer_of(name)), world.rfc))
    assert len(fetched.changes(running, issuer_of(name))) == 1 and not fetched.failures(running, issuer_of(name))


def test_a_refresh_comes_before_the_keys_are_stale(provider, running):
    """Whatever the provider says, and though refresh_max would be as late as stale_max."""
    wait_until(lambda: provider.count(path_of("tight")) > 2)
    assert not running.server.find_log(event="keys_stale")


def test_the_same_keys_are_no_change(provider, running):
    refreshes(provider, "none")
    assert len(fetched.changes(running, issuer_of("none"))) == 1


def test_a_304_gives_a_new_lifetime(world, provider, start_module_server):
    name = "304 with lifetime"
    provider.serve(path_of(name), with_etag(KEYS, '"1"', headers=[("Cache-Control", "max-age=1000")]))
    running = start(world, provider, start_module_server, entry(provider, name))
    wait_until(lambda: fetched.changes(running, issuer_of(name)))
    unknown = fetched.token(NEXT_KEY, issuer_of(name))
    wait_until(lambda: running.endpoints["h1"].introspect(unknown, world.rfc).status == 200 and provider.count(path_of(name)) == 2)
    assert provider.requests(path_of(name))[1].headers.get("if-none-match") == '"1"'
    expect.is_active(running.endpoints["h1"].introspect(fetched.token(KEY, issuer_of(name)), world.rfc))


def test_an_etag_of_a_set_that_was_refused_is_not_sent(world, provider, start_module_server):
    """Else a 304 would make the refused set current."""
    name = "etag of a bad set"
    issuer = issuer_of(name)
    provider.serve(path_of(name), with_etag(KEYS, '"good"'))
    running = start(world, provider, start_module_server, entry(provider, name, refresh_max="1s"))
    wait_until(lambda: fetched.changes(running, issuer))
    before = provider.count(path_of(name))
    provider.serve(path_of(name), with_etag('{"keys":[]}', '"bad"'))
    wait_until(lambda: len(fetched.failures(running, issuer)) >= 2)
    sent = [request.headers.get("if-none-match") for request in provider.requests(path_of(name))[before:]]
    assert set(sent) <= {'"good"', None}, sent
    provider.serve(path_of(name), with_etag(tokens.jwks(NEXT_KEY), '"bad"'))
    token = fetched.token(NEXT_KEY, issuer)
    h1 = running.endpoints["h1"]
    wait_until(lambda: expect.parse_json(h1.introspect(token, world.rfc).body).get("active"))
