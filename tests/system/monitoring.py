"""What docker/monitoring has: its rules, its dashboard, and the metrics that they name."""

import json
import re

import yaml

from harness.server import REPOSITORY

FOLDER = REPOSITORY / "docker/monitoring"
RULES, RULE_TESTS, DASHBOARD = FOLDER / "alerts.yaml", FOLDER / "alerts_test.yaml", FOLDER / "dashboard.json"

# A metric's name; a recorded one has colons around its own.
METRIC = re.compile(r"(?<![\w:])((?:introspectd|process)_[a-z_]+)(?![\w:])")

# Families that no panel shows, and why.
NOT_SHOWN = {
    "process_virtual_memory_bytes": "address space that is merely reserved says nothing about memory in use",
    "process_threads": "those of introspectd_threads and a handful of others, for the life of the process",
}


def rules():
    """Every rule: a dictionary with `expr`, and `record` or `alert`."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts():
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def dashboard():
    return json.loads(DASHBOARD.read_text())


def panels():
    """Those that show something: (title, panel)."""
    return [(panel["title"], panel) for panel in dashboard()["panels"] if panel["type"] != "row"]


def panel_expressions(window):
    """(title, expression) of every query, with everything selected and rates over window."""
    variables = {"$__rate_interval": window, "$job": ".*", "$instance": ".*", "$issuer": ".*"}
    found = []
    for title, panel in panels():
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in variables.items():
                expression = expression.replace(name, value)
            assert "$" not in expression, (title, expression)
            found.append((title, expression))
    return found


def metrics_of(expressions):
    return {name for expression in expressions for name in METRIC.findall(expression)}
