#!/usr/bin/env python3
"""Server CPU per request of introspectd's cached path, beside a bare libh2o responder (ceiling.c).

Usage: run.py [quick]. Both servers run on one processor with one thread, h2load on the others; runs alternate between the two, so
that a machine that changes its pace changes it for both. What is compared is the processor time that the server took, from
/proc/PID/task/*/schedstat, over the requests that h2load saw answered: requests per second say more about h2load than about a server.

Writes every run to bench/results/ (quick: build/bench/results/), prints the medians.
"""

import csv
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import servers

ROOT = Path(__file__).resolve().parent.parent
SERVER_CPU = 0
CONNECTIONS = 64
STREAMS = 16  # requests in flight per HTTP/2 connection

PROTOCOLS = {
    "h1": ["--h1"],
    "h2c": ["--no-tls-proto=h2c", f"-m{STREAMS}"],
    "tls-h2": [f"-m{STREAMS}"],
}

FIELDS = ["round", "protocol", "server", "requests", "cpu_us_per_request", "requests_per_s"]


def cpu_ns(pid):
    """The processor time of every thread of a process."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def load(server, protocol, requests):
    """One run of h2load; gives the requests answered and its requests per second. A failed request ends the benchmark."""
    load_cpus = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0) - {SERVER_CPU})) or str(SERVER_CPU)
    command = ["taskset", "-c", load_cpus, "h2load", f"-n{requests}", f"-c{CONNECTIONS}", "-t1", *PROTOCOLS[protocol]]
    for name, value in server.headers.items():
        command += ["-H", f"{name}: {value}"]
    command += ["-d", str(server.body_file), server.url(protocol)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    answered = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", text)
    good = re.search(r"status codes: (\d+) 2xx", text)
    if not answered or not good or int(good[1]) != requests:
        sys.exit(f"{server.name}, {protocol}: not every request was answered with 200:\n{text}")
    return int(answered[1]), float(re.search(r"finished in .*?, ([\d.]+) req/s", text)[1])


def measure(server, protocol, requests):
    before = cpu_ns(server.pid)
    answered, rate = load(server, protocol, requests)
    spent = cpu_ns(server.pid) - before
    return {
        "protocol": protocol,
        "server": server.name,
        "requests": answered,
        "cpu_us_per_request": round(spent / 1000 / answered, 4),
        "requests_per_s": round(rate),
    }


def check_alike(pair):
    """The two answers must have the same headers and the same length, or the comparison means nothing."""
    shapes = []
    for server in pair:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("POST", "/introspect", server.body_file.read_bytes(), server.headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or not json.loads(body)["active"]:
            sys.exit(f"{server.name}: {response.status} {body!r}")
        shapes.append((len(body), sorted(name.lower() for name, _ in response.getheaders())))
        connection.close()
    if shapes[0] != shapes[1]:
        sys.exit(f"the answers differ in shape: {shapes[0]} and {shapes[1]}")


def measure_all(pair, rounds, seconds):
    """Every run, in rounds; the number of requests is such that a run takes about `seconds`."""
    rows = []
    for protocol in PROTOCOLS:
        counts = {}
        for server in pair:
            _, rate = load(server, protocol, 20000)
            counts[server.name] = max(20000, int(rate * seconds))
        for number in range(1, rounds + 1):
            for server in pair if number % 2 else reversed(pair):
                rows.append({"round": number, **measure(server, protocol, counts[server.name])})
        print(f"{protocol}: {rounds} rounds", file=sys.stderr)
    return rows


def median_of(rows, protocol, server):
    return statistics.median(
        row["cpu_us_per_request"] for row in rows if row["protocol"] == protocol and row["server"] == server
    )


def print_table(rows, pair):
    product, bare = (server.name for server in pair)
    print(f"\nserver CPU per request on the cached path, us, median of {max(row['round'] for row in rows)}\n")
    print(f"{'protocol':<10}{product:>14}{bare:>14}{'ratio':>9}{'own work':>11}")
    for protocol in PROTOCOLS:
        ours, least = median_of(rows, protocol, product), median_of(rows, protocol, bare)
        print(f"{protocol:<10}{ours:>14.2f}{least:>14.2f}{ours / least:>9.2f}{ours - least:>11.2f}")


def output_of(*command):
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def describe_machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    packages = output_of("dpkg-query", "-W", "-f", "${Package} ${Version}; ", "libh2o-evloop0.13", "libssl3", "libjansson4")
    return {
        "commit": output_of("git", "describe", "--always", "--dirty", "--abbrev=12") or "unknown",
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{model[1].strip() if model else os.uname().machine}, {os.cpu_count()} processors, Linux {os.uname().release}",
        "versions": f"{packages}{output_of('h2load', '--version')}; {output_of('gcc', '--version').splitlines()[0]}",
        "load": f"{CONNECTIONS} connections, {STREAMS} in flight on each with HTTP/2, one token, RS256",
    }


def write_results(folder, rows, about):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"cached-{about['commit']}.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        for name, value in about.items():
            file.write(f"# {name}: {value}\n")
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def main(arguments):
    if arguments not in ([], ["quick"]):
        sys.exit("usage: run.py [quick]")
    is_quick = arguments == ["quick"]
    with servers.start_pair(ROOT / "build/bench", SERVER_CPU) as pair:
        check_alike(pair)
        rows = measure_all(pair, rounds=5 if is_quick else 9, seconds=1 if is_quick else 5)
    print_table(rows, pair)
    path = write_results(ROOT / ("build/bench/results" if is_quick else "bench/results"), rows, describe_machine())
    print(f"\nevery run: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
