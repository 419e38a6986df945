"""Namespaces of the node's own, in which its daemons and all pods run, and which take everything along when they end."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

from harness.server import wait_until

HERE = pathlib.Path(__file__).resolve().parent
CGROUPS = pathlib.Path("/sys/fs/cgroup")
CGROUP_PREFIX = "introspectd-cluster-"
REMOVAL_TIMEOUT_S = 20


class Namespaces:
    """
    directory keeps the daemons' logs. The kernel ends every process here when this one, or the one that called it, ends in whatever
    way, and with them go mounts and network; the cgroups are removed by stop().
    """

    def __init__(self, directory):
        self.directory = directory
        self.cgroup = directory.name
        self.daemons = {}
        self._first = None
        self._pid = None

    def start(self):
        ready = self.directory / "namespaces-ready"
        command = ["setpriv", "--pdeathsig", "KILL"]
        command += ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
        with open(self.directory / "first_process.log", "wb") as log:
            self._first = subprocess.Popen(
                [*command, HERE / "first_process", self.cgroup, ready],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: ready.exists() or self._first.poll() is not None)
        assert self._first.poll() is None, (self.directory / "first_process.log").read_text()
        children = pathlib.Path(f"/proc/{self._first.pid}/task/{self._first.pid}/children").read_text().split()
        self._pid = int(children[0])

    def inside(self, command):
        """The command that runs command in here."""
        return ["nsenter", "--target", str(self._pid), "--mount", "--net", "--pid", "--uts", "--ipc", *map(str, command)]

    def in_network(self, command):
        """The command that runs command with the files and processes of the outside, but this network."""
        return ["nsenter", "--target", str(self._pid), "--net", *map(str, command)]

    def run(self, command, **options):
        return subprocess.run(self.inside(command), check=True, capture_output=True, text=True, **options)

    def start_daemon(self, name, command):
        with open(self.log_file(name), "ab") as log:
            self.daemons[name] = subprocess.Popen(
                self.inside(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    @contextlib.contextmanager
    def sluggish(self, name, stopped_s, running_s):
        """A daemon that is stopped most of the time, as if it heard of everything late."""
        group, is_over = self.daemons[name].pid, threading.Event()

        def toggle():
            while not is_over.is_set():
                os.killpg(group, signal.SIGSTOP)
                is_over.wait(stopped_s)
                os.killpg(group, signal.SIGCONT)
                is_over.wait(running_s)

        thread = threading.Thread(target=toggle)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def log_file(self, name):
        return self.directory / f"{name}.log"

    def assert_daemons_run(self):
        for name, process in self.daemons.items():
            assert process.poll() is None, f"{name} ended\n{self.log_file(name).read_text(errors='replace')[-4000:]}"

    def stop(self):
        if self._first is not None and self._first.poll() is None:
            self._first.send_signal(signal.SIGKILL)
            self._first.wait()
        for process in self.daemons.values():
            process.wait(REMOVAL_TIMEOUT_S)
        remove_cgroups(self.cgroup)


def remove_cgroups(name):
    """Removes a cgroup of every hierarchy with those below it, once the kernel has taken their processes out."""
    deadline = time.monotonic() + REMOVAL_TIMEOUT_S
    for top in CGROUPS.glob(f"*/{name}"):
        below = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
        for cgroup in [*below, top]:
            while True:
                try:
                    cgroup.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    assert time.monotonic() < deadline, f"{cgroup} is still in use"
                    time.sleep(0.05)


def name_of_run():
    """The start of the name of this run's directory, by which a later one knows that it is over."""
    return f"{CGROUP_PREFIX}{os.getpid()}-"


def remove_leftovers(temporary):
    """Directories and cgroups of runs that were killed, and so could not remove them; their processes ended with them."""
    for directory in temporary.glob(f"{CGROUP_PREFIX}*-*"):
        pid = directory.name.removeprefix(CGROUP_PREFIX).partition("-")[0]
        if pid.isdecimal() and not pathlib.Path("/proc", pid).exists():
            remove_cgroups(directory.name)
            shutil.rmtree(directory)
