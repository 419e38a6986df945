"""docker/compose.yaml: the demo as a newcomer starts it."""

import os
import secrets
import shutil
import subprocess

import pytest
import yaml

from harness import expect
from harness.endpoint import Endpoint
from harness.server import REPOSITORY, free_port, wait_until
from harness.world import Client
from image import USER_ID

FILE = REPOSITORY / "docker/compose.yaml"


def compose_command(docker):
    if docker.try_run("compose", "version").returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("neither docker's plugin compose nor docker-compose is on this machine (deps/install system)")


class Demo:
    def __init__(self, docker):
        self.docker = docker
        self.port, self.admin_port = free_port(), free_port()
        self.project = "test" + secrets.token_hex(4)
        self.command = [*compose_command(docker), "--file", str(FILE), "--project-name", self.project]

    def run(self, *arguments):
        environment = {**self.docker.environment, "DEMO_PORT": str(self.port), "DEMO_ADMIN_PORT": str(self.admin_port)}
        done = subprocess.run([*self.command, *arguments], env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def container(self):
        return self.run("ps", "--quiet", "introspectd")

    def is_ready(self):
        try:
            return Endpoint("h1", ("127.0.0.1", self.admin_port)).request("GET", "/readyz").status == 200
        except (OSError, AssertionError):
            return False


@pytest.fixture(scope="module")
def demo(docker, image, build_image):
    made = Demo(docker)
    try:
        made.run("up", "--detach", "--no-build")
        wait_until(made.is_ready, timeout_s=60)
        yield made
    finally:
        made.run("down", "--volumes")


def ask(demo, directory, client_id, token):
    client = Client(client_id, (directory / f"{client_id}.secret").read_text().strip())
    endpoint = Endpoint("h1", ("127.0.0.1", demo.port))
    return endpoint.introspect((directory / f"{token}.jwt").read_text(), client)


def fetch(demo, directory):
    demo.docker.run("cp", f"{demo.container()}:/etc/introspectd/.", directory)


def test_answers_as_the_demo_does(demo, directory):
    fetch(demo, directory)
    good = ask(demo, directory, "front", "rs256")
    expect.active(good, front_channel_name="Acme Support", front_channel_address="acme:channel-7")
    expect.is_active(ask(demo, directory, "api", "eddsa"))
    expect.inactive(ask(demo, directory, "front", "expired"), 401)
    expect.inactive(ask(demo, directory, "api", "forged"), 200)


def test_becomes_healthy(demo):
    demo.docker.wait_for_health(demo.container(), "healthy")


def test_has_no_right_that_it_does_not_need(demo):
    form = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Memory}} {{.Config.User}}"
    assert demo.docker.inspect(demo.container(), form) == f"true [ALL] [no-new-privileges:true] {128 << 20} {USER_ID}:{USER_ID}"
    assert demo.docker.inspect(demo.container(), "{{.HostConfig.PidsLimit}}") == "64"
    bindings = demo.docker.inspect(demo.container(), "{{range .HostConfig.PortBindings}}{{range .}}{{.HostIp}} {{end}}{{end}}")
    assert bindings.split() == ["127.0.0.1", "127.0.0.1"]


def test_files_are_the_users_alone(demo, directory):
    fetch(demo, directory)
    files = list(directory.rglob("*"))
    assert len(files) > 15 and [path for path in files if path.stat().st_mode & 0o077] == []


def test_starting_again_makes_new_files(demo, directory):
    fetch(demo, directory)
    before = (directory / "rs256.jwt").read_text()
    demo.run("up", "--detach", "--no-build", "--force-recreate")
    wait_until(demo.is_ready, timeout_s=60)
    fetch(demo, directory)
    assert (directory / "rs256.jwt").read_text() != before
    expect.is_active(ask(demo, directory, "front", "rs256"))


def test_only_what_the_file_says_is_built():
    """Every image is one that docker/Dockerfile makes."""
    services = yaml.safe_load(FILE.read_text())["services"]
    for service in services.values():
        assert service["build"]["dockerfile"] == "docker/Dockerfile" and os.path.samefile(FILE.parent / service["build"]["context"], REPOSITORY)
