"""The manifests of docker/kubernetes: their types, and what they must say together."""

import json
import subprocess

import manifests
import pytest
import yaml
from machine import need_programs

from harness.endpoint import Endpoint
from harness.server import Server, free_port, run, write_config
from harness.tokens import generate_key, jwks

CHECK_TYPES = manifests.REPOSITORY / "tests/system/check_types.mjs"
MARGIN_S = 5  # of the grace period, beyond what the config asks for
REST_OF_MEMORY_MIB = 128  # of the limit, beyond twice the cache
MANIFESTS = ["base", "overlays/example"]


@pytest.fixture(scope="module")
def render(tmp_path_factory):
    need_programs("kubectl")
    copy = manifests.copy_for_old_kustomize(tmp_path_factory.mktemp("manifests"))
    return lambda folder: manifests.render(copy / folder)


@pytest.fixture(params=MANIFESTS)
def objects(render, request):
    return render(request.param)


def one(objects, kind):
    return manifests.of_kind(objects, kind)


def pod_of(objects):
    return one(objects, "Deployment")["spec"]["template"]["spec"]


def container_of(objects):
    (container,) = pod_of(objects)["containers"]
    return container


def config_of(objects):
    return yaml.safe_load(one(objects, "ConfigMap")["data"]["introspectd.yaml"])


def container_ports(objects):
    return {port["name"]: port["containerPort"] for port in container_of(objects)["ports"]}


def seconds(text):
    assert text.endswith("s"), text
    return int(text[:-1])


def mebibytes(text):
    for unit in ("MiB", "Mi"):
        if text.endswith(unit):
            return int(text.removesuffix(unit))
    raise AssertionError(text)


def findings(objects):
    done = subprocess.run(["node", CHECK_TYPES], input=json.dumps(objects), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_types(objects):
    found = findings(objects)
    assert len(found) == len(objects)
    assert not any(found), found


def test_type_check_finds_mistakes(render):
    deployment = one(render("base"), "Deployment")
    misspelt, mistyped = json.loads(json.dumps([deployment, deployment]))
    misspelt["spec"]["revisionHistoryLimits"] = 3
    mistyped["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = "8080"
    of_misspelt, of_mistyped = findings([misspelt, mistyped])
    assert any("revisionHistoryLimits" in finding for finding in of_misspelt), of_misspelt
    assert any("containerPort must be integer" in finding for finding in of_mistyped), of_mistyped


@pytest.mark.parametrize("folder", [*MANIFESTS, "monitoring"])
def test_kustomize_of_today_takes_the_files_as_they_are(render, folder):
    if not manifests.takes_folders_as_resources():
        pytest.skip("kubectl's kustomize is of 2019 and takes the files only after their words were changed")

    def by_name(objects):
        return {(item["kind"], item["metadata"]["name"]): item for item in objects}

    assert by_name(manifests.render(manifests.KUBERNETES / folder)) == by_name(render(folder))


def test_everything_stands_in_one_namespace(render):
    objects = [item for item in render("overlays/example") if item["kind"] != "Namespace"]
    assert {item["metadata"]["namespace"] for item in objects} == {"introspectd"}


def test_namespace_enforces_the_restricted_standard(render):
    labels = one(render("overlays/example"), "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_pod_passes_the_restricted_standard(objects):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, and a root that cannot be written to."""
    pod, container = pod_of(objects), container_of(objects)
    context = pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["runAsGroup"] == 65532
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys()
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    assert all(volume.keys() - {"name"} <= allowed for volume in pod["volumes"])
    assert not any("hostPort" in port for port in container["ports"])


def test_no_credentials_of_the_cluster(objects):
    account = one(objects, "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert pod_of(objects)["automountServiceAccountToken"] is False
    assert pod_of(objects)["serviceAccountName"] == account["metadata"]["name"]


def test_no_secret_is_made_here(objects):
    assert not [item for item in objects if item["kind"] == "Secret"]
    assert not {"front.secret", "tls.key"} & one(objects, "ConfigMap")["data"].keys()


def test_volume_has_the_config_and_the_secrets(objects):
    container = container_of(objects)
    (volume,) = pod_of(objects)["volumes"]
    (mount,) = container["volumeMounts"]
    assert mount["name"] == volume["name"] and mount["readOnly"] is True
    assert container["args"] == ["serve", "--config", f"{mount['mountPath']}/introspectd.yaml"]
    assert volume["projected"]["defaultMode"] == 0o440
    assert pod_of(objects)["securityContext"]["fsGroup"] == pod_of(objects)["securityContext"]["runAsGroup"]
    names = [source[kind]["name"] for source in volume["projected"]["sources"] for kind in source]
    assert names[:2] == [one(objects, "ConfigMap")["metadata"]["name"], "introspectd-clients"]


def test_ports_agree(objects):
    ports, config = container_ports(objects), config_of(objects)
    listening = {int(listener["address"].rpartition(":")[2]) for listener in config["listen"]}
    admin = int(config["admin"]["address"].rpartition(":")[2])
    assert {port for name, port in ports.items() if name != "admin"} == listening
    assert ports["admin"] == admin
    assert all(listener["address"].startswith("0.0.0.0:") for listener in [*config["listen"], config["admin"]])

    service = [item for item in objects if item["kind"] == "Service" and item["metadata"]["name"] == "introspectd"][0]
    assert {port["targetPort"] for port in service["spec"]["ports"]} == ports.keys() - {"admin"}
    secure = {str(listener["address"].rpartition(":")[2]) for listener in config["listen"] if "tls" in listener}
    for port in service["spec"]["ports"]:
        assert (str(ports[port["targetPort"]]) in secure) == (port["port"] == 443)


def test_network_policy_separates_the_admin_port(objects):
    policy = one(objects, "NetworkPolicy")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    rules = {port["port"]: rule for rule in policy["ingress"] for port in rule["ports"]}
    assert rules.keys() == container_ports(objects).keys()
    assert rules["admin"]["ports"] == [{"port": "admin"}]
    assert rules["admin"]["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def test_monitor_finds_the_admin_service(render):
    objects = render("overlays/example")
    service = [item for item in objects if item["kind"] == "Service" and item["metadata"]["name"] == "introspectd-admin"][0]
    monitor = one(objects, "ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    callers = [item for item in objects if item["kind"] == "Service" and item is not service]
    assert not any(monitor["selector"]["matchLabels"].items() <= item["metadata"]["labels"].items() for item in callers)
    assert [endpoint["port"] for endpoint in monitor["endpoints"]] == [port["name"] for port in service["spec"]["ports"]]
    assert service["spec"]["ports"][0]["port"] == container_ports(objects)["admin"]


def test_everything_selects_the_pods(objects):
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [one(objects, kind)["spec"]["selector"]["matchLabels"] for kind in ("Deployment", "PodDisruptionBudget")]
    selectors += [item["spec"]["selector"] for item in objects if item["kind"] == "Service"]
    selectors += [one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]]
    selectors += [constraint["labelSelector"]["matchLabels"] for constraint in pod_of(objects)["topologySpreadConstraints"]]
    assert all(selector and selector.items() <= labels.items() for selector in selectors)


def test_replicas_are_the_autoscalers(objects):
    deployment, scaler = one(objects, "Deployment"), one(objects, "HorizontalPodAutoscaler")["spec"]
    assert "replicas" not in deployment["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"]}
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
    assert one(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"] < scaler["minReplicas"]
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "cpu" in container_of(objects)["resources"]["requests"]


def test_grace_period_covers_the_drain(objects):
    config, pod = config_of(objects), pod_of(objects)
    drain_s = seconds(config["drain_delay"])
    assert pod["terminationGracePeriodSeconds"] >= drain_s + seconds(config["shutdown_timeout"]) + MARGIN_S
    probe = container_of(objects)["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] <= drain_s


def test_memory_limit_covers_the_cache(objects):
    cache = mebibytes(config_of(objects)["cache"]["max_bytes"])
    resources = container_of(objects)["resources"]
    assert mebibytes(resources["limits"]["memory"]) >= 2 * cache + REST_OF_MEMORY_MIB
    assert mebibytes(resources["requests"]["memory"]) >= cache


def test_image(render):
    assert container_of(render("base"))["image"] == "introspectd"
    name, _, tag = container_of(render("overlays/example"))["image"].partition(":")
    assert name.endswith("/introspectd") and tag not in ("", "latest")


def files_of(objects, world):
    """What the projected volume would have."""
    files = {"tls.crt": world.certificate, "tls.key": world.certificate_key}
    names = [name for client in config_of(objects)["clients"] for name in client["client_secret_files"]]
    return {**files, **{name: world.private.secret for name in names}}


def test_config_is_good(objects, world, directory):
    text = one(objects, "ConfigMap")["data"]["introspectd.yaml"]
    done = run("check", "--config", write_config(directory, text, files_of(objects, world)))
    assert done.returncode == 0, done.stderr


def test_paths_that_are_asked_exist(render, world, directory):
    """Those of the probes and of the ServiceMonitor, on the admin port of the config that the base has."""
    objects = render("overlays/example")
    container = container_of(objects)
    probes = [container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert {probe["port"] for probe in probes} == {"admin"}
    paths = [probe["path"] for probe in probes]
    paths += [endpoint["path"] for endpoint in one(objects, "ServiceMonitor")["spec"]["endpoints"]]
    config, port, admin_port = config_of(objects), free_port(), free_port()
    config["listen"] = [{"address": f"127.0.0.1:{port}"}]
    config["admin"]["address"] = f"127.0.0.1:{admin_port}"
    config["drain_delay"] = "0s"
    for issuer in config["issuers"]:
        del issuer["discover"]
        issuer["jwks_file"] = "jwks.json"
    files = {**files_of(objects, world), "jwks.json": jwks(generate_key("p256", kid="one"))}
    server = Server(directory, config, files, [("127.0.0.1", port), ("127.0.0.1", admin_port)]).start()
    try:
        admin = Endpoint("h1", ("127.0.0.1", admin_port))
        assert [admin.request("GET", path).status for path in paths] == [200, 200, 200, 200]
    finally:
        server.stop()
