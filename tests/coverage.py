#!/usr/bin/env python3
"""Prints what share of the core's lines and branches ran, by layer, from gcovr's JSON summary: coverage.py FILE.

Exit status 1 when the whole is under its bounds.
"""

import json
import sys

LAYERS = ("base", "cache", "jose", "policy")
MIN_LINE_PERCENT, MIN_BRANCH_PERCENT = 95.0, 85.0
COUNTS = ("line_covered", "line_total", "branch_covered", "branch_total")


def counts_by_layer(summary):
    layers = {layer: dict.fromkeys(COUNTS, 0) for layer in LAYERS}
    for file in summary["files"]:
        parts = file["filename"].split("/")
        if parts[0] == "src" and parts[1] in layers:
            for name in COUNTS:
                layers[parts[1]][name] += file[name]
    return layers


def percent(covered, total):
    return 100.0 * covered / total if total else 0.0


def print_row(name, counts):
    """Gives the percentages of lines and branches."""
    lines = percent(counts["line_covered"], counts["line_total"])
    branches = percent(counts["branch_covered"], counts["branch_total"])
    print(
        f"{name:8} lines {lines:5.1f} % ({counts['line_covered']} of {counts['line_total']})"
        f"   branches {branches:5.1f} % ({counts['branch_covered']} of {counts['branch_total']})"
    )
    return lines, branches


def main(path):
    with open(path) as file:
        layers = counts_by_layer(json.load(file))
    for name, counts in layers.items():
        print_row(name, counts)
    lines, branches = print_row("core", {name: sum(counts[name] for counts in layers.values()) for name in COUNTS})
    if lines >= MIN_LINE_PERCENT and branches >= MIN_BRANCH_PERCENT:
        return 0
    print(f"under the bounds: {MIN_LINE_PERCENT} % of lines, {MIN_BRANCH_PERCENT} % of branches", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
