"""Load by h2load, on any protocol, until it is told to stop."""

import re
import subprocess
import threading

from harness.endpoint import FORM, basic, form_body
from harness.http2 import Http2Connection

# How h2load is told the protocol of an endpoint.
PROTOCOL_OPTIONS = {"h1": ["--h1"], "tls-h1": ["--h1"], "h2c": ["-p", "h2c"], "tls-h2": ["--npn-list=h2"]}

BATCH_TIMEOUT_S = 60


class Summary:
    """What h2load says at the end of a batch."""

    def __init__(self, text):
        self.text = text
        self.requests = self._counts(r"requests: (.*)")
        self.statuses = self._counts(r"status codes: (.*)")

    def _counts(self, pattern):
        line = re.search(pattern, self.text)
        assert line, self.text
        return {name: int(count) for count, name in re.findall(r"(\d+) (\w+)", line[1])}

    def is_perfect(self, count):
        requests, statuses = self.requests, self.statuses
        wrong = [requests[name] for name in ("failed", "errored", "timeout")] + [statuses[name] for name in ("3xx", "4xx", "5xx")]
        return not any(wrong) and requests["total"] == requests["succeeded"] == statuses["2xx"] == count


class Load:
    """
    One endpoint's load: batch after batch, each on new connections, of introspections of one token by one client.
    With a rate (requests per second and connection) it leaves time for the server's other work.
    """

    def __init__(self, endpoint, token, client, directory, connections=4, requests=400, rate=None):
        body = directory / f"load-{endpoint.protocol}"
        body.write_bytes(form_body(("token", token)))
        name, value = basic(client.client_id, client.secret)
        self.requests = requests
        self.command = ["h2load", "-n", str(requests), "-c", str(connections), "-d", str(body)]
        self.command += ["-H", f"{name}: {value}", "-H", f"Content-Type: {FORM}", *PROTOCOL_OPTIONS[endpoint.protocol]]
        if rate is not None:
            self.command += [f"--rps={rate}"]
        self.command.append(endpoint.url)
        self.protocol = endpoint.protocol
        self.summaries = []
        self.failure = None
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            while not self.is_over.is_set():
                done = subprocess.run(self.command, capture_output=True, text=True, timeout=BATCH_TIMEOUT_S)
                assert done.returncode == 0, done
                self.summaries.append(Summary(done.stdout))
        except Exception as failure:
            self.failure = failure

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        """Lets the batch under way finish."""
        self.is_over.set()
        self.thread.join()

    def assert_all_succeeded(self, least_batches=1):
        assert self.failure is None, self.failure
        assert len(self.summaries) >= least_batches, f"{self.protocol}: {len(self.summaries)} batches"
        for summary in self.summaries:
            assert summary.is_perfect(self.requests), f"{self.protocol}:\n{summary.text}"

    def answered(self):
        return sum(summary.requests["succeeded"] for summary in self.summaries)


class HeldBackConnection(Http2Connection):
    """Cleartext HTTP/2 whose requests leave together, when they are let go."""

    is_held = False

    def __init__(self, endpoint):
        super().__init__(endpoint.open_socket(), "http")
        self.request("GET", endpoint.path)  # the settings are known after that
        self.is_held = True

    def _flush(self):
        if not self.is_held:
            super()._flush()

    def let_go(self):
        self.is_held = False
        self._flush()
