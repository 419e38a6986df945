"""Figures out of runs: quantiles, ratios, CSV files that say what they were measured on."""

import csv
import os
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from settings import CONNECTIONS, ROOT


def quantile(ordered, fraction):
    """The value that this fraction of the ordered values does not exceed (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]


def by_round(rows, field):
    """The field of rows by round; a round has one row."""
    return {row["round"]: float(row[field]) for row in rows}


def median_of(rows, field):
    return statistics.median(by_round(rows, field).values())


def ratios(rows, references, field="cpu_us_per_request"):
    """Per round, the field of rows over the sum of what the references have there: the runs of a round stood beside each other."""
    sums = [by_round(reference, field) for reference in references]
    return [value / sum(reference[number] for reference in sums) for number, value in by_round(rows, field).items()]


def output_of(*command):
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def describe_machine(settings):
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    packages = ("libh2o-evloop0.13", "libssl3", "libjansson4", "libnghttp2-14")
    versions = output_of("dpkg-query", "-W", "-f", "${Package} ${Version}; ", *packages)
    return {
        "commit": output_of("git", "describe", "--always", "--dirty", "--abbrev=12") or "unknown",
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{model[1].strip() if model else os.uname().machine}, {os.cpu_count()} processors, Linux {os.uname().release}",
        "versions": f"{versions}{output_of('h2load', '--version')}; {output_of('gcc', '--version').splitlines()[0]}",
        "runs": f"{settings.rounds} rounds of about {settings.seconds} s, {CONNECTIONS} connections, one server thread on a processor of its own",
    }


def write_csv(folder, name, rows, about):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        for key, value in about.items():
            file.write(f"# {key}: {value}\n")
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))
