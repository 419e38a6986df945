"""The metrics: that they count what was asked, and nothing that a caller says becomes a series."""

import json
import time

import pytest

from harness import fetched, tokens
from harness.authority import Authority
from harness.endpoint import FORM, basic, form_body
from harness.metrics import Changes, Metrics
from harness.provider import Provider, answer
from harness.reload import Reloads
from harness.server import wait_until
from harness.world import MAIN, OTHER, Client

REQUESTS = "introspectd_requests_total"
CLIENTS = "introspectd_client_requests_total"
INACTIVE = "introspectd_inactive_total"
DURATION = "introspectd_request_duration_seconds"


@pytest.fixture
def plain(start_server):
    return start_server()


@pytest.fixture
def changes(plain):
    return Changes(plain.admin)


def test_every_family_is_declared_once_before_its_samples(running):
    metrics = Metrics(running.admin)
    declared = set()
    for line in metrics.text.splitlines():
        if line.startswith("# TYPE "):
            declared.add(line.split(" ")[2])
        elif not line.startswith("#"):
            name = metrics.family_of(line.split("{")[0].split(" ")[0])
            assert name in declared, line
    for name, kind in metrics.families.items():
        assert (kind == "counter") == name.endswith("_total"), name
        assert name.startswith(("introspectd_", "process_")), name


@pytest.mark.parametrize("protocol, label", [("h1", "http1"), ("h2c", "http2")])
def test_requests_by_profile_protocol_and_outcome(plain, changes, world, protocol, label):
    endpoint = plain.endpoints[protocol]
    good, dead = world.token(channel="c"), world.token(exp=1)
    channel = world.token(front_channel_name="a", front_channel_address="b")
    endpoint.introspect(good, world.rfc)
    endpoint.introspect(good, world.rfc)
    endpoint.introspect(channel, world.private)
    endpoint.introspect(dead, world.shared)
    endpoint.introspect(good, Client("nobody"))
    endpoint.post(form_body(("x", "y")), authorization=basic(world.rfc.client_id, world.rfc.secret))
    endpoint.request("GET", "/introspect")
    endpoint.request("POST", "/elsewhere", [("Content-Type", FORM)], b"token=x")
    assert changes.of(REQUESTS) == {
        (REQUESTS, "active", "rfc7662", label): 2,
        (REQUESTS, "active", "front_private", label): 1,
        (REQUESTS, "inactive", "front_shared", label): 1,
        (REQUESTS, "unauthorized", "none", label): 1,
        (REQUESTS, "invalid", "rfc7662", label): 1,
        (REQUESTS, "invalid", "none", label): 2,
    }
    assert changes.of(CLIENTS) == {
        (CLIENTS, world.rfc.client_id, "active"): 2,
        (CLIENTS, world.private.client_id, "active"): 1,
        (CLIENTS, world.shared.client_id, "inactive"): 1,
    }


def test_a_body_that_the_library_refuses_is_a_request(plain, changes):
    response = plain.endpoints["h1"].post(b"token=" + b"x" * (3 << 20))
    assert response.status == 413
    assert changes.of(REQUESTS) == {(REQUESTS, "invalid", "none", "http1"): 1}


def test_inactive_by_reason(plain, changes, world):
    endpoint = plain.endpoints["h1"]
    forged = world.token(key=world.stranger["rsa"])
    for token in (world.token(exp=1), forged, forged, "no-token", world.token(issuer="https://nobody.example.com")):
        endpoint.introspect(token, world.rfc)
    assert changes.of(INACTIVE) == {
        (INACTIVE, "expired"): 1,
        (INACTIVE, "bad_signature"): 2,
        (INACTIVE, "malformed"): 1,
        (INACTIVE, "wrong_issuer"): 1,
    }


def test_no_verdict(world, start_server):
    config = world.config()
    config["issuers"][0]["jwks_file"] = "empty.json"
    started = start_server(config, {"empty.json": '{"keys":[]}'})
    changes = Changes(started.admin)
    started.endpoints["h1"].introspect(world.token(), world.rfc)
    assert changes.of(REQUESTS, "introspectd_no_verdict_total", INACTIVE) == {
        (REQUESTS, "unavailable", "rfc7662", "http1"): 1,
        ("introspectd_no_verdict_total", "keys_unavailable"): 1,
    }
    now = Metrics(started.admin)
    assert now.value("introspectd_ready") == 0
    assert now.value("introspectd_issuer_keys", issuer=MAIN) == 0
    assert now.value("introspectd_issuer_keys", issuer=OTHER) == 1


def test_throttled(world, start_server):
    config = world.config()
    config["limits"]["failed_authentications"] = 1
    started = start_server(config)
    changes = Changes(started.admin)
    stranger = Client("nobody")
    for _ in range(4):
        started.endpoints["h1"].introspect(world.token(), stranger)
    grown = changes.of(REQUESTS)
    assert set(grown) == {(REQUESTS, "unauthorized", "none", "http1"), (REQUESTS, "throttled", "none", "http1")}
    assert sum(grown.values()) == 4


def test_durations_add_up_to_hits_and_misses(plain, changes, world):
    endpoint, token = plain.endpoints["h2c"], world.token("ES256")
    with endpoint.connect() as connection:
        for _ in range(5):
            endpoint.introspect(token, world.rfc, connection=connection)
    now = Metrics(plain.admin)
    for cached, count, name in (("false", 1, "misses"), ("true", 4, "hits")):
        buckets = [
            (float(dict(labels)["le"]), value)
            for (sample, labels), value in now.samples.items()
            if sample == DURATION + "_bucket" and dict(labels)["cached"] == cached
        ]
        assert buckets == sorted(buckets) and buckets[-1] == (float("inf"), count)
        assert [value for _, value in buckets] == sorted(value for _, value in buckets)
        assert now.value(DURATION + "_count", cached=cached) == count
        assert now.value(f"introspectd_cache_{name}_total") == count
    # A signature takes some time, and all of this test less than a minute.
    assert 1e-5 < now.value(DURATION + "_sum", cached="false") < 60


def test_the_cache_by_partition(world, start_server):
    started = start_server(world.config(cache={"max_bytes": "64KiB", "stripes": 1}))
    endpoint = started.endpoints["h1"]
    endpoint.introspect(world.token(), world.rfc)
    for number in range(60):
        endpoint.introspect(f"bad-{number}", world.rfc)
    now = Metrics(started.admin)
    assert now.value("introspectd_cache_entries", partition="active") == 1
    assert now.value("introspectd_cache_evictions_total", partition="active") == 0
    kept, gone = (
        now.value(name, partition="inactive") for name in ("introspectd_cache_entries", "introspectd_cache_evictions_total")
    )
    assert kept + gone == 60 and gone > 0
    used = sum(now.value("introspectd_cache_bytes", partition=partition) for partition in ("active", "inactive"))
    assert 0 < used <= now.value("introspectd_cache_max_bytes") == 64 * 1024


def test_a_client_keeps_its_counts_over_reloads(plain, world):
    endpoint, reloads, token = plain.endpoints["h1"], Reloads(plain.server), world.token()
    endpoint.introspect(token, world.rfc)
    endpoint.introspect(token, world.strict_rfc)

    def change(config):
        config["clients"] = [entry for entry in config["clients"] if entry["client_id"] != world.strict_rfc.client_id]
        config["clients"].insert(0, {**config["clients"][0], "client_id": "a-first-one"})

    reloads.change_config(change)
    wait_until(lambda: len(reloads.outcomes()) == 1)
    endpoint.introspect(token, world.rfc)
    now = Metrics(plain.admin)
    assert now.value(CLIENTS, client=world.rfc.client_id, outcome="active") == 2
    assert now.value(CLIENTS, client=world.strict_rfc.client_id, outcome="active") == 1
    assert now.value(CLIENTS, client="a-first-one", outcome="active") == 0


def test_reloads(plain):
    reloads = Reloads(plain.server)
    before = Metrics(plain.admin)
    assert before.value("introspectd_config_last_reload_successful") == 1
    taken_s = before.value("introspectd_config_last_reload_timestamp_seconds")
    assert abs(taken_s - time.time()) < 60
    good = reloads.config()
    reloads.put_config("nonsense: 1\n")
    wait_until(lambda: Metrics(plain.admin).value("introspectd_config_reloads_total", result="refused") >= 1)
    refused = Metrics(plain.admin)
    assert refused.value("introspectd_config_last_reload_successful") == 0
    assert refused.value("introspectd_config_reloads_total", result="applied") == 0
    assert refused.value("introspectd_config_last_reload_timestamp_seconds") == taken_s
    reloads.put_config(good)
    wait_until(lambda: Metrics(plain.admin).value("introspectd_config_reloads_total", result="applied") == 1)
    applied = Metrics(plain.admin)
    assert applied.value("introspectd_config_last_reload_successful") == 1
    assert applied.value("introspectd_config_last_reload_timestamp_seconds") >= taken_s


def test_connections_come_and_go(plain):
    def connections():
        return Metrics(plain.admin).value("introspectd_connections")

    assert connections() == 0
    with plain.endpoints["h1"].connect(), plain.endpoints["h2c"].connect():
        wait_until(lambda: connections() == 2)
    wait_until(lambda: connections() == 0)


def test_accepted_connections(plain):
    # Those that the start was waited for with have come before this one.
    plain.endpoints["h1"].request("GET", "/introspect")
    changes = Changes(plain.admin)
    for protocol in ("h1", "h2c", "h1"):
        plain.endpoints[protocol].request("GET", "/introspect")
    assert list(changes.of("introspectd_connections_accepted_total").values()) == [3]


def test_fetches(world, start_server):
    """Attempts, failures, and how old the keys are: for issuers whose keys are fetched, under the issuer's name."""
    issuer, key, authority = "https://fetched.example.com", fetched.new_key("key"), Authority()
    with Provider(authority.issue()) as provider:
        provider.serve("/keys", answer(tokens.jwks(key)))
        entries = [fetched.issuer(issuer, provider.url("/keys"), refresh_min="1s", refresh_max="1s"), world.issuers()[0]]
        started = start_server(fetched.config(world, entries), {"ca.pem": authority.pem})

        def value(name):
            return Metrics(started.admin).value(name, issuer=issuer)

        wait_until(lambda: value("introspectd_key_fetches_total") >= 2)
        assert value("introspectd_key_fetch_failures_total") == 0
        assert value("introspectd_issuer_keys") == 1
        provider.serve("/keys", answer("nonsense"))
        wait_until(lambda: value("introspectd_key_fetch_failures_total") >= 1)
        wait_until(lambda: value("introspectd_issuer_keys_age_seconds") >= 2)
        assert value("introspectd_issuer_keys") == 1
        now = Metrics(started.admin)
        assert not [labels for name, labels in now.series() if name.startswith("introspectd_key_") and dict(labels)["issuer"] == MAIN]
        assert now.value("introspectd_issuer_keys_age_seconds", issuer=MAIN) < 600


def test_what_callers_say_is_no_series(plain, world):
    endpoint = plain.endpoints["h1"]
    endpoint.introspect(world.token(), world.rfc)
    before = Metrics(plain.admin).series()
    for number in range(20):
        name = f"invented-{number}"
        endpoint.introspect(world.token(issuer=f"https://{name}.example.com"), world.rfc)
        endpoint.introspect(world.token(header={"kid": name, "typ": name}), world.rfc)
        endpoint.introspect(world.token(sub=name, aud=name), world.rfc)
        endpoint.introspect(world.token(), Client(name))
        endpoint.request("POST", "/" + name, [("Content-Type", f"text/{name}"), ("User-Agent", name)], b"")
        endpoint.request("BREW" + str(number), "/introspect")
    after = Metrics(plain.admin)
    assert after.series() == before
    assert "invented" not in after.text


def test_names_of_the_config_are_escaped(world, start_server):
    """What an operator may write into a config does not break the text."""
    config, client = world.config(), Client('a"b\\c{}')
    config["clients"] = [world.client_entry(world.rfc), {**world.client_entry(world.rfc), "client_id": client.client_id}]
    config["issuers"][0]["issuer"] = 'https://idp.example.com/"} 1 \\n'
    started = start_server(config)
    now = Metrics(started.admin)
    assert now.value(CLIENTS, client=client.client_id, outcome="active") == 0
    assert now.value("introspectd_issuer_keys", issuer=config["issuers"][0]["issuer"]) > 0


def test_the_process(plain):
    now = Metrics(plain.admin)
    pid = plain.server.process.pid
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    assert now.value("process_threads") == int(fields[17])
    assert now.value("process_virtual_memory_bytes") > now.value("process_resident_memory_bytes") > 1 << 20
    assert 0 < now.value("process_open_fds") < now.value("process_max_fds")
    assert abs(now.value("process_start_time_seconds") - time.time()) < 60
    assert now.value("introspectd_threads") == 2
    assert now.value("introspectd_ready") == 1 and now.value("introspectd_draining") == 0
    labels = next(dict(labels) for name, labels in now.series() if name == "introspectd_build_info")
    assert labels["libh2o"] == "2.2.5" and labels["openssl"].startswith("3.")


def test_head_and_other_methods(running):
    head = running.admin.request("HEAD", "/metrics")
    assert head.status == 200 and head.body == b""
    assert running.admin.request("POST", "/metrics", [], b"").status == 405
    assert json.loads(running.admin.request("POST", "/metrics", [], b"").body)["error"] == "invalid_request"
