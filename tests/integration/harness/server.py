"""Runs the real binary: its files, its ports, its log, and its end."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("INTROSPECTD", REPOSITORY / "build/release/introspectd")).absolute()



def _unsanitized_binary():
    """One without sanitizers, which make system calls of their own: BINARY itself, or the one that is built beside it."""
    if not any(mark in BINARY.read_bytes() for mark in (b"__asan_init", b"__tsan_init")):
        return BINARY
    return pathlib.Path(os.environ.get("INTROSPECTD_UNSANITIZED", REPOSITORY / "build/release/introspectd")).absolute()


UNSANITIZED_BINARY = _unsanitized_binary() if BINARY.exists() else BINARY

START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 30

_ports_given = set()

printed = []  # by every command of this test run, for the look for secrets


def free_port(family=socket.AF_INET):
    """
    A port that nothing listens on, below the range that outgoing connections take theirs from. Each worker of a parallel test run
    has ports of its own.
    """
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
    while True:
        port = 22000 + worker * 1000 + random.randrange(1000)
        if port in _ports_given:
            continue
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        _ports_given.add(port)
        return port


def write_files(directory, files):
    for name, content in files.items():
        path = directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        path.chmod(0o600)


def write_config(directory, config, files=None, name="introspectd.yaml"):
    """Writes a config (a dictionary, or the text itself) with the files that it names."""
    write_files(directory, files or {})
    text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
    (directory / name).write_text(text)
    return directory / name


def run(*arguments, stdin="", cwd=None, timeout=60):
    """Runs a command of the binary to its end."""
    done = subprocess.run(
        [str(BINARY), *map(str, arguments)],
        input=stdin if isinstance(stdin, bytes) else stdin.encode("utf-8"),
        capture_output=True,
        cwd=cwd,
        timeout=timeout,
    )
    done.stdout, done.stderr = done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
    # These two are for printing keys and tokens.
    printed.append(done.stderr if arguments[:1] in [("mint",), ("keygen",)] else done.stdout + done.stderr)
    assert_no_sanitizer_report(done.stderr)
    return done


def assert_no_sanitizer_report(text):
    for mark in ("Sanitizer", "runtime error:"):
        assert mark not in text, text


def wait_until(is_true, timeout_s=20, every_s=0.02):
    """Waits for is_true() to give something true, and gives it."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = is_true()
        if value:
            return value
        assert time.monotonic() < deadline, "timed out"
        time.sleep(every_s)


def accepts(address):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        try:
            sock.connect(address)
        except OSError:
            return False
    return True


class Server:
    """
    One `introspectd serve`. addresses are those that it must accept on before it counts as started; prefix is a command that runs
    its command, binary another one than most tests run.
    """

    started = []  # every server of this test run, for the look at what was logged

    def __init__(self, directory, config, files=None, addresses=(), prefix=(), binary=BINARY):
        self.directory = directory
        self.prefix = list(prefix)
        self.binary = binary
        self.config_file = write_config(directory, config, files)
        self.addresses = list(addresses)
        self.log_file = directory / "stderr.log"
        self.process = None
        self.pass_fds = ()
        self.environment = None
        self._whole_log = None  # once it has ended

    def start(self):
        with open(self.log_file, "wb") as log:
            command = [*self.prefix, str(self.binary), "serve", "--config", str(self.config_file)]
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=self.pass_fds, env=self.environment
            )
        Server.started.append(self)
        deadline = time.monotonic() + START_TIMEOUT_S
        for address in self.addresses:
            while not accepts(address):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self._give_up(f"nothing listens on {address}")
                time.sleep(0.02)
        if self.addresses:
            wait_until(lambda: self.find_log(event="started"))
        return self

    def _give_up(self, what):
        self.process.kill()
        status = self.process.wait()
        self._whole_log = self.stderr()
        raise AssertionError(f"{what}; exit status {status}\n{self._whole_log}")

    def _let_log_settle(self):
        """
        Waits until the thread that writes the log sleeps. Whoever logs wakes it before anything else is done, so what was logged
        before an answer came is written then.
        """

        def sleeps():
            for task in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*"):
                try:
                    if (task / "comm").read_text() == "log\n":
                        return (task / "stat").read_text().rpartition(") ")[2][0] == "S"
                except (FileNotFoundError, ProcessLookupError):
                    pass
            return True

        if self.process is not None and self.process.poll() is None:
            wait_until(sleeps, every_s=0.001)

    def stderr(self):
        if self._whole_log is not None:
            return self._whole_log
        self._let_log_settle()
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log(self):
        """The log's events. A line that is not a JSON object is an error."""
        text = self.stderr()
        events = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        assert all(isinstance(event, dict) for event in events), text
        return events

    def find_log(self, **members):
        """The log's events that have these members."""
        return [event for event in self.log() if members.items() <= event.items()]

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, timeout_s=STOP_TIMEOUT_S):
        """Waits for the end and gives the exit status."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._give_up(f"still running after {timeout_s} s")
        self._whole_log = self.stderr()
        assert_no_sanitizer_report(self.stderr())
        return status

    def stop(self):
        """Ends it as a supervisor does; a failure to end well is a failure of the test."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.signal()
        status = self.wait()
        assert status == 0, f"exit status {status}\n{self.stderr()}"
