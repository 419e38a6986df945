"""The arithmetic of the benchmark; nothing is measured here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import memory  # noqa: E402
import micro_figures  # noqa: E402
import results  # noqa: E402
import settings  # noqa: E402
import targets  # noqa: E402


def row(number, server, cpu, **case):
    empty = dict.fromkeys(targets.KEY, "")
    return {**empty, "part": "hot", "protocol": "h1", "in_flight": 1, "body": "form", **case, "round": number, "server": server, "cpu_us_per_request": cpu}


def test_a_quantile_is_a_value_that_was_seen():
    ordered = list(range(1, 1001))
    assert [results.quantile(ordered, fraction) for fraction in (0, 0.5, 0.99, 0.999, 1)] == [1, 501, 991, 1000, 1000]
    assert results.quantile([7], 0.999) == 7


def test_a_ratio_is_taken_in_each_round():
    ours = [row(1, "introspectd", 12), row(2, "introspectd", 60)]
    bare = [row(2, "bare libh2o", 20), row(1, "bare libh2o", 4)]
    raw = [row(1, "raw verify", 2), row(2, "raw verify", 10)]
    assert results.ratios(ours, [bare]) == [3, 3]
    assert results.ratios(ours, [bare, raw]) == [2, 2]


def test_rows_survive_their_file(tmp_path):
    rows = [row(1, "introspectd", 12.5), row(1, "bare libh2o", 10.0)]
    path = results.write_csv(tmp_path, "hot", rows, {"commit": "c0ffee", "runs": "1, short"})
    assert path.read_text().startswith("# commit: c0ffee\n# runs: 1, short\n")
    (key, by_server), = targets.group(results.read_csv(path)).items()
    assert key == ("hot", "", "", "h1", "1", "form")
    assert targets.ratio_of(by_server) == (1.25, 1.25, 1.25)


def test_targets_are_told_reached_or_not(capsys):
    rows = [row(1, "introspectd", 10.9), row(1, "bare libh2o", 10.0)]
    assert [(round(target.figure, 2), target.bound) for target in targets.timed_targets(rows)] == [(1.09, 1.10)]
    assert not list(targets.timed_targets([row(1, "introspectd", 1, body="json"), row(1, "bare libh2o", 1, body="json")]))
    targets.print_targets([targets.Target("a", 1.1, 1.1), targets.Target("b", 1.11, 1.1), targets.Target("c", 2.6, 2.5, is_least=True)])
    verdicts = [line.split()[-2:] for line in capsys.readouterr().out.splitlines()[2:]]
    assert verdicts == [["1.10", "reached"], ["NOT", "reached"], ["2.50", "reached"]]


def test_growth_is_told_from_ups_and_downs():
    assert memory.growth_percent([{"rss_kib": 100 + i % 3} for i in range(60)]) == 0
    assert memory.growth_percent([{"rss_kib": 100 + i} for i in range(60)]) > 20


def test_parts_may_be_chosen():
    assert settings.parse(["quick", "hot"]).parts == ("hot",)
    assert settings.parse(["memory", "cold", "--rounds", "3"]).parts == ("cold", "memory")
    assert settings.parse([]).parts == settings.PARTS


def test_a_name_may_have_commas():
    plain = micro_figures.parse_row("cache-get,hit,entries=1000 threads=1,52.91,0.000,18868483,,")
    assert plain["name"] == "hit" and plain["ns_per_operation"] == "52.91" and plain["ratio"] == ""
    for line in ('cache-get,hit, first,entries=1000 threads=2,5,0,9,1.5,x', 'cache-get,"hit, first",entries=1000 threads=2,5,0,9,1.5,x'):
        row = micro_figures.parse_row(line)
        assert (row["name"], row["parameters"], row["ratio"], row["ratio_of"]) == ("hit, first", "entries=1000 threads=2", "1.5", "x")
