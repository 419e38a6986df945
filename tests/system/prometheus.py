"""A Prometheus of a test's own, on loopback, with its data and config in a directory of the test's; and what it says."""

import json
import math
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import yaml

from harness.server import free_port, wait_until

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
REQUEST_TIMEOUT_S = 30
JOB = "introspectd"


class QueryFailed(Exception):
    """Prometheus refused an expression, or could not evaluate it."""


class Prometheus:
    """Scrapes one address every second. As a context manager it starts and stops."""

    def __init__(self, directory, scraped, rule_files=()):
        self.directory = directory
        self.port = free_port()
        self.log_file = directory / "prometheus.log"
        self.process = None
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rule_files],
            "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [f"{scraped[0]}:{scraped[1]}"]}]}],
        }
        (directory / "prometheus.yaml").write_text(yaml.safe_dump(config))

    def __enter__(self):
        command = ["prometheus", f"--config.file={self.directory}/prometheus.yaml", f"--storage.tsdb.path={self.directory}/data"]
        command += [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self._has_scraped, START_TIMEOUT_S)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_):
        self._stop()

    def _stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _has_scraped(self):
        assert self.process.poll() is None, self.log_file.read_text(errors="replace")
        try:
            return self.query("up == 1")
        except (OSError, QueryFailed):  # 503 until it has read its data
            return False

    def get(self, path, **parameters):
        """The data of an answer of its API."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        body = urllib.parse.urlencode(parameters).encode("ascii") if parameters else None
        # Around any proxy that the environment names.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, body, REQUEST_TIMEOUT_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise QueryFailed(f"{error.code}: {error.read().decode('utf-8', 'replace')}") from error

    def query(self, expression):
        """What an expression gives now: a list of (labels, value); a scalar has no labels."""
        data = self.get("query", query=expression)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(sample["metric"], float(sample["value"][1])) for sample in data["result"]]

    def numbers(self, expression):
        """The values that are numbers."""
        return [value for _, value in self.query(expression) if not math.isnan(value)]

    def rules(self):
        """Every rule as it was last evaluated."""
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]
