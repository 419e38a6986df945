"""A real Prometheus scrapes introspectd, and every expression of docker/monitoring is put to it."""

import collections
import pathlib
import shutil
import subprocess
import tempfile

import machine
import monitoring
import pytest
import scene as scenes
from harness import tokens
from harness.endpoint import FORM, basic, form_body
from harness.http1 import Http1Connection
from harness.secrecy import assert_nothing_secret_was_logged
from harness.server import wait_until
from harness.world import AUDIENCE, MAIN, Client, World
from prometheus import JOB, Prometheus, QueryFailed

WINDOW = "1m"
ARRIVAL_TIMEOUT_S = 60
INVENTED = "invented"


@pytest.fixture(scope="module")
def asked():
    """(scene, Prometheus): one has been asked all kinds of things, the other knows all of it."""
    machine.need_programs("prometheus", "promtool")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-"))
    try:
        (folder / "prometheus").mkdir()
        world = World()
        with scenes.started(world, folder) as scene:
            with Prometheus(folder / "prometheus", scene.admin.address, [monitoring.RULES]) as prometheus:
                scene.ask_everything()
                scene.reload()
                scene.ask_everything()
                wait_for_arrival(scene, prometheus)
                yield scene, prometheus
        assert_nothing_secret_was_logged(world)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def scene(asked):
    return asked[0]


@pytest.fixture
def prometheus(asked):
    return asked[1]


def requests_of(prometheus):
    """What Prometheus knows of introspectd_requests_total, as Scene.answered has it."""
    found = prometheus.query("sum by (profile, protocol, outcome) (introspectd_requests_total) > 0")
    return collections.Counter({(labels["profile"], labels["protocol"], labels["outcome"]): int(value) for labels, value in found})


def wait_for_arrival(scene, prometheus):
    total = sum(scene.answered.values())
    wait_until(lambda: prometheus.numbers("sum(introspectd_requests_total)") == [total], ARRIVAL_TIMEOUT_S, 0.2)


def test_promtool_finds_nothing_to_complain_about(scene):
    done = subprocess.run(["promtool", "check", "metrics"], input=scene.metrics().text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_promtool_would_complain():
    """What the test above relies on."""
    machine.need_programs("promtool")
    bad = "# TYPE introspectd_lookups counter\nintrospectd_lookups 1\n"
    assert subprocess.run(["promtool", "check", "metrics"], input=bad, capture_output=True, text=True, check=False).returncode != 0


def test_every_outcome_was_asked_for(scene):
    outcomes = {outcome for _, _, outcome in scene.answered}
    assert outcomes == {"active", "inactive", "unavailable", "overloaded", "unauthorized", "throttled", "invalid"}
    assert {profile for profile, _, _ in scene.answered} == {"front_private", "front_shared", "rfc7662", "none"}


def test_requests_are_what_was_asked(scene, prometheus):
    assert requests_of(prometheus) == scene.answered


def test_counters_agree_with_each_other(scene, prometheus):
    def total(expression):
        (value,) = prometheus.numbers(f"sum({expression})")
        return value

    by_outcome = collections.Counter()
    for (_, _, outcome), count in scene.answered.items():
        by_outcome[outcome] += count
    verdicts = by_outcome["active"] + by_outcome["inactive"]
    assert total("introspectd_inactive_total") == by_outcome["inactive"]
    assert total("introspectd_no_verdict_total") == by_outcome["unavailable"]
    assert total('introspectd_client_requests_total{outcome="active"}') == by_outcome["active"]
    assert total('introspectd_refusals_total{limit="waiting"}') == by_outcome["overloaded"]
    assert total('introspectd_refusals_total{limit="failed_authentications"}') == by_outcome["throttled"]
    durations = total("introspectd_request_duration_seconds_count")
    assert durations == total("introspectd_cache_hits_total") + total("introspectd_cache_misses_total") >= verdicts


def test_every_family_arrives_with_its_type(scene, prometheus):
    known = {name: entries[0]["type"] for name, entries in prometheus.get("metadata").items()}
    families = scene.metrics().families
    assert {name: known.get(name) for name in families} == families
    (samples,) = prometheus.numbers(f'scrape_samples_scraped{{job="{JOB}"}}')
    assert samples == len(scene.metrics().series())


def test_every_panel_has_data(prometheus):
    empty = [(title, expression) for title, expression in monitoring.panel_expressions(WINDOW) if not prometheus.numbers(expression)]
    assert not empty, empty


def test_the_variables_of_the_dashboard_have_values(prometheus):
    for variable in monitoring.dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            series, label = variable["definition"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            for name in ("$job", "$instance"):
                series = series.replace(name, ".*")
            assert all(labels[label] for labels, _ in prometheus.query(series)), variable
            assert prometheus.query(series), variable


def test_every_rule_is_evaluated(prometheus):
    names = [rule.get("record") or rule["alert"] for rule in monitoring.rules()]
    wait_until(lambda: all(rule["health"] != "unknown" for rule in prometheus.rules()), ARRIVAL_TIMEOUT_S, 0.2)
    assert sorted(rule["name"] for rule in prometheus.rules()) == sorted(names)
    assert [rule for rule in prometheus.rules() if rule["health"] != "ok" or rule.get("lastError")] == []
    for rule in monitoring.rules():
        found = prometheus.query(rule["expr"])
        assert found or "alert" in rule, rule


def test_an_expression_that_is_wrong_is_refused(prometheus):
    """What the tests above rely on."""
    with pytest.raises(QueryFailed):
        prometheus.query("rate(introspectd_requests_total)")


def test_the_issuer_without_keys_is_alerted(prometheus):
    """One alert goes all the way, from the real metrics."""
    rule = next(rule for rule in prometheus.rules() if rule["name"] == "IntrospectdIssuerWithoutKeys")
    assert [alert["labels"]["issuer"] for alert in rule["alerts"]] == [scenes.NARROW]
    assert rule["alerts"][0]["state"] in ("pending", "firing")


def test_what_dashboard_and_rules_name_is_there(scene):
    expressions = [expression for _, expression in monitoring.panel_expressions(WINDOW)] + [rule["expr"] for rule in monitoring.rules()]
    metrics = scene.metrics()
    named = {metrics.family_of(name) for name in monitoring.metrics_of(expressions)}
    assert named - set(metrics.families) == set()


def test_what_is_there_is_on_the_dashboard_or_left_out_for_a_reason(scene):
    metrics = scene.metrics()
    shown = {metrics.family_of(name) for name in monitoring.metrics_of(expression for _, expression in monitoring.panel_expressions(WINDOW))}
    assert set(metrics.families) - shown == set(monitoring.NOT_SHOWN)


def hostile_requests(scene, number):
    """Requests whose every part is invented; how many."""
    world, name = scene.world, f'{INVENTED}-{number}"}}\\n{{ 1'
    endpoint = scene.endpoints["h2c" if number % 2 else "h1"]
    credentials = basic(world.rfc.client_id, world.rfc.secret)
    for token in (
        world.token(issuer=f"https://{INVENTED}-{number}.example.com/{name}"),
        world.token(header={"kid": name, "typ": name, "jku": f"https://{INVENTED}.example.com"}),
        tokens.sign_raw(world.keys["rsa"], "RS256", {"alg": name}, tokens.claims(MAIN, AUDIENCE)),
        world.token(sub=name, aud=name, client_id=name, scope=name),
    ):
        endpoint.introspect(token, world.rfc)
    endpoint.introspect(world.token(), Client(f"{INVENTED}-{number}\"", "guess"))
    plain = f"{INVENTED}-{number}"
    endpoint.request("POST", f"/{plain}?{plain}={plain}", [("Content-Type", f"text/{plain}"), ("X-Forwarded-For", plain)], b"")
    endpoint.request("POST", endpoint.path, [credentials, ("Content-Type", FORM), ("User-Agent", name)], form_body((plain, name)))
    endpoint.request(f"BREW{number}", endpoint.path)
    with scene.endpoints["h1"].open_socket() as sock, Http1Connection(sock) as connection:
        sock.sendall(f"GET /{plain} HTTP/9.{number}\r\n{plain}: {plain}\r\n\r\n".encode("ascii"))
        connection.is_closed_by_peer()
    return 8


def test_what_callers_invent_is_no_series(scene, prometheus):
    series = f'count({{job="{JOB}", __name__=~"introspectd_.+|process_.+"}})'
    before, labels_before = scene.metrics().series(), set(prometheus.get("labels"))
    stored = prometheus.numbers(series)
    (total,) = prometheus.numbers("sum(introspectd_requests_total)")
    asked = sum(hostile_requests(scene, number) for number in range(20))
    wait_until(lambda: prometheus.numbers("sum(introspectd_requests_total)")[0] >= total + asked, ARRIVAL_TIMEOUT_S, 0.2)
    after = scene.metrics()
    assert after.series() == before
    assert INVENTED not in after.text
    assert prometheus.numbers(series) == stored
    assert set(prometheus.get("labels")) == labels_before
    for label in labels_before:
        assert not [value for value in prometheus.get(f"label/{label}/values") if INVENTED in value]
