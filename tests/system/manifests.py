"""Renders docker/kubernetes by kubectl's own kustomize, for a kubectl and an API server of Kubernetes 1.20 too."""

import json
import pathlib
import shutil
import subprocess

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = REPOSITORY / "docker/kubernetes"

# Where the API of today is and an API server of 1.20 has the same fields.
OLD_VERSIONS = {"PodDisruptionBudget": "policy/v1beta1", "HorizontalPodAutoscaler": "autoscaling/v2beta2"}


def render(folder):
    """The objects that the kustomization in folder makes."""
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def takes_folders_as_resources():
    """kubectl's kustomize is not the one of 2019, which came with kubectl up to 1.20."""
    done = subprocess.run(["kubectl", "version", "--client", "--output=json"], capture_output=True, text=True)
    return int(json.loads(done.stdout)["clientVersion"]["minor"].rstrip("+")) > 20


def copy_for_old_kustomize(directory):
    """
    A copy of docker/kubernetes whose kustomizations the kustomize 2.0 of kubectl 1.20 takes: folders are `bases` for it, and
    patches `patchesStrategicMerge`. Nothing else is changed.
    """
    copy = directory / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    for path in copy.rglob("kustomization.yaml"):
        path.write_text(yaml.safe_dump(in_old_words(path.parent, yaml.safe_load(path.read_text())), sort_keys=False))
    return copy


def in_old_words(folder, kustomization):
    resources = kustomization.pop("resources", [])
    folders = [name for name in resources if (folder / name).is_dir()]
    patches = [patch["path"] for patch in kustomization.pop("patches", [])]
    old = {**kustomization, "resources": [name for name in resources if name not in folders]}
    if folders:
        old["bases"] = folders
    if patches:
        old["patchesStrategicMerge"] = patches
    return old


def for_old_server(objects):
    """The same objects under the versions that Kubernetes 1.20 knows."""
    return [{**item, "apiVersion": OLD_VERSIONS.get(item["kind"], item["apiVersion"])} for item in objects]


def of_kind(objects, kind):
    found = [item for item in objects if item["kind"] == kind]
    assert len(found) == 1, f"{kind}: {[item['metadata']['name'] for item in found]}"
    return found[0]
