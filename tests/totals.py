#!/usr/bin/env python3
"""Adds up what test runners wrote as JUnit XML: totals.py FILE... prints "N passed, N failed, N skipped" and exits 1 on any failure.

A file that is missing or unreadable counts as one failure: its runner died before it could tell.
"""

import sys
import xml.etree.ElementTree as ET


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    skipped = case.find("skipped")
    if skipped is not None:
        # ctest also writes <skipped> for a test that it could not start; only its own skip codes are skips.
        could_not_start = case.get("status") == "notrun" and not skipped.get("message", "").startswith("SKIP_")
        return "failed" if could_not_start else "skipped"
    return "passed"


def outcomes(path):
    try:
        cases = list(ET.parse(path).iter("testcase"))
    except (OSError, ET.ParseError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return ["failed"]
    return [outcome(case) for case in cases]


def main(paths):
    all_outcomes = [each for path in paths for each in outcomes(path)]
    passed, failed, skipped = (all_outcomes.count(word) for word in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
