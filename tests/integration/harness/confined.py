"""Servers that run with little: as which user, with which rights, and what the system says about each of their threads."""

import os
import pathlib
import shutil

from harness.endpoint import Endpoint
from harness.server import BINARY, Server, free_port

# No system has them.
UID, GID = 12345, 12346


def threads(pid):
    """What /proc says of every thread: a dictionary of the lines of its `status`."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        found.append({name: value.split() for name, _, value in (line.partition(":") for line in lines)})
    assert found
    return found


def is_of_user(pid, uid, gid, groups=()):
    """Whether every thread has these ids in every place, these supplementary groups, and no capability."""
    for thread in threads(pid):
        ids = thread["Uid"], thread["Gid"], thread["Groups"]
        assert ids == ([str(uid)] * 4, [str(gid)] * 4, [str(group) for group in groups]), thread
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(thread[capabilities][0], 16) == 0, thread
    return True


def give(directory, uid, gid):
    """Gives a directory and what is in it to a user, as whoever sets a service up does."""
    directory.chmod(0o755)
    for path in (directory, *directory.iterdir()):
        os.chown(path, uid, gid, follow_symlinks=False)


class Starter:
    """Starts servers in a directory that their user may be given; all must stop well."""

    def __init__(self, world, directory):
        self.world = world
        self.directory = directory
        self.servers = []
        self.endpoints = {}
        self.admin = None

    def start(self, config=None, files=None, owner=None, prefix=(), binary=BINARY, has_socket=True):
        """On every kind of listener. owner: who gets the files, as (uid, gid)."""
        listen, self.endpoints = self.world.listeners(self.directory)
        if not has_socket:
            listen = [entry for entry in listen if not entry["address"].startswith("unix:")]
            del self.endpoints["unix"]
        self.admin = Endpoint("h1", ("127.0.0.1", free_port()))
        config = {"core_dumps": True, **(config or self.world.config()), "listen": listen}
        config["admin"] = {"address": f"127.0.0.1:{self.admin.address[1]}"}
        addresses = [endpoint.address for endpoint in self.endpoints.values()] + [self.admin.address]
        config = {name: value for name, value in config.items() if value is not None}
        server = Server(self.directory, config, {**self.world.files, **(files or {})}, addresses, prefix, binary)
        if owner is not None:
            give(self.directory, *owner)
        else:
            self.directory.chmod(0o755)
        self.servers.append(server)
        return server.start()

    def end(self):
        try:
            for server in self.servers:
                server.stop()
        finally:
            for server in self.servers:
                if server.process is not None and server.process.poll() is None:
                    server.process.kill()
                    server.process.wait()
            shutil.rmtree(self.directory, ignore_errors=True)
