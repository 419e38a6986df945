"""`./dev run` as a newcomer meets it: every line that it prints is pasted into a shell, and must give what is promised above it."""

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 120
CURL_LINE = re.compile(r"^# (?P<title>.+) -> (?P<status>\d{3})\n#   (?P<body>.+)\n(?P<command>curl .+)$", re.MULTILINE)
EXPLAIN_LINE = re.compile(r"^# .+ -> (?P<reason>[a-z_]+)\n(?P<command>/.+ explain .+)$", re.MULTILINE)

README_LINE = re.compile(r"^(curl .+)\n(\{.+\} \d{3})$", re.MULTILINE)


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def environment(port, admin_port):
    return {**os.environ, "DEV_INSTALL": "no", "DEMO_PORT": str(port), "DEMO_ADMIN_PORT": str(admin_port)}


class Demo:
    def __init__(self, output_file):
        self.port, self.admin_port = free_ports(2)
        self.output_file = output_file
        with open(output_file, "wb") as output:
            self.process = subprocess.Popen(
                [ROOT / "dev", "run"], cwd="/", env=environment(self.port, self.admin_port), stdout=output, stderr=output
            )

    def output(self):
        return self.output_file.read_text()

    def wait_for_lines(self):
        deadline = time.monotonic() + DEADLINE_S
        while not EXPLAIN_LINE.search(self.output()):
            assert self.process.poll() is None and time.monotonic() < deadline, self.output()
            time.sleep(0.05)
        return self.output()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    started = Demo(tmp_path_factory.mktemp("demo") / "output")
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.process.wait()


def paste(command):
    return subprocess.run(["bash", "-c", command], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def test_every_curl_line_keeps_its_promise(demo):
    lines = [match.groupdict() for match in CURL_LINE.finditer(demo.wait_for_lines())]
    assert len(lines) == demo.output().count("\ncurl ") == 9
    for line in lines:
        head, _, body = paste(line["command"]).stdout.partition("\n\n")
        status_line = head.splitlines()[0]
        assert status_line.split()[1] == line["status"], (line, head, body)
        assert body.strip() == line["body"], (line, head, body)
        assert status_line.startswith("HTTP/2 ") == ("HTTP/2" in line["title"]), (line, head)


def test_explain_line_gives_the_reason(demo):
    line = EXPLAIN_LINE.search(demo.wait_for_lines()).groupdict()
    done = paste(line["command"])
    assert done.returncode == 1, done
    assert line["reason"] in done.stdout, done


def test_lines_of_the_readme_give_the_answers_beside_them(demo):
    demo.wait_for_lines()
    readme = (ROOT / "README.md").read_text()
    lines = README_LINE.findall(readme)
    assert len(lines) == readme.count("\ncurl ") == 4
    for command, answer in lines:
        done = paste(f"cd {ROOT}; " + command.replace(":8080", f":{demo.port}"))
        assert done.stdout.strip() == answer, (command, done)


def test_files_are_private(demo):
    demo.wait_for_lines()
    files = list((ROOT / "build/demo").rglob("*"))
    assert len(files) > 20
    assert [path for path in files if path.stat().st_mode & 0o077] == []


def test_taken_port_is_named(demo):
    demo.wait_for_lines()
    other = free_ports(1)[0]
    for port, admin_port, variable in [(demo.port, other, "DEMO_PORT"), (other, demo.admin_port, "DEMO_ADMIN_PORT")]:
        done = subprocess.run(
            [ROOT / "dev", "run"], env=environment(port, admin_port), capture_output=True, text=True, timeout=DEADLINE_S
        )
        taken = port if variable == "DEMO_PORT" else admin_port
        assert done.returncode == 71, done
        assert f"port {taken} is taken" in done.stderr and f"{variable}=" in done.stderr, done


def test_interrupt_ends_it_cleanly(demo):
    """The last test of this file: it ends the demo that the others use."""
    demo.wait_for_lines()
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30) == 0, demo.output()
    for port in (demo.port, demo.admin_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
