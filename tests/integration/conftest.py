import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))  # of the hostile callers

from harness.endpoint import H1_PROTOCOLS, H2_PROTOCOLS, PROTOCOLS, Endpoint
from harness.secrecy import assert_nothing_secret_was_logged
from harness.server import BINARY, Server, free_port
from harness.world import World


def pytest_configure(config):
    if not os.access(BINARY, os.X_OK) and not config.option.collectonly:
        raise pytest.UsageError(f"no binary at {BINARY}: build it, or name one in INTROSPECTD")


def pytest_collection_modifyitems(items):
    """What was logged is looked at when everything has been logged."""
    items.sort(key=lambda item: "looks_at_everything_logged" in item.name)


@pytest.fixture
def directory():
    """A directory of its own, with a path short enough for a Unix socket."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def session_directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def world():
    made = World()
    yield made
    assert_nothing_secret_was_logged(made)


class Running:
    """A server with the endpoints on it by protocol."""

    def __init__(self, server, endpoints, admin):
        self.server = server
        self.endpoints = endpoints
        self.admin = admin


def _start(directory, config, files, listen, endpoints):
    admin_port = free_port()
    # Tests count descriptors and processor time, which the system otherwise shows to root alone.
    config = {"core_dumps": True, **config, "listen": listen, "admin": {"address": f"127.0.0.1:{admin_port}"}}
    admin = Endpoint("h1", ("127.0.0.1", admin_port))
    addresses = [endpoint.address for endpoint in endpoints.values()] + [admin.address]
    server = Server(directory, config, files, addresses).start()
    return Running(server, endpoints, admin)


@pytest.fixture(scope="session")
def running(world, session_directory):
    """The server that most tests share: every kind of listener, issuer and client."""
    listen, endpoints = world.listeners(session_directory)
    started = _start(session_directory, world.config(), world.files, listen, endpoints)
    yield started
    started.server.stop()


@pytest.fixture
def start_server(request, world):
    """Starts servers of a test's own, on plain TCP; all are stopped, and must stop well, when it ends."""
    yield from _server_factory(world)


@pytest.fixture(scope="module")
def start_module_server(world):
    """The same, for servers that a whole file shares."""
    yield from _server_factory(world)


def _server_factory(world):
    servers, directories = [], []

    def start(config=None, files=None, all_listeners=False):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-"))
        directories.append(directory)
        config = world.config() if config is None else config
        files = {**world.files, **(files or {})}
        if all_listeners:
            listen, endpoints = world.listeners(directory)
        else:
            port = free_port()
            listen = [{"address": f"127.0.0.1:{port}"}]
            endpoints = {name: Endpoint(name, ("127.0.0.1", port)) for name in ("h1", "h2c")}
        started = _start(directory, config, files, listen, endpoints)
        servers.append(started.server)
        return started

    yield start
    try:
        for server in servers:
            server.stop()
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()
        for directory in directories:
            shutil.rmtree(directory)


@pytest.fixture(params=PROTOCOLS)
def endpoint(request, running):
    return running.endpoints[request.param]


@pytest.fixture(params=H1_PROTOCOLS)
def h1_endpoint(request, running):
    return running.endpoints[request.param]


@pytest.fixture(params=H2_PROTOCOLS)
def h2_endpoint(request, running):
    return running.endpoints[request.param]


@pytest.fixture
def h1(running):
    return running.endpoints["h1"]
