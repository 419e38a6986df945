"""The image that docker/Dockerfile makes, and containers of it that have no more rights than they need."""

import json
import os
import pathlib
import re
import secrets
import shutil
import tempfile
import time

import pytest

import base_image
from dockerd import DoesNotStart, Docker
from harness.endpoint import Endpoint
from harness.server import REPOSITORY, free_port, wait_until, write_config
from machine import need_programs, need_root

NAME = "introspectd"
USER_ID = 65532
PORT, ADMIN_PORT = 8080, 9090
CONFIG_FOLDER = "/etc/introspectd"
LABELS = {
    "title": "introspectd",
    "description": "OAuth 2.0 token introspection endpoint for self-contained JWTs",
    "licenses": "MIT",
    "version": "1.2.3-test",
    "revision": "0123456789abcdef",
    "created": "2026-01-02T03:04:05Z",
    "source": "https://source.example.com/introspectd",
}
BUILD_SETTINGS = [f"--build-arg={name.upper()}={LABELS[name]}" for name in ("version", "revision", "created", "source")]
RESTRICTED = [
    "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", f"{USER_ID}:{USER_ID}",
    "--memory", "64m", "--memory-swap", "64m", "--pids-limit", "64",
]  # fmt: skip


figures = []  # for who reads the tests' output


def told(text):
    figures.append(text)


@pytest.fixture(scope="session")
def docker():
    need_root()
    need_programs("docker", "dockerd", "debootstrap", "unshare")
    if not base_image.has_sources():
        pytest.skip("apt has no sources of Debian 12 here, which the image is built from")
    try:
        running = Docker().__enter__()
    except DoesNotStart as reason:
        pytest.skip(f"dockerd does not start here: {reason}")
    try:
        started_s = time.monotonic()
        running.run("import", "-c", 'CMD ["bash"]', base_image.archive(REPOSITORY / "build/system"), base_image.NAME)
        told(f"base image {time.monotonic() - started_s:.1f} s")
        yield running
    finally:
        running.__exit__()


def build(docker, *arguments):
    return docker.run("build", "--network", "host", "--file", REPOSITORY / "docker/Dockerfile", *arguments, REPOSITORY)


@pytest.fixture(scope="session")
def image(docker):
    """Its name. Built as who ships it builds it; the network is the machine's, since the daemon here forwards nothing."""
    started_s = time.monotonic()
    build(docker, "--tag", NAME, *BUILD_SETTINGS)
    told(f"build {time.monotonic() - started_s:.1f} s")
    return NAME


class Container:
    def __init__(self, docker, name, address, ports):
        self.docker = docker
        self.name = name
        self.endpoint = Endpoint("h1", (address, ports[0]))
        self.admin = Endpoint("h1", (address, ports[1]))

    def is_ready(self):
        try:
            return self.admin.request("GET", "/readyz").status == 200
        except OSError:
            return False

    def wait(self):
        """The exit status, once it has ended."""
        return int(self.docker.run("wait", self.name))

    def log(self):
        return self.docker.logs(self.name)

    def events(self, name):
        """The events of its log with this name."""
        found = [json.loads(line) for line in self.log().splitlines()]
        return [event for event in found if event["event"] == name]

    def listens(self):
        """Waits until it has started, ready or not."""
        wait_until(lambda: self.events("started"))
        return self

    def pid(self):
        return int(self.docker.inspect(self.name, "{{.State.Pid}}"))


class Containers:
    """Starts containers on a network of their own, each with a folder for its config; all of it goes at the end."""

    def __init__(self, docker):
        self.docker = docker
        self.network = "test-" + secrets.token_hex(4)
        self.names, self.folders = [], []
        docker.run("network", "create", self.network)

    def _folder(self, config, files, owner_id):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-image-"))
        self.folders.append(folder)
        write_config(folder, config, files)
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner_id, owner_id)
        return folder

    def start(self, config, files, *options, restrictions=RESTRICTED, owner_id=USER_ID, on_machine=False, tls=None):
        """on_machine: in the network of this machine, on its loopback addresses. tls: that of the config's listener."""
        host, ports = ("127.0.0.1", (free_port(), free_port())) if on_machine else ("0.0.0.0", (PORT, ADMIN_PORT))
        listener = {"address": f"{host}:{ports[0]}", **({"tls": tls} if tls else {})}
        addresses = {"listen": [listener], "admin": {"address": f"{host}:{ports[1]}"}}
        folder = self._folder({**config, **addresses}, files, owner_id)
        name = "test-" + secrets.token_hex(4)
        self.names.append(name)
        place = ["--volume", f"{folder}:{CONFIG_FOLDER}:ro", "--network", "host" if on_machine else self.network]
        self.docker.run("run", "--detach", "--name", name, *restrictions, *place, *options, NAME)
        return Container(self.docker, name, host if on_machine else self.docker.address(name), ports)

    def end(self):
        for name in self.names:
            self.docker.try_run("rm", "--force", name)
        self.docker.try_run("network", "rm", self.network)
        for folder in self.folders:
            shutil.rmtree(folder)


@pytest.fixture
def containers(docker, image):
    made = Containers(docker)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="session")
def build_image(docker, image):
    """The name of the stage that built it, which has a shell."""
    name = f"{image}-build"
    build(docker, "--target", "build", "--tag", name, *BUILD_SETTINGS)
    return name


def project_version():
    return re.search(r"project\(introspectd VERSION (\S+)", (REPOSITORY / "CMakeLists.txt").read_text())[1]
