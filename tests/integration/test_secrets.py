"""What the operating system lets others see of the server's memory; whether the look at what was logged would see a secret."""

import os
import resource
import subprocess

import pytest

from harness import secrecy
from harness.endpoint import basic
from harness.reload import Reloads
from harness.server import Server, free_port

# Root may look into any process; without these capabilities it is a user like others, who may look into processes of their own.
AS_ORDINARY_USER = ["setpriv", "--bounding-set", "-sys_ptrace,-perfmon,-sys_admin"] if os.geteuid() == 0 else []

# The sanitizers forbid core files by themselves.
SANITIZERS_ALLOW = [f"{name}=disable_coredump=0:" + os.environ.get(name, "") for name in ("ASAN_OPTIONS", "TSAN_OPTIONS")]


def is_open_to_its_user(server):
    """Whether a process of the same user may read the server's memory; its environment asks for the same right."""
    reading = ["cat", f"/proc/{server.process.pid}/environ"]
    return subprocess.run([*AS_ORDINARY_USER, *reading], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def core_limit(server):
    """The size that a core file of the server may have."""
    return resource.prlimit(server.process.pid, resource.RLIMIT_CORE)[0]


@pytest.fixture
def start(world, directory):
    """Starts a server that may leave core files as far as the system is concerned."""
    servers = []

    def start_server(**changes):
        port = free_port()
        config = world.config(listen=[{"address": f"127.0.0.1:{port}"}], **changes)
        size = resource.getrlimit(resource.RLIMIT_CORE)[1]
        size = "unlimited" if size == resource.RLIM_INFINITY else str(size)
        prefix = ["env", *SANITIZERS_ALLOW, "prlimit", f"--core={size}", *AS_ORDINARY_USER]
        server = Server(directory, config, world.files, [("127.0.0.1", port)], prefix).start()
        servers.append(server)
        return server

    yield start_server
    for server in servers:
        server.stop()


def test_memory_is_closed_by_default(start):
    server = start(core_dumps=None)
    assert not is_open_to_its_user(server)
    assert core_limit(server) == 0


def test_memory_is_open_when_the_config_says_so(start):
    server = start(core_dumps=True)
    assert is_open_to_its_user(server)
    assert core_limit(server) == resource.getrlimit(resource.RLIMIT_CORE)[1]


def test_a_reload_closes_and_opens_it(start):
    server = start(core_dumps=False)
    reloads = Reloads(server)
    reloads.accept_config(lambda config: config.update(core_dumps=True))
    assert is_open_to_its_user(server)
    reloads.accept_config(lambda config: config.pop("core_dumps"))
    assert not is_open_to_its_user(server)
    assert core_limit(server) == 0


def test_a_refused_reload_changes_nothing(start):
    server = start()
    reloads = Reloads(server)
    reloads.refuse_config(lambda config: config.update(core_dumps=True, threads=-1))
    assert not is_open_to_its_user(server)


def test_the_look_at_what_was_let_out_sees_secrets_and_pieces_of_tokens(world, monkeypatch):
    token = world.token("ES256")
    signature = token.rpartition(".")[2]
    own = "a secret of this test alone"
    for planted in (world.rfc.secret, own, basic(world.rfc.client_id, world.rfc.secret)[1], token, signature[30:45], token.split(".")[1][:40]):
        basic("somebody", own)
        monkeypatch.setattr(secrecy, "printed", [f'{{"event":"x","detail":"{planted}"}}'])
        with pytest.raises(AssertionError):
            secrecy.assert_nothing_secret_was_logged(world)
    monkeypatch.setattr(secrecy, "printed", [token.split(".")[0]])
    secrecy.assert_nothing_secret_was_logged(world)
