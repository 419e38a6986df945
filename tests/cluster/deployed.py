"""introspectd in the cluster by docker/kubernetes/base, with keys, tokens and secrets that are made for the test run."""

import base64
import json

import manifests
import yaml

from harness import tokens
from harness.server import wait_until
from harness.world import AUDIENCE, MAIN, Client

IMAGE = "introspectd.test/introspectd:1"
NAME = "introspectd"
READY_TIMEOUT_S = 120


class Deployed:
    """
    One namespace with the base's objects. change(objects) and config_changes do to them and to the config what an overlay would.
    """

    def __init__(self, cluster, namespace, directory, replicas=2, change=None, config_changes=None):
        self.cluster = cluster
        self.namespace = namespace
        self.keys = [tokens.generate_key("p256", kid="first")]  # those that the ConfigMap has
        self.clients = [Client("front")]
        folder = manifests.copy_for_old_kustomize(directory) / "base"
        self.objects = manifests.for_old_server(manifests.render(folder))
        for item in self.objects:
            item["metadata"]["namespace"] = namespace
        self.config = yaml.safe_load(self.object("ConfigMap")["data"]["introspectd.yaml"])
        self.config["issuers"] = [{"issuer": MAIN, "jwks_file": "jwks.json", "algorithms": ["ES256"], "audience": [AUDIENCE]}]
        self.config["clients"] = [{"client_id": "front", "client_secret_files": ["front.secret"], "profile": "rfc7662"}]
        self.config.update(config_changes or {})
        deployment = self.object("Deployment")["spec"]
        if replicas is not None:
            deployment["replicas"] = replicas
        container = deployment["template"]["spec"]["containers"][0]
        container.update({"image": IMAGE, "imagePullPolicy": "Never"})
        if change is not None:
            change(self.objects)
        self.secrets = {"front.secret": self.clients[0].secret}

    def object(self, kind):
        return manifests.of_kind(self.objects, kind)

    def token(self, key=None, **changes):
        return tokens.sign(key or self.keys[0], "ES256", tokens.claims(MAIN, AUDIENCE, **changes))

    def create(self, without=("HorizontalPodAutoscaler",)):
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.apply_secret()
        self.object("ConfigMap")["data"] = self.config_files()
        self.cluster.apply(*[item for item in self.objects if item["kind"] not in without])
        return self

    def config_files(self):
        return {"introspectd.yaml": yaml.safe_dump(self.config, sort_keys=False), "jwks.json": tokens.jwks(*self.keys)}

    def apply_config(self):
        self.object("ConfigMap")["data"] = self.config_files()
        self.cluster.apply(self.object("ConfigMap"))

    def apply_secret(self):
        data = {name: base64.b64encode(secret.encode()).decode() for name, secret in self.secrets.items()}
        metadata = {"name": "introspectd-clients", "namespace": self.namespace}
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})

    def kubectl(self, *arguments, **more):
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, **more)

    def try_kubectl(self, *arguments, **more):
        return self.cluster.try_kubectl("--namespace", self.namespace, *arguments, **more)

    def wait_for_rollout(self):
        self.kubectl("rollout", "status", f"deployment/{NAME}", f"--timeout={READY_TIMEOUT_S}s")

    def all_pods(self):
        return self.cluster.get("--namespace", self.namespace, "pods", "-l", f"app.kubernetes.io/name={NAME}")["items"]

    def pods(self):
        """Without those that are on their way out."""
        return [pod for pod in self.all_pods() if "deletionTimestamp" not in pod["metadata"]]

    def ready_pods(self):
        return [pod for pod in self.pods() if is_ready(pod)]

    def wait_for_pods(self, count):
        wait_until(lambda: len(self.pods()) == len(self.ready_pods()) == count, READY_TIMEOUT_S, every_s=0.2)
        return self.ready_pods()

    def service_address(self):
        spec = self.cluster.get("--namespace", self.namespace, "service", NAME)["spec"]
        return spec["clusterIP"], spec["ports"][0]["port"]

    def logs(self, pod):
        """The events that a pod has logged."""
        text = self.kubectl("logs", pod["metadata"]["name"])
        return [json.loads(line) for line in text.splitlines()]

    def delete(self):
        self.cluster.kubectl("delete", "namespace", self.namespace, "--wait=false")


def is_ready(pod):
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in pod["status"].get("conditions", []))
