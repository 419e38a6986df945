"""A pod with little memory and an impatient liveness probe."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import manifests
import pytest
from asking import ask, metrics_of
from figures import figures
from processes import cgroup_of, container_of, memory_kb, pid_of

from harness import tokens
from harness.endpoint import basic, form_body
from harness.server import wait_until
from harness.world import AUDIENCE, MAIN

FILL = pathlib.Path(__file__).resolve().parent / "fill.py"

MEMORY_LIMIT_KB = 64 * 1024
CACHE_BYTES = 24 * 1024 * 1024
# 4 kB in each answer: a member may have up to 1 KiB.
LONG_CLAIMS = {name: name[0] * 1000 for name in ("scope", "username", "client_id", "sub")}
TOKENS = 10000  # of which 60 % would fill the cache
WAIT_S = 60


def impatient(objects):
    """The base's liveness probe, asked each second."""
    deployment = manifests.of_kind(objects, "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["livenessProbe"].update({"periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 2})
    container["resources"]["limits"]["memory"] = f"{MEMORY_LIMIT_KB}Ki"
    container["resources"]["requests"]["memory"] = "32Mi"
    # What does not answer does not end by itself either.
    deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1


@pytest.fixture(scope="module")
def small(deploy):
    deployed = deploy("small", replicas=1, change=impatient, config_changes={"cache": {"max_bytes": CACHE_BYTES}})
    deployed.wait_for_pods(1)
    return deployed


def many_bodies(key):
    header = {"alg": "ES256", "kid": key.get("kid"), "typ": "JWT"}
    claims = [tokens.claims(MAIN, AUDIENCE, **LONG_CLAIMS) for _ in range(TOKENS)]
    return [form_body(("token", tokens.sign_raw(key, "ES256", header, payload))).decode() for payload in claims]


def fill_cache(deployed):
    client = deployed.clients[0]
    settings = {
        "address": deployed.service_address(),
        "path": "/introspect",
        "authorization": basic(client.client_id, client.secret)[1],
        "bodies": many_bodies(deployed.keys[0]),
    }
    command = deployed.cluster.namespaces.in_network([sys.executable, "-B", FILL])
    done = subprocess.run(command, input=json.dumps(settings), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ended_for_memory(deployed, pod):
    """How many processes of the container the kernel has ended because of its limit."""
    cgroup = cgroup_of(deployed.cluster, pod, "memory")
    file = next(cgroup / name for name in ("memory.oom_control", "memory.events") if (cgroup / name).exists())
    return dict(line.split() for line in file.read_text().splitlines())["oom_kill"]


def test_memory_limit_is_held_with_a_full_cache(small):
    assert fill_cache(small) == {"good": TOKENS, "others": []}
    (pod,) = small.wait_for_pods(1)
    metrics, pid = metrics_of(small, pod), pid_of(small.cluster, pod)
    cached = sum(metrics[f'introspectd_cache_bytes{{partition="{name}"}}'] for name in ("active", "inactive"))
    figures.append(
        f"memory limit {MEMORY_LIMIT_KB} kB, cache of {CACHE_BYTES // 1024} kB {cached / CACHE_BYTES:.0%} full: "
        f"{memory_kb(pid, 'VmHWM')} kB resident at most"
    )
    assert metrics["introspectd_cache_max_bytes"] == CACHE_BYTES
    # kubelet has been at the volume's files again and again, without a change.
    assert metrics['introspectd_config_reloads_total{result="applied"}'] == 0
    assert metrics['introspectd_cache_evictions_total{partition="active"}'] > TOKENS / 4
    assert 0.9 * CACHE_BYTES < cached <= CACHE_BYTES
    assert memory_kb(pid, "VmHWM") < MEMORY_LIMIT_KB
    assert ended_for_memory(small, pod) == "0"
    assert container_of(pod)["restartCount"] == 0
    assert ask(small, small.clients[0], small.token())[0] == 200


def test_process_that_does_not_answer_is_started_again(small):
    (pod,) = small.wait_for_pods(1)
    before = container_of(pod)["restartCount"]
    os.kill(pid_of(small.cluster, pod), signal.SIGSTOP)
    wait_until(lambda: container_of(small.pods()[0])["restartCount"] == before + 1, WAIT_S, every_s=0.2)
    small.wait_for_pods(1)
    assert ask(small, small.clients[0], small.token())[0] == 200
