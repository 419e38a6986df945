"""The limit of open files: raised and told, and too low a one is an error at the start, never a crash."""

import re
import resource
import signal

from harness import expect, fetched, tokens
from harness.authority import Authority
from harness.endpoint import Endpoint
from harness.provider import Provider, answer
from harness.reload import Reloads
from harness.server import Server, free_port, wait_until

EXIT_OSERR = 71
CONNECTIONS = 16  # what there must be room for besides what the server needs itself

TOO_LOW = re.compile(
    r"introspectd: the limit of open files \(RLIMIT_NOFILE\) is (\d+), at least (\d+) are needed: (\d+) are open, and "
    r"(\d+) threads with (\d+) listeners and (\d+) issuers whose keys are fetched need (\d+)\n"
)


def start(world, directory, limit, config=None, files=None):
    """A server under the limit, with its endpoint, once it serves or has ended by itself."""
    port = free_port()
    config = {"core_dumps": True, "threads": 1, **(config or world.config(threads=1)), "listen": [{"address": f"127.0.0.1:{port}"}]}
    server = Server(directory, config, {**world.files, **(files or {})}, prefix=["prlimit", f"--nofile={limit}:{limit}"]).start()
    wait_until(lambda: server.process.poll() is not None or '"started"' in server.stderr())
    return server, Endpoint("h1", ("127.0.0.1", port))


def refusal(server):
    """What a server that ended by itself said of the limit: that it is so much, and must be so much."""
    assert server.wait() == EXIT_OSERR, server.stderr()
    said = TOO_LOW.fullmatch(server.stderr())
    assert said, server.stderr()
    limit, needed, open_count, _, _, _, more = map(int, said.groups())
    assert limit < needed == open_count + more
    return limit, needed


def least_limit(world, directory, config=None, files=None):
    """What a server says that it needs when it could read its config, and that was all."""
    server, _ = start(world, directory, 45, config, files)
    return refusal(server)[1]


def serves_at_its_bound(world, server, endpoint):
    """With as many connections as there must be room for, and at a reload."""
    connections = [endpoint.connect() for _ in range(CONNECTIONS - 1)]
    try:
        for connection in connections:
            expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=connection))
        reloads = Reloads(server)
        reloads.accepted(reloads.hang_up, "signal")
        for connection in connections:
            expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=connection))
    finally:
        for connection in connections:
            connection.close()
    expect.is_active(endpoint.introspect(world.token(), world.rfc))


def test_limit_is_raised_and_told(world, directory):
    port, highest = free_port(), 500
    config = world.config(listen=[{"address": f"127.0.0.1:{port}"}], core_dumps=True)
    server = Server(directory, config, world.files, [("127.0.0.1", port)], ["prlimit", f"--nofile=100:{highest}"]).start()
    assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (highest, highest)
    assert [event["open_files"] for event in server.find_log(event="started")] == [highest]
    server.stop()


def test_every_low_limit(world, directory):
    """It serves, or says what it needs, which is then enough."""
    needed = set()
    server, _ = start(world, directory, 3)
    # The program does not run: the system cannot load its libraries.
    assert server.wait() == 127 and "error while loading shared libraries" in server.stderr(), server.stderr()
    for limit in range(4, 61):
        server, endpoint = start(world, directory, limit)
        if server.process.poll() is not None:
            said = refusal(server)
            assert said[0] == limit and said[1] <= 60, said
            needed.add(said[1])
            continue
        assert limit >= max(needed), (limit, needed)
        if limit == max(needed):
            serves_at_its_bound(world, server, endpoint)
        server.stop()
    # Told before the config is read, by what any config needs, and then by this one.
    assert 1 <= len(needed) <= 2, needed


def test_many_threads_need_more(world, directory):
    config = world.config(threads=9)
    limit = least_limit(world, directory, config)
    server, endpoint = start(world, directory, limit - 1, config)
    assert refusal(server) == (limit - 1, limit)
    server, endpoint = start(world, directory, limit, config)
    serves_at_its_bound(world, server, endpoint)
    server.stop()


def test_access_log_needs_more(world, directory):
    """It is opened anew at the bound too."""
    config = world.config(threads=9, access_log={"file": "access.log"})
    limit = least_limit(world, directory, config)
    assert limit == least_limit(world, directory, world.config(threads=9)) + 2
    server, endpoint = start(world, directory, limit - 1, config)
    assert refusal(server) == (limit - 1, limit)
    server, endpoint = start(world, directory, limit, config)
    serves_at_its_bound(world, server, endpoint)
    server.signal(signal.SIGUSR1)
    wait_until(lambda: server.find_log(event="access_log_reopened"))
    serves_at_its_bound(world, server, endpoint)
    server.stop()


def test_keys_are_fetched_at_the_bound(world, directory):
    """All at once, which each needs a few for."""
    key, authority, issuers = fetched.new_key("good"), Authority(), []
    with Provider(authority.issue()) as provider:
        for number in range(5):
            provider.serve(f"/{number}", answer(tokens.jwks(key)))
            issuers.append(fetched.issuer(f"https://{number}.example", provider.url(f"/{number}")))
        config = world.config(issuers=[*world.issuers(), *issuers], threads=1)
        files = {"ca.pem": authority.pem}
        server, endpoint = start(world, directory, least_limit(world, directory, config, files), config, files)
        serves_at_its_bound(world, server, endpoint)
        for issuer in issuers:
            fetched.becomes_active(endpoint, fetched.token(key, issuer["issuer"]), world.rfc)
        assert not server.find_log(event="keys_refresh_failed")
        server.stop()
