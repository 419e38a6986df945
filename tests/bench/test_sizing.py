"""The replay of a trace over the product's cache, held against a plain cache and against what is reckoned; and the arithmetic of the table."""

import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import results  # noqa: E402
from sizing import closed_form, replicas, table  # noqa: E402

SMALL = replicas.Trace(tokens=5000, rate_per_s=500, life_s=400, max_ttl_s=60)
ANSWER_BYTES = 220  # of the tool's answers, with what it takes to keep one
TRACED = dataclasses.replace(SMALL, rate_per_s=100)


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    """Compiled here: the tests run beside a build without the benchmarks."""
    path = tmp_path_factory.mktemp("sizing") / "replay"
    sources = [ROOT / "bench/sizing/replay.c", *sorted((ROOT / "src/cache").glob("*.c"))]
    subprocess.run(["cc", "-std=c17", "-O2", "-D_GNU_SOURCE", "-I", ROOT / "include", "-o", path, *sources, "-lm"], check=True)
    return path


def traced(tool, trace, count):
    """The requests of a replay: second, replica, place, number, expiry, whether it was a hit."""
    output = replicas.replay(tool, trace, count, 0, 600, "--trace")
    return [tuple(int(word) for word in line.split()) for line in output.splitlines()]


@pytest.mark.parametrize("balancing", replicas.VARIED["balancing"])
@pytest.mark.parametrize("count", [1, 5])
def test_replicas_are_as_many_plain_caches(tool, count, balancing):
    """With room for all answers the product's cache holds exactly what has not run out."""
    kept = [{} for _ in range(count)]
    requests = traced(tool, dataclasses.replace(TRACED, balancing=balancing), count)
    assert len(requests) == 600 * TRACED.rate_per_s
    for now_s, replica, place, number, expiry_s, is_hit in requests:
        assert now_s < expiry_s <= now_s + SMALL.life_s
        until_s = kept[replica].get((place, number), 0)
        assert is_hit == (now_s < until_s)
        if not is_hit:
            kept[replica][place, number] = min(expiry_s, now_s + SMALL.max_ttl_s)
    assert {request[1] for request in requests} == set(range(count))
    if balancing == "by-token":
        assert all(len({request[1] for request in requests if request[2] == place}) <= 1 for place in range(20))


def test_tokens_are_asked_for_by_zipfs_law(tool):
    requests = traced(tool, TRACED, 1)
    counted = [0] * SMALL.tokens
    for request in requests:
        counted[request[2]] += 1
    shares = [share for count, share in closed_form.popularity(SMALL.tokens, SMALL.exponent) for _ in range(count)]
    assert len(shares) == SMALL.tokens and math.isclose(sum(shares), 1)
    for first, last in ((0, 1), (1, 10), (10, 100), (100, 1000), (1000, 5000)):
        expected = sum(shares[first:last]) * len(requests)
        assert abs(sum(counted[first:last]) - expected) < 5 * math.sqrt(expected)


def test_a_seed_gives_one_trace_for_any_number_of_replicas(tool):
    one, three = (traced(tool, TRACED, count) for count in (1, 3))
    assert one == traced(tool, TRACED, 1)
    assert [request[:1] + request[2:5] for request in one] == [request[:1] + request[2:5] for request in three]


@pytest.mark.parametrize(
    "changes",
    [{}, {"exponent": 0.6}, {"exponent": 1.2}, {"max_ttl_s": 400}, {"max_ttl_s": 500}, {"life_s": 100_000}, {"life_s": 61}, {"rate_per_s": 50}],
    ids=str,
)
def test_the_replay_agrees_with_what_is_reckoned(tool, changes):
    trace = dataclasses.replace(SMALL, **changes)
    for count in (1, 4, 16):
        row = replicas.simulate(tool, trace, count)
        assert row["evictions"] == 0
        assert row["hit_ratio"] == pytest.approx(row["reckoned_hit_ratio"], abs=0.01)


def test_of_tokens_that_live_long_the_usual_formula_holds(tool):
    demand = dataclasses.replace(SMALL, life_s=1_000_000).demand()
    for count in (1, 16):
        usual = closed_form.simple_hit_ratio(demand, count, SMALL.max_ttl_s)
        assert closed_form.hit_ratio(demand, count, SMALL.max_ttl_s) == pytest.approx(usual, abs=0.001)


def test_where_exact_and_long_lives_meet_they_agree():
    for rate in (0.001, 0.1, 10):
        exact, long = (closed_form.answers_made(rate, life_s, 10) / life_s for life_s in (1999, 2001))
        assert exact == pytest.approx(long, rel=0.01)


def test_a_full_cache_agrees_with_ches_approximation(tool):
    """Without an end of answers or tokens it is an LRU cache: Che, Tung and Wang, Hierarchical Web Caching Systems, 2002."""
    trace = dataclasses.replace(SMALL, tokens=50_000, life_s=1_000_000, max_ttl_s=1_000_000, rate_per_s=2000, max_bytes=replicas.MIB)
    count = 2
    counted = replicas.replay(tool, trace, count, 400, 400)
    rows = dict(part.split(":") for part in counted.strip('{}\n').replace('"', "").split(","))
    capacity, rates = int(rows["entries"]) / count, trace.demand().rates(count)
    assert int(rows["evictions"]) > 0 and capacity < trace.tokens / 4
    low, high = 0.0, 1e6
    for _ in range(100):
        middle = (low + high) / 2
        kept = sum(tokens * -math.expm1(-rate * middle) for tokens, rate in rates)
        low, high = (middle, high) if kept < capacity else (low, middle)
    expected = sum(tokens * rate * -math.expm1(-rate * low) for tokens, rate in rates) / sum(tokens * rate for tokens, rate in rates)
    assert int(rows["hits"]) / int(rows["requests"]) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("changes", [{}, {"life_s": 50}, {"exponent": 0.6}], ids=str)
def test_room_for_the_answers_that_are_alive_is_enough(tool, changes):
    trace = dataclasses.replace(SMALL, **changes)
    for count in (1, 4):
        room = closed_form.answers_alive(trace.demand(), count, trace.max_ttl_s) * ANSWER_BYTES / (1 - table.INACTIVE_SHARE)
        enough, quarter = (dataclasses.replace(trace, max_bytes=int(size)) for size in (1.1 * room, room / 4))
        full = replicas.simulate(tool, enough, count)
        assert full["hit_ratio"] == pytest.approx(full["reckoned_hit_ratio"], abs=0.01)
        assert replicas.simulate(tool, quarter, count)["hit_ratio"] < full["hit_ratio"] - 0.01


def test_a_share_of_new_tokens_gives_their_life():
    for new_share in (0.001, 0.05, 0.3):
        demand = closed_form.demand_of(1000, new_share, 20_000, 1.0)
        assert closed_form.share_of_new(demand) == pytest.approx(new_share, rel=0.001)
        # An answer that is kept as long as its token lives is made for new tokens alone.
        assert 1 - closed_form.hit_ratio(demand, 1, demand.life_s) == pytest.approx(new_share, rel=0.001)


def write_results(folder):
    """Rounds whose medians are known."""

    def rows(part, **case):
        return [
            {"round": number, "part": part, "body": "form", "algorithm": "RS256", **case, "server": server, "cpu_us_per_request": cost}
            for server, factor in (("introspectd", 1), ("bare libh2o", 0.5))
            for number, cost in enumerate((0.9 * case["us"] * factor, case["us"] * factor, 7 * case["us"] * factor))
        ]

    hot = [row for protocol, flight, us in (("h1", 1, 10), ("h2c", 16, 4), ("tls-h2", 16, 6)) for row in rows("hot", protocol=protocol, in_flight=flight, us=us)]
    cold = [
        row
        for algorithm, us in (("RS256", 50), ("ES256", 100))
        for protocol, flight in (("h1", 1), ("h2c", 16))
        for row in rows("cold", protocol=protocol, in_flight=flight, us=us, algorithm=algorithm)
    ]
    results.write_csv(folder, "hot", hot, {})
    results.write_csv(folder, "cold", cold, {})
    results.write_csv(folder, "memory", [{"idle_rss_mib": 12, "bytes_per_entry": 200}], {})


def test_costs_are_the_medians_that_were_measured(tmp_path):
    write_results(tmp_path)
    assert table.read_costs(tmp_path, "HTTP/1.1", "RS256") == table.Costs(10, 50, 12 * table.MIB, 200)
    assert table.read_costs(tmp_path, "TLS HTTP/2", "ES256") == table.Costs(6, 102, 12 * table.MIB, 200)
    with pytest.raises(SystemExit, match="not measured"):
        table.read_costs(tmp_path, "HTTP/1.1", "PS512")
    (tmp_path / "cold.csv").unlink()
    with pytest.raises(SystemExit, match="cold"):
        table.read_costs(tmp_path, "HTTP/1.1", "RS256")


def test_no_replica_is_busier_than_planned_and_none_is_too_many():
    costs = table.Costs(10, 50, 12 * table.MIB, 200)
    for deployment in table.DEPLOYMENTS:
        size = table.size_of(deployment, costs)
        assert size.cores <= table.BUSY * size.replicas
        assert size.cores == pytest.approx(deployment.rate_per_s * (50 - 40 * size.hit_ratio) / 1e6)
        demand = closed_form.demand_of(deployment.rate_per_s, deployment.new_share, deployment.tokens, table.EXPONENT)
        fewer = size.replicas - 1
        if fewer > 0:
            assert costs.cores(deployment.rate_per_s, closed_form.hit_ratio(demand, fewer, table.MAX_TTL_S)) > table.BUSY * fewer
        assert size.memory_bytes == 12 * table.MIB + size.max_bytes and size.max_bytes % table.MIB == 0


def test_the_table_has_a_row_for_each_deployment_and_way(tmp_path, capsys):
    write_results(tmp_path)
    table.report(tmp_path, [table.Deployment(100_000, 0.05, 10_000)])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 100,000 | 5 % | 10,000 |")]
    assert len(rows) == len(table.WAYS) and all(row.count("|") == 10 for row in rows)


@pytest.mark.parametrize(("size", "rounded"), [(1, 1), (table.MIB, 1), (table.MIB + 1, 2), (5 * table.MIB, 8)])
def test_caches_are_rounded_up(size, rounded):
    assert table.round_up(size) == rounded * table.MIB


def test_each_trace_is_replayed_once_and_found_again():
    traces = replicas.traces()
    assert len(traces) == len(set(traces)) and set(replicas.traces(is_quick=True)) < set(traces)
    rows = [{**{key: str(value) for key, value in dataclasses.asdict(trace).items()}, "replicas": count} for trace in traces for count in (1, 2)]
    for name, values in replicas.VARIED.items():
        for value in values:
            assert [row["replicas"] for row in replicas.curve(rows, name, value)] == [1, 2]
