"""Callers inside the cluster's network, in a process of their own."""

import json
import pathlib
import subprocess
import sys

from figures import figures

from harness.endpoint import basic, form_body

ASK = pathlib.Path(__file__).resolve().parent / "ask.py"
STOP_TIMEOUT_S = 60


class Load:
    """Asks a Service about one active token, by one client, from start() to stop()."""

    def __init__(self, deployed, client=None, http1=4, http2=2, fresh=4, streams=4):
        client = client or deployed.clients[-1]
        self.deployed = deployed
        self.settings = {
            "address": deployed.service_address(),
            "path": "/introspect",
            "authorization": basic(client.client_id, client.secret)[1],
            "body": form_body(("token", deployed.token())).decode(),
            "expected": "active",
            "http1": http1,
            "http2": http2,
            "fresh": fresh,
            "streams": streams,
        }
        self.process = None

    def __enter__(self):
        command = self.deployed.cluster.namespaces.in_network([sys.executable, "-B", ASK])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps(self.settings) + "\n")
        self.process.stdin.flush()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def stop(self):
        """Lets what is under way finish, and gives the counts."""
        output, errors = self.process.communicate(timeout=STOP_TIMEOUT_S)
        assert self.process.returncode == 0, errors
        return json.loads(output)


def assert_none_failed(name, result, least_answered):
    figures.append(
        f"{name}: {result['answered']} answered, {result['failed']} failed in {result['seconds']:.1f} s over {result['connections']} "
        f"connections; {result['untouched']} HTTP/2 requests told untouched"
    )
    assert result["answered"] >= least_answered, result
    assert result["failed"] == 0, result
