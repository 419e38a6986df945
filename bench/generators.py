"""The two load generators: h2load for one body, bench/load for bodies that change, and for more than one request in flight over
HTTP/1.1, where h2load sends bodies one at a time whatever -m says. Both give the same figures.

A request that is not answered with the status that it must have ends the benchmark.
"""

import dataclasses
import json
import os
import re
import subprocess

from results import quantile
from settings import CONNECTIONS, SERVER_CPU

PROTOCOLS = {"h1": ["--h1"], "h2c": ["--no-tls-proto=h2c"], "tls-h1": ["--h1"], "tls-h2": []}


@dataclasses.dataclass(frozen=True)
class Outcome:
    requests: int
    seconds: float
    p50_us: float
    p99_us: float
    p999_us: float


def pinned(command):
    """Away from the server's processor, where there is another."""
    cpus = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0) - {SERVER_CPU})) or str(SERVER_CPU)
    return ["taskset", "-c", cpus, *map(str, command)]


def run_generator(command, what):
    done = subprocess.run(pinned(command), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{what}: {done.stderr or done.stdout}")
    return done.stdout


def read_log(path):
    """The times in microseconds of h2load's log, sorted."""
    with open(path, "rb") as file:
        return sorted(int(line[line.rindex(b"\t") + 1 :]) for line in file)


def h2load(workshop, server, protocol, in_flight, body, requests):
    """One body, the file request.BODY of the workshop, `requests` times."""
    log = workshop.folder / "h2load.log"
    log.unlink(missing_ok=True)
    command = ["h2load", f"-n{requests}", f"-c{CONNECTIONS}", f"-m{in_flight}", "-t1", f"--log-file={log}", *PROTOCOLS[protocol]]
    for name, value in workshop.headers(body).items():
        command += ["-H", f"{name}: {value}"]
    command += ["-d", workshop.folder / f"request.{body}", server.url(protocol.startswith("tls"))]
    what = f"{server.name}, {protocol}, {in_flight} in flight"
    text = run_generator(command, what)
    good = re.search(r"status codes: (\d+) 2xx", text)
    if not good or int(good[1]) != requests:
        raise SystemExit(f"{what}: not every request was answered with 200:\n{text}")
    rate = float(re.search(r"finished in .*?, ([\d.]+) req/s", text)[1])
    times = read_log(log)
    log.unlink()
    return Outcome(requests, requests / rate, *(quantile(times, fraction) for fraction in (0.5, 0.99, 0.999)))


def load_command(workshop, server, pool, options):
    """The command of bench/load; options are its own, by name."""
    is_tls = options.get("protocol", "").startswith("tls")
    command = [workshop.tool("load"), "--port", server.tls_port if is_tls else server.port, "--tokens", pool.path]
    command += ["--header", f"authorization: {workshop.authorization}", "--connections", CONNECTIONS]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}"] + ([] if value is True else [value])
    return command


def read_load(text, status, what):
    answer = json.loads(text)
    if answer["by_status"] != {str(status): answer["requests"]}:
        raise SystemExit(f"{what}: not every request was answered with {status}: {answer['by_status']}")
    return Outcome(answer["requests"], answer["seconds"], answer["p50_us"], answer["p99_us"], answer["p999_us"])


def load(workshop, server, pool, status, /, **options):
    what = f"{server.name}, {pool.path.name}, {options}"
    return read_load(run_generator(load_command(workshop, server, pool, options), what), status, what)
