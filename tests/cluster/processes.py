"""The processes of a pod, and what the kernel says of them."""

import pathlib

CGROUPS = pathlib.Path("/sys/fs/cgroup")


def container_of(pod):
    return pod["status"]["containerStatuses"][0]


def cgroup_of(cluster, pod, controller):
    """The directory of the pod's container, in a controller's own hierarchy or in the one of all."""
    identifier = container_of(pod)["containerID"].rpartition("/")[2]
    for top in (CGROUPS / controller, CGROUPS / "unified", CGROUPS):
        found = list((top / cluster.namespaces.cgroup).rglob(identifier))
        if found:
            return found[0]
    raise AssertionError(f"no cgroup of {identifier}")


def pid_of(cluster, pod):
    """As this process sees it."""
    pids = (cgroup_of(cluster, pod, "memory") / "cgroup.procs").read_text().split()
    assert len(pids) == 1, pids
    return int(pids[0])


def status_of(pid):
    """The lines of /proc/PID/status by their names."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def root_of(pid):
    return pathlib.Path("/proc", str(pid), "root")


def memory_kb(pid, name="VmRSS"):
    return int(status_of(pid)[name].split()[0])
