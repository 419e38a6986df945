"""One request by curl, from inside the cluster's network."""

import json
import subprocess

from harness.endpoint import basic, form_body

TIMEOUT_S = 60


def curl(cluster, *arguments, stdin=""):
    command = cluster.namespaces.in_network(["curl", "-sS", "-m", "10", *arguments])
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(deployed, client, token, *options, address=None):
    """The status and body of one introspection, by the Service or by a pod's address."""
    host, port = address or deployed.service_address()
    name, value = basic(client.client_id, client.secret)
    options = [*options, "-w", "\n%{http_code}", "-H", f"{name}: {value}", "-d", "@-"]
    output = curl(deployed.cluster, *options, f"http://{host}:{port}/introspect", stdin=form_body(("token", token)).decode())
    body, _, status = output.rpartition("\n")
    return int(status), json.loads(body)


def metrics_of(deployed, pod):
    """The samples of /metrics, by what stands before the value."""
    text = curl(deployed.cluster, f"http://{pod['status']['podIP']}:9090/metrics")
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}
