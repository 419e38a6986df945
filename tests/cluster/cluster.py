"""A Kubernetes cluster of one node for a test run: its start, its end, and kubectl."""

import json
import os
import subprocess

import daemons
import images
from namespaces import Namespaces

from harness.server import wait_until

START_TIMEOUT_S = 180
KUBECTL_TIMEOUT_S = 180


class Cluster:
    def __init__(self, directory):
        self.directory = directory
        self.namespaces = Namespaces(directory)
        self.files = daemons.Files(directory, self.namespaces.cgroup)

    def start(self):
        self.namespaces.start()
        start = self.namespaces.start_daemon
        start("etcd", daemons.etcd(self.files))
        start("containerd", daemons.containerd(self.files))
        start("kube-apiserver", daemons.api_server(self.files))
        self.load_image(images.make_pause(self.directory))
        start("kubelet", daemons.kubelet(self.files))
        start("kube-proxy", daemons.proxy(self.files))
        self._wait(lambda: self.try_kubectl("get", "--raw", "/livez").returncode == 0)
        start("kube-controller-manager", daemons.controller_manager(self.files))
        start("kube-scheduler", daemons.scheduler(self.files))
        self._wait(lambda: self.node_is_ready() and self.try_kubectl("get", "serviceaccount", "default").returncode == 0)
        return self

    def stop(self):
        self.namespaces.stop()

    def _wait(self, is_true):
        def check():
            self.namespaces.assert_daemons_run()
            return is_true()

        return wait_until(check, START_TIMEOUT_S, every_s=0.2)

    def node_is_ready(self):
        done = self.try_kubectl("get", "node", daemons.NODE, "-o", "json")
        if done.returncode != 0:
            return False
        conditions = json.loads(done.stdout)["status"].get("conditions", [])
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    def load_image(self, archive):
        command = ["ctr", "--address", daemons.CONTAINERD, "--namespace", "k8s.io"]
        self._wait(lambda: subprocess.run(self.namespaces.inside([*command, "version"]), capture_output=True).returncode == 0)
        self.namespaces.run([*command, "images", "import", archive])

    def try_kubectl(self, *arguments, stdin=None):
        command = ["kubectl", "--kubeconfig", self.files.kubeconfig, *arguments]
        # Its cache of what the server offers belongs to the run, too.
        environment = {**os.environ, "HOME": str(self.directory)}
        return subprocess.run(
            self.namespaces.in_network(command), input=stdin, env=environment, capture_output=True, text=True, timeout=KUBECTL_TIMEOUT_S
        )

    def kubectl(self, *arguments, stdin=None):
        """A kubectl command that must succeed; gives what it printed."""
        done = self.try_kubectl(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, *objects):
        return self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
