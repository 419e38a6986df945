"""A dockerd of a test run's own: its files, its socket, its images and networks, and its end, after which nothing of it is left."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from harness.server import wait_until

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60


class DoesNotStart(Exception):
    """This machine does not let it; the text says what it was told."""


class Docker:
    """
    As a context manager it starts and stops. It writes no rule of a packet filter and makes no bridge beside those of networks that are
    made by `docker network create`, which go with it.
    """

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-docker-"))
        self.socket = self.directory / "docker.sock"
        self.log_file = self.directory / "dockerd.log"
        self._process = None
        # The classic builder, which every client brings along; no settings of who runs the tests.
        self.environment = {
            **os.environ,
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.directory / "client"),
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_DOCKER_CLI_BUILD": "0",
        }

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self._process is not None and self._process.poll() is None:
                self._remove_all()
                self._process.send_signal(signal.SIGTERM)
                self._process.wait(STOP_TIMEOUT_S)
        finally:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._unmount()
            shutil.rmtree(self.directory)

    def _start(self):
        (self.directory / "daemon.json").write_text("{}")
        command = ["dockerd", "--config-file", "daemon.json", "--data-root", "data", "--exec-root", "exec", "--pidfile", "pid"]
        command = [str(self.directory / word) if word in ("daemon.json", "data", "exec", "pid") else word for word in command]
        command += ["--host", f"unix://{self.socket}"]
        command += ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--shutdown-timeout=5"]
        with open(self.log_file, "wb") as log:
            # Not of this terminal's group: Ctrl-C is to reach the tests, which end it.
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.try_run("info").returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise DoesNotStart(self.log_file.read_text(errors="replace").strip().splitlines()[-1])
            time.sleep(0.1)

    def _remove_all(self):
        containers = self.try_run("ps", "--all", "--quiet").stdout.split()
        if containers:
            self.try_run("rm", "--force", "--volumes", *containers)
        self.try_run("network", "prune", "--force")

    def _unmount(self):
        """What a daemon that was killed left mounted, the innermost first."""
        for line in reversed(pathlib.Path("/proc/self/mountinfo").read_text().splitlines()):
            place = line.split()[4]
            if place.startswith(f"{self.directory}/"):
                subprocess.run(["umount", "--lazy", place], check=False)

    def try_run(self, *arguments, stdin=None, timeout_s=600):
        return subprocess.run(
            ["docker", *map(str, arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def run(self, *arguments, **more):
        """A docker command that must succeed; gives what it printed."""
        done = self.try_run(*arguments, **more)
        assert done.returncode == 0, f"docker {' '.join(map(str, arguments))}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout.strip()

    def inspect(self, name, form):
        return self.run("inspect", "--format", form, name)

    def logs(self, container):
        done = self.try_run("logs", container)
        return done.stdout + done.stderr

    def address(self, container):
        """Of a container on one network."""
        return self.inspect(container, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")

    def wait_for_health(self, container, expected, timeout_s=60):
        wait_until(lambda: self.inspect(container, "{{.State.Health.Status}}") == expected, timeout_s, every_s=0.1)
