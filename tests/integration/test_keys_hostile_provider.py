"""
Providers that are slow, broken or hostile. One server has an issuer for each case with good keys before its provider turns bad; another
one meets each case from its start. All cases run at the same time, so that each also shows that the others do not disturb it.
"""

import datetime
import json
import re
import socket
import time

import pytest

from harness import expect, fetched, hostile_answers, tokens
from harness.authority import Authority
from harness.provider import Provider, answer, head, raw, redirect
from harness.provider_http2 import Http2Provider
from harness.server import run, wait_until, write_config

ONE_SECOND = {"fetch_timeout": "1s"}
FAST = {"refresh_min": "1s", "refresh_max": "2s", "cooldown": "1s"}

GOOD_KEY = fetched.new_key("good")
HEALED_KEY = fetched.new_key("healed")
GOOD_SET = tokens.jwks(GOOD_KEY)
HEALED_SET = tokens.jwks(HEALED_KEY, GOOD_KEY)

EC_MEMBERS = tokens.public_jwk(GOOD_KEY)
UNUSABLE_KEYS = [
    {"kty": "AKP", "alg": "ML-DSA-44", "kid": "a", "pub": "AAAA"},
    {"kty": "XYZ", "kid": "good"},
    {"kid": "good"},
    {**EC_MEMBERS, "use": "enc"},
    {**EC_MEMBERS, "key_ops": ["encrypt"]},
    {**EC_MEMBERS, "crv": "P-256K"},
    {**EC_MEMBERS, "y": EC_MEMBERS["x"]},
    {"kty": "RSA", "kid": "good", "n": tokens.b64url(b"\xff" * 64), "e": "AQAB"},
    {"kty": "oct", "kid": "good", "k": "c2hvcnQ"},
    {"kty": "EC", "kid": "good", "crv": 7, "x": [], "y": None},
    {},
]


class Place:
    """Where an issuer's keys come from, by a URL."""

    def __init__(self, provider, stage, name):
        self.provider = provider
        self.name = name
        self.path = f"/{stage}/{name}"
        self.issuer = f"https://{stage}.example.com/{name}"

    def entry(self, **settings):
        return fetched.issuer(self.issuer, self.provider.url(self.path), **{**FAST, **settings})

    def serve(self, behaviour):
        self.provider.serve(self.path, behaviour)

    def serve_good(self, body=GOOD_SET):
        self.serve(answer(body))


class Case:
    def __init__(self, make, problem, **settings):
        self.make = make  # place to behaviour
        self.problem = problem  # what the operator is told, as a regular expression
        self.settings = settings


def always(behaviour, problem, **settings):
    return Case(lambda place: behaviour, problem, **settings)


def redirect_chain(place, length):
    """So many redirects, and then the keys."""
    paths = [f"{place.path}/{i}" for i in range(1, length + 1)]
    for here, there in zip(paths, paths[1:]):
        place.provider.serve(here, redirect(there))
    place.provider.serve(paths[-1], answer(GOOD_SET))
    return redirect(paths[0])


def redirect_to_http(place):
    place.provider.plain.serve(place.path, answer(GOOD_SET))
    return redirect(place.provider.plain.url(place.path))


TIMED_OUT, TOO_LARGE, BROKEN_OFF = "(?i)time(d )?out", "(?i)over [0-9]+ bytes", "(?i)closed|empty reply|eof|reset"
NOT_JSON, NO_SET, NO_KEY = "not a JSON object", "JWK Set", "no usable key"
OTHER_SCHEME = "(?i)protocol|scheme"

CASES = {
    "never": always(hostile_answers.never, TIMED_OUT, **ONE_SECOND),
    "half a head": always(hostile_answers.half_a_head, TIMED_OUT, **ONE_SECOND),
    "dripping": always(hostile_answers.dripping(GOOD_SET), TIMED_OUT, **ONE_SECOND),
    "endless body": always(hostile_answers.endless_body, TOO_LARGE, fetch_max_bytes="64KiB"),
    "endless chunks": always(hostile_answers.endless_chunks, TOO_LARGE, fetch_max_bytes="64KiB"),
    "endless head": always(hostile_answers.endless_head, TOO_LARGE),
    "endless interim answers": always(hostile_answers.endless_interim_answers, TIMED_OUT, fetch_timeout="2s"),
    "over the cap": always(answer('{"keys":[' + " " * 70000 + GOOD_SET[9:]), TOO_LARGE, fetch_max_bytes="64KiB"),
    "length over the cap": always(hostile_answers.with_length(10**12, GOOD_SET), TOO_LARGE),
    "length too long": always(hostile_answers.with_length(len(GOOD_SET) + 10, GOOD_SET), BROKEN_OFF),
    "length too short": always(hostile_answers.with_length(len(GOOD_SET) - 10, GOOD_SET), NOT_JSON),
    "length negative": always(hostile_answers.with_length(-5, "x" * 20), "Content-Length"),
    "hang up": always(hostile_answers.hang_up, BROKEN_OFF),
    "hang up after the head": always(raw(head(200, [("Content-Length", 500)]), then_closes=True), BROKEN_OFF),
    "not http": always(raw(b"\x00\x01\x02SSH-2.0-nonsense\r\n\r\n" * 20, then_closes=True), "HTTP"),
    "bad chunks": always(raw(head(200, [("Transfer-Encoding", "chunked")]) + b"zz\r\nxx\r\n", then_closes=True), "chunk"),
    "204": always(raw(head(204, [])), "204"),
    "304 unasked": always(raw(head(304, [])), "304"),
    "206": always(answer(GOOD_SET, 206), "206"),
    "404": always(answer(GOOD_SET, 404), "404"),
    "500": always(answer(GOOD_SET, 500), "500"),
    "429": always(answer("slow down", 429, [("Retry-After", "2")]), "429"),
    "503": always(answer(GOOD_SET, 503, [("Retry-After", "soon")]), "503"),
    "redirect to itself": Case(lambda place: redirect(place.provider.url(place.path)), "(?i)redirect"),
    "redirect too often": Case(lambda place: redirect_chain(place, 4), "(?i)redirect"),
    "redirect to http": Case(redirect_to_http, OTHER_SCHEME),
    "redirect to a file": always(redirect("file:///etc/hostname"), OTHER_SCHEME),
    "redirect to ftp": always(redirect("ftp://localhost/jwks"), OTHER_SCHEME),
    "redirect to nowhere": always(answer(b"", 302), "302"),
    "html": always(answer("<!doctype html><title>Sign in</title>", content_type="text/html"), NOT_JSON),
    "empty": always(answer(""), NOT_JSON),
    "broken json": always(answer(GOOD_SET[:-3]), NOT_JSON),
    "more after the json": always(answer(GOOD_SET + GOOD_SET), NOT_JSON),
    "nul in the json": always(answer(GOOD_SET.replace("good", "go\0od")), NOT_JSON),
    "not utf-8": always(answer(GOOD_SET.encode().replace(b"good", b"go\xffod")), NOT_JSON),
    "utf-16": always(answer(GOOD_SET.encode("utf-16")), NOT_JSON),
    "deep": always(answer('{"keys":' + "[" * 50000 + "]" * 50000 + "}"), NOT_JSON),
    "array": always(answer(f"[{GOOD_SET}]"), NOT_JSON),
    "null": always(answer("null"), NOT_JSON),
    "error object": always(answer('{"error":"server_error"}'), NO_SET),
    "keys is an object": always(answer(json.dumps({"keys": EC_MEMBERS})), "`keys`"),
    "repeated keys": always(answer(GOOD_SET[:-1] + ',"keys":[]}'), NOT_JSON),
    "repeated member of a key": always(answer(GOOD_SET.replace('{"', '{"kty":"EC","', 2)), NOT_JSON),
    "empty set": always(answer('{"keys":[]}'), NO_KEY),
    "unusable keys": always(answer(json.dumps({"keys": UNUSABLE_KEYS})), NO_KEY),
    "keys of other algorithms": always(answer(tokens.jwks(tokens.generate_key("p384", "good"))), NO_KEY),
    "ten thousand unusable keys": always(answer(json.dumps({"keys": [{"kty": "XYZ"}] * 10000})), NO_KEY),
    "compressed unasked": always(hostile_answers.gzipped(GOOD_SET), "content encoding"),
}  # fmt: skip

# Certificates that must not be trusted, and what the operator is told.
CERTIFICATES = {
    "expired": (lambda ca: ca.issue(expires_in=datetime.timedelta(days=-1)), "(?i)expired"),
    "other host": (lambda ca: ca.issue(["idp.example.com"]), "(?i)host|name|match"),
    "unknown authority": (lambda ca: Authority("nobody's authority").issue(), "(?i)certificate"),
    "authority of the same name": (lambda ca: Authority().issue(), "."),
}


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def provider(authority):
    with Provider(authority.issue()) as made, Provider() as made.plain:
        yield made


@pytest.fixture(scope="module")
def certified(authority):
    """A provider for each bad certificate; they begin with a good one."""
    providers = {name: Provider(authority.issue()).start() for name in CERTIFICATES}
    yield providers
    for started in providers.values():
        started.stop()


def certificate_places(certified, stage):
    return {name: Place(certified[name], stage, "certificate-" + name.replace(" ", "-")) for name in CERTIFICATES}


def case_places(provider, stage):
    return {name: Place(provider, stage, name.replace(" ", "-")) for name in CASES}


class Stage:
    """A server with an issuer for each case."""

    def __init__(self, running, places):
        self.running = running
        self.places = places

    def introspect(self, world, name, key=GOOD_KEY):
        token = fetched.token(key, self.places[name].issuer)
        return self.running.endpoints["h1"].introspect(token, world.rfc)

    def all_are_ready(self):
        return fetched.readyz(self.running)[0] == 200


def told(text):
    """What a text tells beside its URLs, whose paths have the cases' names in them."""
    return re.sub(r"https?://[^ ]+", "", text)


def first_failure(stage, name, newer_than=0):
    """The first failed attempt after so many others, as soon as it is logged."""
    issuer = stage.places[name].issuer
    return wait_until(lambda: fetched.failures(stage.running, issuer)[newer_than:], timeout_s=40)[0]


# Good keys first


@pytest.fixture(scope="module")
def warm(world, authority, provider, certified, start_module_server):
    places = {**case_places(provider, "warm"), **certificate_places(certified, "warm"), "steady": Place(provider, "warm", "steady")}
    for place in places.values():
        place.serve_good()
    entries = [place.entry(**(CASES[name].settings if name in CASES else {})) for name, place in places.items()]
    running = start_module_server(fetched.config(world, entries), {"ca.pem": authority.pem})
    stage = Stage(running, places)
    wait_until(stage.all_are_ready, timeout_s=60)
    stage.cached = {name: fetched.token(GOOD_KEY, place.issuer) for name, place in places.items()}
    for token in stage.cached.values():
        expect.is_active(running.endpoints["h1"].introspect(token, world.rfc))
    return stage


@pytest.fixture(scope="module")
def turned_bad(warm, certified, authority):
    warm.failures_before = {name: len(fetched.failures(warm.running, place.issuer)) for name, place in warm.places.items()}
    warm.turned_bad_s = time.monotonic()
    for name, case in CASES.items():
        warm.places[name].serve(case.make(warm.places[name]))
    for name, (issue, _) in CERTIFICATES.items():
        certified[name].use_certificate(*issue(authority))
    return warm


PROBLEMS = {**{name: case.problem for name, case in CASES.items()}, **{name: entry[1] for name, entry in CERTIFICATES.items()}}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_good_set_stays_in_use(world, turned_bad, name):
    failure = first_failure(turned_bad, name, turned_bad.failures_before[name])
    assert re.search(PROBLEMS[name], told(failure["problem"])), failure
    assert failure["failures"] >= 1 and failure["has_keys"] is True and failure["level"] in ("warn", "error"), failure
    assert failure["retry_in_s"] <= 2, failure
    assert turned_bad.places[name].provider.url(turned_bad.places[name].path) == failure["url"]
    expect.is_active(turned_bad.introspect(world, name))
    expect.is_active(turned_bad.running.endpoints["h1"].introspect(turned_bad.cached[name], world.rfc))


def test_readiness_does_not_depend_on_providers_while_keys_are_good(turned_bad):
    for name in PROBLEMS:
        first_failure(turned_bad, name, turned_bad.failures_before[name])
    status, problems, body = fetched.readyz(turned_bad.running)
    assert (status, problems, body["ready"]) == (200, {}, True)


def test_other_issuers_go_on_being_refreshed(turned_bad):
    steady = turned_bad.places["steady"]
    wait_until(lambda: turned_bad.running.server.log() and time.monotonic() > turned_bad.turned_bad_s + 6)
    started = [turned_bad.turned_bad_s]
    started += [request.started_s for request in steady.provider.requests(steady.path) if request.started_s > started[0]]
    gaps = [later - earlier for earlier, later in zip(started, started[1:])]
    assert len(gaps) >= 2 and max(gaps) < 2 + 2, gaps
    assert not fetched.failures(turned_bad.running, steady.issuer)


def test_a_provider_that_asks_for_patience_gets_it(turned_bad):
    place = turned_bad.places["429"]
    first_failure(turned_bad, "429", turned_bad.failures_before["429"])
    wait_until(lambda: len([r for r in place.provider.requests(place.path) if r.started_s > turned_bad.turned_bad_s]) >= 3)
    answered = [r for r in place.provider.requests(place.path) if r.started_s > turned_bad.turned_bad_s][:3]
    for earlier, later in zip(answered, answered[1:]):
        assert later.started_s - earlier.ended_s > 1.9


def test_a_bad_answer_is_not_hammered_for(turned_bad):
    for name in ("500", "html", "empty set"):
        place = turned_bad.places[name]
        started = [request.started_s for request in place.provider.requests(place.path)]
        assert min(later - earlier for earlier, later in zip(started, started[1:])) > 0.75, name


@pytest.mark.parametrize("name", ["endless body", "endless chunks", "endless head"])
def test_no_more_is_read_than_the_cap(turned_bad, name):
    """What the provider could send beyond it lies in the sockets' buffers."""
    first_failure(turned_bad, name, turned_bad.failures_before[name])
    place = turned_bad.places[name]
    assert all(request.sent_bytes < 16 * 2**20 for request in place.provider.requests(place.path))


@pytest.fixture(scope="module")
def healed(turned_bad, certified, authority):
    for name in PROBLEMS:
        first_failure(turned_bad, name, turned_bad.failures_before[name])
    for certified_provider in certified.values():
        certified_provider.use_certificate(*authority.issue())
    for place in turned_bad.places.values():
        place.serve_good(HEALED_SET)
    return turned_bad


@pytest.mark.parametrize("name", [*PROBLEMS, "steady"])
def test_a_provider_that_is_good_again_is_believed(world, healed, name):
    wait_until(lambda: healed.introspect(world, name, HEALED_KEY).status == 200 and is_active(healed, world, name), timeout_s=40)
    expect.is_active(healed.introspect(world, name))
    changed = fetched.changes(healed.running, healed.places[name].issuer)
    assert [event["keys"] for event in changed] == [1, 2], changed


def is_active(stage, world, name):
    return json.loads(stage.introspect(world, name, HEALED_KEY).body)["active"]


# Bad from the start


class Discovered:
    """An issuer whose metadata say where its keys are; the issuer is a URL of the provider."""

    def __init__(self, provider, name):
        self.provider = provider
        self.name = name
        path = "/cold/" + name.replace(" ", "-")
        self.issuer = provider.url(path)
        self.openid_path = path + "/.well-known/openid-configuration"
        self.oauth_path = "/.well-known/oauth-authorization-server" + path
        self.jwks_path = path + "/keys"

    def entry(self):
        return fetched.issuer(self.issuer, **FAST)

    def metadata(self, **members):
        made = {"issuer": self.issuer, "jwks_uri": self.provider.url(self.jwks_path), "token_endpoint": "https://x.example.com", **members}
        return json.dumps({name: value for name, value in made.items() if value is not None})

    def serve_good(self, body=GOOD_SET):
        self.provider.serve(self.jwks_path, answer(body))
        self.provider.serve(self.openid_path, answer(self.metadata()))


def metadata_case(**members):
    """A document with these members in place of the right ones; the keys are where they should be."""

    def prepare(place):
        place.serve_good()
        place.provider.plain.serve(place.jwks_path, answer(GOOD_SET))
        found = {name: value(place) if callable(value) else value for name, value in members.items()}
        place.provider.serve(place.openid_path, answer(place.metadata(**found)))

    return prepare


def document_case(behaviour):
    def prepare(place):
        place.serve_good()
        place.provider.serve(place.openid_path, behaviour)

    return prepare


def only_keys_fail(behaviour):
    def prepare(place):
        place.serve_good()
        place.provider.serve(place.jwks_path, behaviour)

    return prepare


DISCOVERY = {
    "issuer of another": (metadata_case(issuer="https://idp.example.com"), "(?i)issuer"),
    "issuer with a slash": (metadata_case(issuer=lambda place: place.issuer + "/"), "(?i)issuer"),
    "issuer in capitals": (metadata_case(issuer=lambda place: place.issuer.replace("localhost", "LOCALHOST")), "(?i)issuer"),
    "issuer missing": (metadata_case(issuer=None), "(?i)issuer"),
    "issuer is a list": (metadata_case(issuer=lambda place: [place.issuer]), "(?i)issuer"),
    "jwks_uri missing": (metadata_case(jwks_uri=None), "jwks_uri"),
    "jwks_uri empty": (metadata_case(jwks_uri=""), "jwks_uri"),
    "jwks_uri relative": (metadata_case(jwks_uri=lambda place: place.jwks_path), "jwks_uri"),
    "jwks_uri is a number": (metadata_case(jwks_uri=7), "jwks_uri"),
    "jwks_uri of http": (metadata_case(jwks_uri=lambda place: place.provider.plain.url(place.jwks_path)), "jwks_uri"),
    "jwks_uri of a file": (metadata_case(jwks_uri="file:///etc/hostname"), "jwks_uri"),
    "jwks_uri with a line end": (metadata_case(jwks_uri=lambda place: place.provider.url(place.jwks_path) + "\r\nX: y"), "jwks_uri"),
    "document is html": (document_case(answer("<html>", content_type="text/html")), "(?i)JSON"),
    "document is a list": (document_case(answer("[]")), "(?i)JSON"),
    "document is cut off": (document_case(answer('{"issuer":')), "(?i)JSON"),
    "document is not there": (document_case(answer("", 404)), "404"),
    "document fails": (document_case(answer("", 500)), "[45]0[04]"),
    "document repeats issuer": (
        lambda place: document_case(answer(place.metadata()[:-1] + f',"issuer":"{place.issuer}"}}'))(place), "(?i)JSON"),
    "document redirects to http": (
        lambda place: document_case(redirect(place.provider.plain.url(place.openid_path)))(place), OTHER_SCHEME),
    "document is endless": (document_case(hostile_answers.endless_body), TOO_LARGE),
    "keys are not there": (only_keys_fail(answer("", 404)), "404"),
    "keys are html": (only_keys_fail(answer("<html>")), NOT_JSON),
}  # fmt: skip


class Deaf:
    """A place whose connections are made by the kernel and never served: TLS is not begun."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.issuer = "https://cold.example.com/deaf"

    def entry(self):
        port = self.listener.getsockname()[1]
        return fetched.issuer(self.issuer, f"https://localhost:{port}/jwks", **FAST, connect_timeout="1s")


class NoHost:
    """A place whose name does not resolve."""

    issuer = "https://cold.example.com/no-host"

    def entry(self):
        return fetched.issuer(self.issuer, "https://keys.invalid/jwks", **FAST, connect_timeout="2s")


@pytest.fixture(scope="module")
def cold(world, authority, provider, certified, start_module_server):
    bad_certificates = {name: Provider(issue(authority)).start() for name, (issue, _) in CERTIFICATES.items()}
    plain_in_disguise = Provider()
    plain_in_disguise.scheme = "https"
    plain_in_disguise.origin = plain_in_disguise.origin.replace("http:", "https:")
    places = {
        **case_places(provider, "cold"),
        **certificate_places(bad_certificates, "cold"),
        **{name: Discovered(provider, name) for name in DISCOVERY},
        "no host": NoHost(),
        "no tls": Place(plain_in_disguise.start(), "cold", "no-tls"),
        "deaf": Deaf(),
    }
    for name, case in CASES.items():
        places[name].serve(case.make(places[name]))
    for name in CERTIFICATES:
        places[name].serve_good()
    for name, (prepare, _) in DISCOVERY.items():
        prepare(places[name])
    entries = [place.entry(**(CASES[name].settings if name in CASES else {})) for name, place in places.items()]
    running = start_module_server(fetched.config(world, entries), {"ca.pem": authority.pem})
    stage = Stage(running, places)
    stage.bad_certificates = bad_certificates
    yield stage
    plain_in_disguise.stop()
    places["deaf"].listener.close()
    for started in bad_certificates.values():
        started.stop()


COLD_PROBLEMS = {**PROBLEMS, **{name: entry[1] for name, entry in DISCOVERY.items()}, "no tls": ".", "no host": "(?i)resolve|time(d )?out", "deaf": TIMED_OUT}
HOPELESS = ("no host", "deaf")


@pytest.mark.parametrize("name", COLD_PROBLEMS)
def test_without_keys_there_is_no_verdict(world, cold, name):
    failure = first_failure(cold, name)
    assert re.search(COLD_PROBLEMS[name], told(failure["problem"])), failure
    assert failure["has_keys"] is False, failure
    expect.unavailable(cold.introspect(world, name))
    status, problems, body = fetched.readyz(cold.running)
    assert status == 503 and body["ready"] is False and body["draining"] is False
    problem = problems[cold.places[name].issuer]
    assert problem["problem"] == "no usable key", problem
    assert re.search(COLD_PROBLEMS[name], told(problem["detail"])), problem
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", problem["since"]), problem


def test_no_redirect_and_no_document_led_to_http(cold, provider):
    for name in ("redirect to http", "jwks_uri of http", "document redirects to http"):
        first_failure(cold, name)
    assert provider.plain.connection_count == 0


def test_nothing_from_a_provider_breaks_the_log_or_floods_it(cold, turned_bad):
    """Each failed attempt is one line, however many keys were unusable, and of a bearable length."""
    for stage in (cold, turned_bad):
        first_failure(stage, "ten thousand unusable keys")
        lines = stage.running.server.stderr().splitlines()
        attempts = sum(1 for line in lines if '"keys_refresh_failed"' in line)
        assert len(lines) < 3 * attempts + 4 * len(stage.places) + 100
        assert max(map(len, lines)) < 2000


@pytest.fixture(scope="module")
def cured(cold, authority):
    for name in COLD_PROBLEMS:
        first_failure(cold, name)
    for bad in cold.bad_certificates.values():
        bad.use_certificate(*authority.issue())
    cold.places["no tls"].provider.use_certificate(*authority.issue())
    for name, place in cold.places.items():
        if name not in HOPELESS:
            place.serve_good()
    return cold


@pytest.mark.parametrize("name", [name for name in COLD_PROBLEMS if name not in HOPELESS])
def test_keys_that_come_at_last_are_used(world, cured, name):
    wait_until(lambda: cured.introspect(world, name).status == 200, timeout_s=40)
    expect.is_active(cured.introspect(world, name))
    assert cured.places[name].issuer not in fetched.readyz(cured.running)[1]


def test_readiness_names_those_that_are_left(cured):
    left = {cured.places[name].issuer for name in HOPELESS}
    wait_until(lambda: set(fetched.readyz(cured.running)[1]) == left, timeout_s=40)
    status, _, body = fetched.readyz(cured.running)
    assert (status, body["ready"]) == (503, False)


# What is good, though it does not look like it


def many_keys(count):
    keys = [fetched.new_key(f"key-{i}") for i in range(3)]
    members = [tokens.public_jwk(keys[0])]
    members += [{**tokens.public_jwk(keys[1]), "kid": f"filler-{i}"} for i in range(count - 2)]
    members.append(tokens.public_jwk(keys[2]))
    return keys[0], keys[2], json.dumps({"keys": members})


FIRST_OF_MANY, LAST_OF_MANY, MANY = many_keys(10000)


def oauth_document_only(place):
    place.provider.serve(place.jwks_path, answer(GOOD_SET))
    place.provider.serve(place.oauth_path, answer(place.metadata()))


def document_with_everything(place):
    place.serve_good()
    members = {"jwks_uri_": "http://x", "x-nested": {"a": [None, 1.5, {"b": "\u2028"}]}, "grant_types_supported": ["x"] * 1000}
    place.provider.serve(place.openid_path, answer(place.metadata(**members)))


def redirected_document(place):
    place.serve_good()
    place.provider.serve(place.openid_path, redirect(place.oauth_path))
    place.provider.serve(place.oauth_path, answer(place.metadata()))


UNUSUAL = {
    "unusable keys among good ones": always(answer(json.dumps({"keys": [*UNUSABLE_KEYS, EC_MEMBERS, *UNUSABLE_KEYS]})), None),
    "entries that are no objects": always(answer(json.dumps({"keys": [None, 7, "x", [], EC_MEMBERS]})), None),
    "more members": always(answer(json.dumps({"x": {}, "keys": [{**EC_MEMBERS, "x-y": [1], "x5c": ["no"]}]})), None),
    "private keys": always(answer(json.dumps({"keys": [tokens.private_jwk(GOOD_KEY)]})), None),
    "white space": always(answer(f" \r\n\t{GOOD_SET}\n\n"), None),
    "other content type": always(answer(GOOD_SET, content_type="text/html; charset=utf-16"), None),
    "chunked": always(hostile_answers.chunked(GOOD_SET), None),
    "until close": always(hostile_answers.until_close(GOOD_SET), None),
    "interim answers": always(raw(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 3
                                  + head(200, [("Content-Length", len(GOOD_SET))]) + GOOD_SET.encode()), None),
    "redirect": Case(lambda place: redirect_chain(place, 1), None),
    "three redirects": Case(lambda place: redirect_chain(place, 3), None),
}  # fmt: skip
UNUSUAL_DISCOVERY = {
    "oauth document only": oauth_document_only,
    "document with everything": document_with_everything,
    "redirected document": redirected_document,
}


@pytest.fixture(scope="module")
def unusual(world, authority, provider, start_module_server):
    places = {name: Place(provider, "unusual", name.replace(" ", "-")) for name in UNUSUAL}
    places.update({name: Discovered(provider, name) for name in UNUSUAL_DISCOVERY})
    for name, place in places.items():
        if name in UNUSUAL:
            place.serve(UNUSUAL[name].make(place))
        else:
            UNUSUAL_DISCOVERY[name](place)
    http2 = Http2Provider(authority.issue(), GOOD_SET).start()
    places["http/2"] = Place(http2, "unusual", "http2")
    over_http = places["http where it is allowed"] = Place(provider.plain, "unusual", "http")
    over_http.serve_good()
    plain = {"allow_http": True, "ca_file": None}
    entries = [place.entry(**(plain if place is over_http else {})) for place in places.values()]
    running = start_module_server(fetched.config(world, entries), {"ca.pem": authority.pem})
    yield Stage(running, places)
    http2.stop()


@pytest.mark.parametrize("name", [*UNUSUAL, *UNUSUAL_DISCOVERY, "http/2", "http where it is allowed"])
def test_unusual_providers_are_understood(world, unusual, name):
    wait_until(lambda: unusual.introspect(world, name).status == 200, timeout_s=60)
    expect.is_active(unusual.introspect(world, name))
    assert not fetched.failures(unusual.running, unusual.places[name].issuer)


def test_ten_thousand_keys(world, authority, provider, start_module_server):
    """They are taken where so many bytes are allowed, and cost a token little: the kid is looked up, without one there are a few tries."""
    place = Place(provider, "unusual", "ten-thousand-keys")
    place.serve(answer(MANY))
    entry = place.entry(fetch_max_bytes="8MiB", refresh_max="1h")
    running = start_module_server(fetched.config(world, [entry]), {"ca.pem": authority.pem})
    stage = Stage(running, {"many": place})
    wait_until(stage.all_are_ready, timeout_s=60)
    for key in (FIRST_OF_MANY, LAST_OF_MANY):
        expect.is_active(stage.introspect(world, "many", key))
    with running.endpoints["h1"].connect() as connection:
        for _ in range(20):
            nobody = fetched.token(GOOD_KEY, place.issuer, kid=None)
            expect.inactive(running.endpoints["h1"].introspect(nobody, world.rfc, connection=connection), 200)
    assert fetched.changes(running, place.issuer)[0]["keys"] == 10000


def test_private_keys_are_reported(unusual):
    """Whoever publishes private keys should hear of it."""
    issuer = unusual.places["private keys"].issuer
    wait_until(lambda: fetched.changes(unusual.running, issuer))
    assert any("private" in json.dumps(event) for event in unusual.running.server.log())


# What an operator may not ask for


@pytest.mark.parametrize("url", ["http://localhost:1/jwks", "file:///etc/hostname", "ftp://localhost/jwks", "jwks.json", "https://"])
def test_only_https_without_leave(world, directory, url):
    path = write_config(directory, fetched.config(world, [fetched.issuer("https://idp.example.com/", url, ca_file=None)]), world.files)
    done = run("check", "--config", path)
    assert done.returncode == 78 and "jwks_url" in done.stderr, done
