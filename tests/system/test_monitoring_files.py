"""The rules and the dashboard by themselves: whether they hold together, and whether the rules' own tests can fail."""

import re
import subprocess

import machine
import monitoring
import pytest
import yaml

NEVER = "vector(0) == 1"


@pytest.fixture(autouse=True)
def needs():
    machine.need_programs("promtool")


def promtool(*arguments):
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)


def test_rules_and_example_config_are_right():
    for command, file in (("rules", monitoring.RULES), ("config", monitoring.FOLDER / "prometheus.yaml")):
        done = promtool("check", command, file)
        assert done.returncode == 0 and "SUCCESS" in done.stdout, done


def test_alerts_fire_when_they_should_and_not_else():
    done = promtool("test", "rules", monitoring.RULE_TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_test_of_an_alert_is_passed_by_one_that_never_fires(tmp_path):
    """Each alert's own test fails without it."""
    text = yaml.safe_load(monitoring.RULES.read_text())
    for group in text["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                rule["expr"] = NEVER
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(text))
    (tmp_path / "alerts_test.yaml").write_text(monitoring.RULE_TESTS.read_text())
    done = promtool("test", "rules", tmp_path / "alerts_test.yaml")
    assert done.returncode != 0
    failed = set(re.findall(r"alertname: (\w+), time", done.stdout + done.stderr))
    assert failed == set(monitoring.alerts())


def test_every_alert_is_tested_both_ways():
    fires, is_quiet = set(), set()
    for test in yaml.safe_load(monitoring.RULE_TESTS.read_text())["tests"]:
        for moment in test.get("alert_rule_test", []):
            (fires if moment.get("exp_alerts") else is_quiet).add(moment["alertname"])
    assert fires == is_quiet == set(monitoring.alerts())


@pytest.mark.parametrize("name", list(monitoring.alerts()))
def test_an_alert_says_what_it_is_and_what_to_do(name):
    alert = monitoring.alerts()[name]
    assert re.fullmatch(r"Introspectd[A-Z]\w+", name)
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert set(alert["annotations"]) == {"summary", "description"}
    assert alert["annotations"]["summary"].endswith(".") and len(alert["annotations"]["description"]) > 80


def test_panels_have_units_descriptions_and_places_of_their_own():
    board = monitoring.dashboard()
    identifiers = [panel["id"] for panel in board["panels"]]
    assert len(identifiers) == len(set(identifiers))
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not taken & cells and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    for title, panel in monitoring.panels():
        assert panel["description"].endswith("."), title
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, title
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"]), title
        if panel["type"] in ("timeseries", "stat"):
            assert panel["fieldConfig"]["defaults"]["unit"], title


def test_variables_choose_data_source_job_instance_and_issuer():
    variables = {variable["name"]: variable for variable in monitoring.dashboard()["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance", "issuer"]
    for name in ("job", "instance", "issuer"):
        assert re.fullmatch(rf"label_values\(introspectd_\w+(\{{.*\}})?, {name}\)", variables[name]["definition"])
    used = {name for _, panel in monitoring.panels() for target in panel["targets"] for name in re.findall(r"\$(\w+)", target["expr"])}
    assert used == {"job", "instance", "issuer", "__rate_interval"}


def test_the_tables_of_what_is_not_shown_are_true():
    shown = monitoring.metrics_of(expression for _, expression in monitoring.panel_expressions("1m"))
    assert not shown & set(monitoring.NOT_SHOWN)
