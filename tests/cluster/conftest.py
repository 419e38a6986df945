import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(TESTS / "integration"), str(TESTS / "system"), str(TESTS / "cluster")]  # the harness, and what a machine must have

import images
from cluster import Cluster
from deployed import IMAGE, Deployed
from figures import figures
from harness.server import BINARY
from machine import need_programs, need_root
from namespaces import name_of_run, remove_leftovers

PROGRAMS = "containerd containerd-shim-runc-v2 ctr etcd gcc go ip iptables kubectl nsenter runc setpriv unshare".split()


def pytest_terminal_summary(terminalreporter):
    for figure in figures:
        terminalreporter.write_line(f"measured: {figure}")


@pytest.fixture(scope="session")
def directory():
    temporary = pathlib.Path(tempfile.gettempdir())
    remove_leftovers(temporary)
    path = pathlib.Path(tempfile.mkdtemp(prefix=name_of_run(), dir=temporary))
    yield path
    shutil.rmtree(path)


def need_namespaces():
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/run"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no namespaces of its own: {done.stderr.strip()}")


@pytest.fixture(scope="session")
def kubernetes():
    """Its binaries, in build/kubernetes."""
    need_root()
    need_programs(*PROGRAMS)
    need_namespaces()
    subprocess.run([TESTS / "cluster/build_kubernetes"], check=True)


@pytest.fixture(scope="session")
def cluster(directory, kubernetes, request):
    begin = time.monotonic()
    cluster = Cluster(directory)
    try:
        cluster.start()
        figures.append(f"control plane, kubelet and kube-proxy ready after {time.monotonic() - begin:.1f} s")
        cluster.load_image(images.make_introspectd(directory, BINARY, IMAGE))
        yield cluster
        cluster.namespaces.assert_daemons_run()
    finally:
        cluster.stop()
        keep = os.environ.get("INTROSPECTD_CLUSTER_LOGS")
        if keep:
            shutil.copytree(directory, keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.key", "*.csv", "kubeconfig"))


@pytest.fixture(scope="module")
def deploy(cluster, directory):
    """deploy(name, ...): a namespace with introspectd as the manifests say; it goes with the tests of the file."""
    made = []

    def create(name, without=("HorizontalPodAutoscaler",), **more):
        own = directory / name
        own.mkdir()
        made.append(Deployed(cluster, name, own, **more))
        return made[-1].create(without)

    yield create
    for deployed in made:
        deployed.delete()


@pytest.fixture(scope="module")
def deployed(deploy):
    """Two ready replicas, which each test leaves as it finds them."""
    deployed = deploy("two")
    deployed.wait_for_pods(2)
    return deployed


@pytest.fixture(autouse=True)
def show_events(request):
    """What the cluster did, behind a test that fails."""
    yield
    report = getattr(request.node, "report_of_call", None)
    if report is not None and report.failed and "cluster" in request.fixturenames:
        for kind in ("events", "pods"):
            print(request.getfixturevalue("cluster").try_kubectl("get", kind, "-A", "-o", "wide").stdout[-6000:])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.report_of_call = outcome.get_result()
