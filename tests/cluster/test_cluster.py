"""The manifests of docker/kubernetes/base on a real control plane and kubelet, with callers who must not notice what operators do."""

import json
import os
import signal
import subprocess
import time

import pytest
from asking import ask
from figures import figures
from load import Load, assert_none_failed
from processes import container_of, pid_of, root_of, status_of

from harness.server import wait_until
from harness.tokens import generate_key
from harness.world import Client

WAIT_S = 60
# How late the node hears that a pod has left the Service: less than drain_delay, as on a node of a large cluster.
LATE_S = 3
SEEN_S = 3  # of load before and behind what is done, so that it is load that is interrupted
LEAST_ANSWERED = 500


def pod_address(pod):
    return pod["status"]["podIP"], 8080


def answers_of_pods(deployed, client, token):
    return [ask(deployed, client, token, address=pod_address(pod)) for pod in deployed.ready_pods()]


def wait_for_pods_to_answer(deployed, client, token, status, **members):
    """Until every pod gives that; each reads its volume by itself."""

    def all_do():
        return all(
            found == status and members.items() <= answer.items() for found, answer in answers_of_pods(deployed, client, token)
        )

    wait_until(all_do, WAIT_S, every_s=0.2)


def names(pods):
    return {pod["metadata"]["name"] for pod in pods}


def wait_for_two_alone(deployed):
    """Until two are ready and the others' processes have ended; kubelet may take another minute to forget those."""
    deployed.wait_for_pods(2)
    statuses = []

    def others_ended():
        states = [container_of(pod)["state"] for pod in deployed.all_pods() if "deletionTimestamp" in pod["metadata"]]
        statuses.extend(state["terminated"]["exitCode"] for state in states if "terminated" in state)
        return all("terminated" in state for state in states)

    wait_until(others_ended, WAIT_S, every_s=0.2)
    assert set(statuses) <= {0}, statuses


def restarts(deployed):
    return [container_of(pod)["restartCount"] for pod in deployed.pods()]


def test_two_replicas_become_ready(deploy):
    begin = time.monotonic()
    deployed = deploy("fresh")
    deployed.wait_for_pods(2)
    figures.append(f"two replicas ready {time.monotonic() - begin:.1f} s after their manifests were applied")
    assert restarts(deployed) == [0, 0]


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_service_answers(deployed, version):
    status, answer = ask(deployed, deployed.clients[0], deployed.token(sub="user-7"), version)
    assert (status, answer["active"], answer["sub"]) == (200, True, "user-7")
    assert ask(deployed, Client("front"), deployed.token(), version)[0] == 401


def test_container_is_confined(deployed):
    for pod in deployed.pods():
        pid = pid_of(deployed.cluster, pod)
        status = status_of(pid)
        assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"65532"}
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        with open(f"/proc/{pid}/mountinfo") as mounts:
            root = next(line.split() for line in mounts if line.split()[4] == "/")
        assert "ro" in root[5].split(",")


def test_secrets_are_read_by_the_container_alone(deployed):
    for pod in deployed.pods():
        secret = root_of(pid_of(deployed.cluster, pod)) / "etc/introspectd/front.secret"
        done = subprocess.run(["stat", "--dereference", "--format", "%a %u %g", secret], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["440", "0", "65532"]


def test_config_map_is_followed(deployed):
    """A second key of the issuer comes with the ConfigMap; no pod is restarted, no caller notices."""
    next_key = generate_key("p256", kid="next")
    token = deployed.token(key=next_key)
    assert ask(deployed, deployed.clients[0], token)[1] == {"active": False}
    before = names(deployed.pods())
    with Load(deployed) as load:
        time.sleep(SEEN_S)
        deployed.keys.append(next_key)
        deployed.apply_config()
        wait_for_pods_to_answer(deployed, deployed.clients[0], token, 200, active=True)
        assert_none_failed("a changed ConfigMap", load.stop(), LEAST_ANSWERED)
    assert names(deployed.pods()) == before
    assert restarts(deployed) == [0, 0]


def test_secret_is_rotated_under_load(deployed):
    """The new secret beside the old one, then the callers, then the old one goes."""
    old, new = deployed.clients[0], Client("front")
    token, before = deployed.token(), names(deployed.pods())
    with Load(deployed, old) as with_old:
        time.sleep(SEEN_S)
        deployed.secrets["next.secret"] = new.secret
        deployed.apply_secret()
        deployed.config["clients"][0]["client_secret_files"] = ["front.secret", "next.secret"]
        deployed.apply_config()
        wait_for_pods_to_answer(deployed, new, token, 200, active=True)
        deployed.clients[0] = new
        with Load(deployed, new) as with_new:
            time.sleep(SEEN_S)
            assert_none_failed("secret rotation, the old one", with_old.stop(), LEAST_ANSWERED)
            deployed.config["clients"][0]["client_secret_files"] = ["next.secret"]
            deployed.apply_config()
            del deployed.secrets["front.secret"]
            deployed.apply_secret()
            wait_for_pods_to_answer(deployed, old, token, 401, error="invalid_client")
            time.sleep(SEEN_S)
            assert_none_failed("secret rotation, the new one", with_new.stop(), LEAST_ANSWERED)
    assert names(deployed.pods()) == before
    assert restarts(deployed) == [0, 0]


def late_proxy(deployed):
    return deployed.cluster.namespaces.sluggish("kube-proxy", LATE_S, running_s=0.7)


def test_rolling_restart_under_load(deployed):
    before = names(deployed.pods())
    with Load(deployed) as load, late_proxy(deployed):
        time.sleep(SEEN_S)
        deployed.kubectl("rollout", "restart", "deployment/introspectd")
        deployed.wait_for_rollout()
        wait_for_two_alone(deployed)
        time.sleep(SEEN_S)
        assert_none_failed("a rolling restart", load.stop(), LEAST_ANSWERED)
    assert not names(deployed.pods()) & before


def evict(deployed, pod):
    name, namespace = pod["metadata"]["name"], deployed.namespace
    eviction = {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
    return deployed.try_kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))


def may_be_evicted(deployed):
    status = deployed.cluster.get("--namespace", deployed.namespace, "poddisruptionbudget", "introspectd")["status"]
    return status["disruptionsAllowed"]


def test_eviction_is_bounded_by_the_budget(deployed):
    first, second = deployed.wait_for_pods(2)
    wait_until(lambda: may_be_evicted(deployed) == 1, WAIT_S)
    with Load(deployed) as load, late_proxy(deployed):
        time.sleep(SEEN_S)
        assert evict(deployed, first).returncode == 0
        refused = evict(deployed, second)
        assert refused.returncode != 0
        assert "would violate the pod's disruption budget" in refused.stderr, refused.stderr
        wait_until(lambda: may_be_evicted(deployed) == 1, WAIT_S, every_s=0.2)
        assert evict(deployed, second).returncode == 0
        wait_for_two_alone(deployed)
        assert_none_failed("evictions", load.stop(), LEAST_ANSWERED)
    assert not names(deployed.pods()) & names([first, second])


def test_killed_process_is_started_again(deployed):
    pod = deployed.wait_for_pods(2)[0]
    os.kill(pid_of(deployed.cluster, pod), signal.SIGKILL)
    wait_until(lambda: sorted(restarts(deployed)) == [0, 1], WAIT_S, every_s=0.2)
    deployed.wait_for_pods(2)
    assert [status for status, _ in answers_of_pods(deployed, deployed.clients[0], deployed.token())] == [200, 200]


def test_autoscaler_keeps_two(deploy):
    """The Deployment names no number; the autoscaler's least one is what it gets, also where no measurements come."""
    deployed = deploy("scaled", replicas=None, without=())
    deployed.wait_for_pods(2)
    assert deployed.object("HorizontalPodAutoscaler")["spec"]["minReplicas"] == 2
