"""The access log: a line for a request, what stands in it and what never does, and that nobody waits for it."""

import collections
import json
import os
import pathlib
import re
import signal
import socket
import tempfile

import pytest

from harness import expect, tokens
from harness.confined import GID, UID, Starter, give, threads
from harness.endpoint import FORM, PROTOCOLS, Endpoint, Sent, basic, form_body
from harness.load import Load
from harness.metrics import Metrics
from harness.reload import Reloads
from harness.secrecy import assert_nothing_secret_was_logged
from harness.server import Server, free_port, printed, wait_until
from harness.world import MAIN, Client

EXIT_OSERR = 71
EVERY_LINE = 1000000  # more lines a second than anybody asks for here
KEYLESS = "https://keyless.example.com"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def lines_of(text):
    """What each line holds; a line that is cut, or that is not ASCII, is an error."""
    assert text == "" or text.endswith("\n"), text[-200:]
    assert re.fullmatch(r"[ -~\n]*", text)
    return [json.loads(line) for line in text.splitlines()]


class AccessLog:
    def __init__(self, started, name="access.log"):
        self.started = started
        self.path = started.server.directory / name

    def lines(self):
        text = self.path.read_text()
        return lines_of(text[: text.rfind("\n") + 1])

    def wait_for(self, count):
        """The lines once there are so many."""
        wait_until(lambda: len(self.lines()) >= count)
        lines = self.lines()
        assert len(lines) == count, lines
        return lines

    def rotate(self, number):
        """As logrotate does it: the lines of the file that is now closed."""
        count = len(self.started.server.find_log(event="access_log_reopened"))
        old = self.path.with_name(f"{self.path.name}.{number}")
        os.rename(self.path, old)
        self.started.server.signal(signal.SIGUSR1)
        wait_until(lambda: len(self.started.server.find_log(event="access_log_reopened")) > count)
        return lines_of(old.read_text())


LOOKED_AT = 100000  # bytes of each file, for secrets, when a test is over


@pytest.fixture
def start(world, start_server):
    servers = []

    def start(config=None, files=None, all_listeners=False, name="access.log", **access_log):
        access_log = {"file": name, "max_per_second": EVERY_LINE, **access_log}
        started = start_server({**(config or world.config()), "access_log": access_log}, files, all_listeners)
        started.log = AccessLog(started, name)
        servers.append(started.server)
        return started

    yield start
    for server in servers:
        for path in server.directory.glob("access*.log*"):
            if path.is_file():
                printed.append(path.read_text()[:LOOKED_AT])


def introspect_often(endpoint, token, client, count):
    with endpoint.connect() as connection:
        for _ in range(count):
            endpoint.introspect(token, client, connection=connection)


# What a line says


def test_off_by_default(world, start_server):
    started = start_server()
    before = set(os.listdir(started.server.directory))
    expect.is_active(started.endpoints["h1"].introspect(world.token(), world.rfc))
    assert set(os.listdir(started.server.directory)) == before
    assert not any(thread["Name"] == ["access-log"] for thread in threads(started.server.process.pid))
    # The signal is no reason to end.
    started.server.signal(signal.SIGUSR1)
    expect.is_active(started.endpoints["h1"].introspect(world.token(), world.rfc))
    assert not started.server.find_log(event="access_log_reopened")


TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def assert_said(line, **members):
    line = dict(line)
    assert re.fullmatch(TIME, line.pop("time"))
    assert isinstance(line.pop("duration_us"), int)
    assert line == members


def test_what_a_line_says(world, start):
    started = start(all_listeners=True)
    count = 0
    for protocol in PROTOCOLS:
        token = world.token("ES256")
        for cached in (False, True):
            expect.is_active(started.endpoints[protocol].introspect(token, world.private))
            count += 1
            peer = {} if protocol == "unix" else {"peer": "127.0.0.1"}
            assert_said(
                started.log.wait_for(count)[-1],
                client=world.private.client_id,
                profile="front_private",
                protocol="http2" if protocol in ("h2c", "tls-h2") else "http1",
                status=200,
                outcome="active",
                issuer=MAIN,
                token=tokens.token_name(token),
                cached=cached,
                **peer,
            )


def test_every_outcome(world, start):
    config = world.config(ready="any", limits={"failed_authentications": 1})
    config["issuers"].append({"issuer": KEYLESS, "jwks_file": "no.json", "algorithms": ["RS256"], "audience": "any"})
    started = start(config, {"no.json": '{"keys":[]}'})
    h1 = started.endpoints["h1"]
    peer, protocol = "127.0.0.1", "http1"

    def is_said(**members):
        is_said.count += 1
        assert_said(started.log.wait_for(is_said.count)[-1], protocol=protocol, **members)

    is_said.count = 0
    private = {"client": world.private.client_id, "profile": "front_private", "peer": peer}
    rfc = {"client": world.rfc.client_id, "profile": "rfc7662", "peer": peer}
    nobody = {"client": None, "peer": peer}

    token = world.token("ES256", exp=1)
    for cached in (False, True):
        h1.introspect(token, world.private)
        said = {"issuer": MAIN, "token": tokens.token_name(token), "cached": cached}
        is_said(status=401, outcome="inactive", reason="expired", **said, **private)
    h1.introspect("not-a-token", world.rfc)
    is_said(status=200, outcome="inactive", reason="malformed", token=tokens.token_name("not-a-token"), cached=False, **rfc)
    token = world.token(issuer=KEYLESS)
    expect.unavailable(h1.introspect(token, world.rfc))
    said = {"issuer": KEYLESS, "token": tokens.token_name(token), "cached": False}
    is_said(status=503, outcome="unavailable", reason="keys_unavailable", **said, **rfc)

    h1.post(b"", authorization=basic(world.rfc.client_id, world.rfc.secret))
    is_said(status=400, outcome="invalid", **rfc)
    h1.post(form_body(("token", "x")))
    is_said(status=401, outcome="unauthorized", **nobody)
    h1.request("GET", "/introspect")
    is_said(status=405, outcome="invalid", **nobody)
    h1.request("POST", "/elsewhere", body=b"")
    is_said(status=404, outcome="invalid", **nobody)
    wrong = Client(world.rfc.client_id, "wrong-" + world.rfc.secret)
    assert h1.introspect("x", wrong).status == 401
    is_said(status=401, outcome="unauthorized", **nobody)
    while h1.introspect("x", wrong).status != 429:
        is_said(status=401, outcome="unauthorized", **nobody)
    is_said(status=429, outcome="throttled", **nobody)


def test_overload(world, start):
    config = world.config(threads=1, limits={"max_waiting": 1}, cache={"max_bytes": 0})
    started = start(config)
    h2c, token = started.endpoints["h2c"], world.token("ES512")
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)]
    with h2c.connect() as connection:
        streams = [
            connection.start("POST", h2c.path, headers, form_body(("token", token[:-8] + f"{i:08}"))) for i in range(60)
        ]
        statuses = collections.Counter(connection.response(stream).status for stream in streams)
    lines = started.log.wait_for(60)
    assert collections.Counter(line["status"] for line in lines) == statuses
    for line in lines:
        assert line["outcome"] == {200: "inactive", 503: "overloaded"}[line["status"]]
        assert line["client"] == world.rfc.client_id and ("token" in line) == (line["status"] == 200)


# Which requests have a line


def test_sample(world, start):
    sample, sent = 10, 3000
    started = start(sample=sample)
    introspect_often(started.endpoints["h1"], world.token(), world.rfc, sent)
    started.server.stop()
    lines = started.log.lines()
    assert all(line["sample"] == sample and "left_out" not in line for line in lines)
    # Ten standard deviations off.
    assert abs(len(lines) - sent / sample) < 100, len(lines)


def test_lines_a_second_are_bounded(world, start):
    started = start(max_per_second=5)
    h1, sent = started.endpoints["h1"], 1000
    introspect_often(h1, world.token(), world.rfc, sent)

    def all_are_accounted_for():
        h1.introspect("one more", world.rfc)
        lines = started.log.lines()
        return sum(1 + line.get("left_out", 0) for line in lines) >= sent

    wait_until(all_are_accounted_for, every_s=0.3)
    seconds = collections.Counter(line["time"][:19] for line in started.log.lines())
    # The seconds of the bound are not those of the clock on the wall.
    assert max(seconds.values()) <= 10, seconds


# Where lines go


@pytest.mark.parametrize("stream", ["stderr", "stdout"])
def test_among_the_events(world, start, stream):
    """Where standard output is standard error, as in these tests, lines of both must not get in between each other."""
    started = start(name=stream)
    introspect_often(started.endpoints["h1"], "bad.token.x", world.rfc, 300)
    wait_until(lambda: len(started.server.find_log(event="request")) == 300)
    for line in started.server.find_log(event="request"):
        assert line["level"] == "info" and line["outcome"] == "inactive"


def test_standard_output(world, directory):
    port, out = free_port(), directory / "out.log"
    config = world.config(listen=[{"address": f"127.0.0.1:{port}"}], core_dumps=True, access_log={"file": "stdout"})
    prefix = ["sh", "-c", f'exec "$0" "$@" > {out}']
    server = Server(directory, config, world.files, [("127.0.0.1", port)], prefix).start()
    endpoint = Endpoint("h1", ("127.0.0.1", port))
    expect.is_active(endpoint.introspect(world.token(), world.rfc))
    server.signal(signal.SIGUSR1)
    expect.is_active(endpoint.introspect(world.token(), world.rfc))
    server.stop()
    lines = lines_of(out.read_text())
    assert [line["outcome"] for line in lines] == ["active"] * 2 and "event" not in lines[0]
    assert not server.find_log(event="request")


def test_file_that_cannot_be_opened(world, directory):
    for file, problem in (("none/access.log", "No such file or directory"), (".", "Is a directory")):
        config = world.config(listen=[{"address": f"127.0.0.1:{free_port()}"}], access_log={"file": file})
        server = Server(directory, config, world.files).start()
        assert server.wait() == EXIT_OSERR
        path = re.escape(f"{directory}/{file}")
        said = rf"introspectd: \S+/introspectd\.yaml:\d+: access_log\.file: {path}: cannot be opened for writing: {problem}\n"
        assert re.fullmatch(said, server.stderr()), server.stderr()


def test_all_lines_are_there_at_the_end(world, start):
    started = start()
    introspect_often(started.endpoints["h1"], world.token(), world.rfc, 100)
    started.server.stop()
    assert len(started.log.lines()) == 100


# Rotation, reload


def test_rotation_under_load(world, start, tmp_path):
    """Every request has its line in exactly one of the files."""
    started = start()
    load = Load(started.endpoints["h1"], world.token(), world.rfc, tmp_path, requests=2000).start()
    count, rotations = 0, 10
    for number in range(rotations):
        wait_until(lambda: started.log.path.stat().st_size > 0)
        count += len(started.log.rotate(number))
    load.stop()
    load.assert_all_succeeded()
    started.server.stop()
    assert count + len(started.log.lines()) == load.answered()
    for number in range(rotations):
        assert all(line["outcome"] == "active" for line in lines_of((started.log.path.with_name(f"access.log.{number}")).read_text()))


def test_rotation_that_fails(world, start):
    """The old file goes on, until it works."""
    started = start()
    new, old = started.log.path, started.log.path.with_name("access.log.old")
    os.rename(new, old)
    new.mkdir()
    started.server.signal(signal.SIGUSR1)
    wait_until(lambda: started.server.find_log(event="access_log_reopen_failed", error="Is a directory", level="error"))
    introspect_often(started.endpoints["h1"], world.token(), world.rfc, 10)
    AccessLog(started, old.name).wait_for(10)
    new.rmdir()
    started.server.signal(signal.SIGUSR1)
    wait_until(lambda: started.server.find_log(event="access_log_reopened"))
    introspect_often(started.endpoints["h1"], world.token(), world.rfc, 10)
    started.log.wait_for(10)


def test_rotation_before_the_end(world, start):
    """While a stop is announced the server serves, and writes."""
    started = start(world.config(drain_delay="1m"))
    introspect_often(started.endpoints["h1"], world.token(), world.rfc, 10)
    started.log.wait_for(10)
    started.server.signal()
    wait_until(lambda: started.server.find_log(event="stopping"))
    assert len(started.log.rotate(1)) == 10
    introspect_often(started.endpoints["h1"], world.token(), world.rfc, 10)
    started.server.stop()
    assert len(started.log.lines()) == 10


def test_rotation_while_requests_in_flight_are_waited_for(world, start):
    """However long that takes, the disk is not kept full, and no line goes where nobody looks."""
    started = start(world.config(shutdown_timeout="1h"))
    h2c = started.endpoints["h2c"]
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)]
    body = form_body(("token", world.token()))
    with h2c.connect() as connection:
        stream = connection.start("POST", h2c.path, headers, body[:20], ends=False)
        connection.request("GET", h2c.path)  # once this is answered, the server has what came before
        started.log.wait_for(1)
        started.server.signal()
        connection.wait_for_goaway()
        assert len(started.log.rotate(1)) == 1
        connection.finish(stream, body[20:])
        expect.is_active(connection.response(stream))
    assert started.server.wait() == 0
    assert [line["outcome"] for line in started.log.lines()] == ["active"]


def test_reloads(world, start_server):
    started = start_server()
    log, reloads, h1 = AccessLog(started), Reloads(started.server), started.endpoints["h1"]
    other = AccessLog(started, "other.log")

    def ask():
        expect.is_active(h1.introspect(world.token(), world.rfc))

    ask()
    reloads.accept_config(lambda config: config.update(access_log={"file": "access.log"}))
    ask()
    log.wait_for(1)
    # The file stays open: it is the same one, wherever it is now.
    os.rename(log.path, log.path.with_name("moved"))
    log.path = log.path.with_name("moved")
    reloads.accept_config(lambda config: config.update(access_log={"file": "access.log", "sample": 1, "max_per_second": 7}))
    ask()
    log.wait_for(2)
    reloads.accept_config(lambda config: config.update(access_log={"file": "other.log"}))
    ask()
    other.wait_for(1)
    error = reloads.refuse_config(lambda config: config.update(access_log={"file": "none/access.log"}))
    assert error.endswith("/none/access.log: cannot be opened for writing: No such file or directory"), error
    ask()
    other.wait_for(2)
    reloads.accept_config(lambda config: config.pop("access_log"))
    ask()
    reloads.accept_config(lambda config: config.update(access_log={"file": "stderr"}))
    ask()
    wait_until(lambda: len(started.server.find_log(event="request")) == 1)
    assert len(log.lines()) == 2 and len(other.lines()) == 2


def test_reloads_under_load(world, start, tmp_path):
    """No line is lost when it changes where lines go."""
    started = start()
    reloads = Reloads(started.server)
    load = Load(started.endpoints["h1"], world.token(), world.rfc, tmp_path, requests=2000).start()
    names = ["access.log"]
    for number in range(6):
        names.append(f"access-{number}.log")
        access_log = {"file": names[-1], "max_per_second": EVERY_LINE}
        reloads.accept_config(lambda config: config.update(access_log=access_log))
    load.stop()
    load.assert_all_succeeded()
    started.server.stop()
    counts = [len(AccessLog(started, name).lines()) for name in names]
    assert sum(counts) == load.answered(), counts


def test_reload_keeps_the_count_of_what_is_left_out(world, start):
    """A config that asks for the same does not begin the second anew, nor forget whom it held back."""
    started = start(max_per_second=1)
    reloads, h1 = Reloads(started.server), started.endpoints["h1"]
    sent = 100
    introspect_often(h1, world.token(), world.rfc, sent)
    for _ in range(3):
        reloads.accepted(reloads.hang_up, "signal")

    def all_are_accounted_for():
        nonlocal sent
        sent += 1
        h1.introspect("one more", world.rfc)
        # The last line may be on its way.
        return sum(1 + line.get("left_out", 0) for line in started.log.lines()) >= sent - 1

    wait_until(all_are_accounted_for, every_s=1.1)


def test_refused_reload_leaves_nothing(world, start_server):
    """What is refused for another reason has made neither a file nor a thread."""
    started = start_server()
    reloads = Reloads(started.server)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        def change(config):
            config["listen"].append({"address": address})
            config["access_log"] = {"file": "access.log"}

        assert "Address already in use" in reloads.refuse_config(change)
        assert not AccessLog(started).path.exists()
        assert not any(thread["Name"] == ["access-log"] for thread in threads(started.server.process.pid))


# Trouble


def test_reader_that_does_not_read(world, start, tmp_path):
    """A disk that hangs: callers are answered all the same, lost lines are told, and the server ends well."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    started = start(name=str(fifo))
    h1 = started.endpoints["h1"]
    load = Load(h1, world.token(), world.rfc, tmp_path, requests=2000).start()
    wait_until(lambda: started.server.find_log(event="access_log_lines_lost"))
    load.stop()
    load.assert_all_succeeded()
    expect.is_active(h1.introspect(world.token(), world.rfc))
    # What there was room for comes whole once somebody reads.
    text = b""
    while not text.endswith(b"\n") or len(lines_of(text.decode())) < 3000:
        try:
            text += os.read(reader, 1 << 16)
        except BlockingIOError:
            pass
    started.server.stop()
    os.close(reader)
    lost = [event["lost"] for event in started.server.find_log(event="access_log_lines_lost")]
    assert 0 < lost[0] < load.answered() and lost == sorted(lost)


def test_end_while_nobody_reads(world, start, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    started = start(name=str(fifo))
    introspect_often(started.endpoints["h1"], world.token(), world.rfc, 1000)
    started.server.stop()
    assert started.server.find_log(event="stopped")
    assert_rest_was_told(started.server, reader, 1000)


def assert_rest_was_told(server, reader, count):
    """Of so many lines those that are not in the FIFO are lost, and that is told."""
    text = b""
    while True:
        try:
            got = os.read(reader, 1 << 16)
        except BlockingIOError:
            break
        if got == b"":
            break
        text += got
    os.close(reader)
    (event,) = server.find_log(event="access_log_lines_lost")
    assert event["level"] == "error" and event["lost"] == count - text.count(b"\n") > 0, event


def test_reload_while_nobody_reads(world, start, tmp_path):
    """What the log that goes could not write is told then."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    started = start(name=str(fifo))
    introspect_often(started.endpoints["h1"], world.token(), world.rfc, 1000)
    Reloads(started.server).accept_config(lambda config: config.update(access_log={"file": "access.log"}))
    assert_rest_was_told(started.server, reader, 1000)


def test_full_disk(world, start):
    started = start(name="/dev/full")
    h1 = started.endpoints["h1"]
    introspect_often(h1, world.token(), world.rfc, 100)
    (event,) = wait_until(lambda: started.server.find_log(event="access_log_write_failed"))
    assert event["error"] == "No space left on device" and event["level"] == "error" and event["lost"] > 0
    metrics = Metrics(started.admin)
    assert metrics.value("introspectd_log_lines_lost_total", log="access") >= event["lost"]
    assert metrics.value("introspectd_log_lines_lost_total", log="events") == 0
    introspect_often(h1, world.token(), world.rfc, 100)
    assert len(started.server.find_log(event="access_log_write_failed")) == 1


# What never stands in it


def test_nothing_that_callers_send(world, start):
    """Neither a token nor a secret, nor text of theirs by which they could write lines of their own."""
    hostile = [Client('quo"te', "s-quote-" + "q" * 20), Client("back\\slash\\n", "s-slash-" + "q" * 20)]
    hostile += [Client('"},{"x"=1}', "s-json-" + "q" * 20)]
    config, files = world.config(), {}
    for number, client in enumerate(hostile):
        files[f"hostile-{number}.secret"] = client.secret
        entry = {"client_id": client.client_id, "client_secret_files": [f"hostile-{number}.secret"], "profile": "rfc7662"}
        config["clients"].append(entry)
    started = start(config, files)
    h1, evil = started.endpoints["h1"], 'x"}\n{"outcome":"forged"}\u2028\x1b[31m'
    for client in hostile:
        expect.is_active(h1.introspect(world.token(), client, method="client_secret_post"))
    h1.introspect(world.token(issuer=evil), world.rfc)
    h1.introspect(world.token(header={"kid": evil}), world.rfc)
    h1.introspect(evil, world.rfc)
    h1.introspect("x", Client(evil, "not-a-secret-of-anybody"), method="client_secret_post")
    h1.post(form_body(("token", "x")), headers=[("X-Forwarded-For", '1.2.3.4"}'), ("User-Agent", '"}{')])
    h1.request("POST", "/%22%7D%0A" + "forged" * 5, body=b"")
    h1.request('G"T', "/introspect")
    h1.introspect(world.token(), world.rfc)
    started.server.stop()
    lines = started.log.lines()
    assert [line["client"] for line in lines[: len(hostile)]] == [client.client_id for client in hostile]
    text = started.log.path.read_text()
    assert "forged" not in text and "1.2.3.4" not in text
    assert {line["outcome"] for line in lines} == {"active", "inactive", "unauthorized", "invalid"}
    assert Sent.tokens and not any(token in text for token in Sent.tokens if len(token) > 20)
    assert_nothing_secret_was_logged(world)


# Root is given up


@pytest.fixture
def starter(world):
    made = Starter(world, pathlib.Path(tempfile.mkdtemp(prefix="introspectd-")))
    yield made
    made.end()


@needs_root
def test_file_of_a_user(world, starter):
    """The user creates it, and opens it again."""
    server = starter.start(world.config(user=f"{UID}:{GID}", access_log={"file": "access.log"}), owner=(UID, GID))
    starter.server = server
    log = AccessLog(starter)
    status = log.path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (UID, GID, 0o640)
    assert not server.find_log(event="config_note")
    expect.is_active(starter.endpoints["h1"].introspect(world.token(), world.rfc))
    log.wait_for(1)
    assert len(log.rotate(1)) == 1
    status = log.path.stat()
    assert (status.st_uid, status.st_gid) == (UID, GID)
    expect.is_active(starter.endpoints["h1"].introspect(world.token(), world.rfc))
    log.wait_for(1)


def assert_refused_to_the_user(world, directory, path):
    """A start as root whose user may not open path."""
    config = world.config(
        listen=[{"address": f"127.0.0.1:{free_port()}"}], user=f"{UID}:{GID}", access_log={"file": str(path)}
    )
    server = Server(directory, config, world.files)
    give(directory, UID, GID)
    server.start()
    assert server.wait() == EXIT_OSERR
    said = rf"access_log\.file: {re.escape(str(directory / path))}: cannot be opened for writing: Permission denied for uid {UID}, gid {GID}\n"
    assert re.fullmatch(rf"introspectd: \S+/introspectd\.yaml:\d+: {said}", server.stderr()), server.stderr()


@pytest.fixture
def root_directory():
    """That others may pass through, and write nothing in."""
    with tempfile.TemporaryDirectory(prefix="introspectd-") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@needs_root
def test_file_that_only_root_may_open(world, directory, root_directory):
    """What SIGUSR1 could not open is not opened at the start either."""
    assert_refused_to_the_user(world, directory, root_directory / "access.log")
    assert not list(root_directory.iterdir())
    path = root_directory / "there.log"
    path.touch(mode=0o640)
    assert_refused_to_the_user(world, directory, path)
    assert (path.stat().st_uid, path.stat().st_size) == (0, 0)


@needs_root
def test_file_that_was_made_for_the_user(world, starter, root_directory):
    """As logrotate's `create 0640 USER GROUP` does it, in a directory that is root's."""
    path = root_directory / "access.log"

    def create():
        path.touch(mode=0o640)
        os.chown(path, UID, GID)

    create()
    config = world.config(user=f"{UID}:{GID}", access_log={"file": str(path)})
    starter.server = starter.start(config, owner=(UID, GID))
    log = AccessLog(starter, path)
    assert not starter.server.find_log(event="config_note")
    expect.is_active(starter.endpoints["h1"].introspect(world.token(), world.rfc))
    log.wait_for(1)
    os.rename(path, root_directory / "access.log.1")
    starter.server.signal(signal.SIGUSR1)
    wait_until(lambda: starter.server.find_log(event="access_log_reopen_failed", error="Permission denied"))
    create()
    starter.server.signal(signal.SIGUSR1)
    wait_until(lambda: starter.server.find_log(event="access_log_reopened"))
    expect.is_active(starter.endpoints["h1"].introspect(world.token(), world.rfc))
    log.wait_for(1)


@needs_root
@pytest.mark.parametrize("file", ["link", "sub/access.log"])
def test_root_opens_nothing_that_the_user_may_not(world, directory, root_directory, file):
    """Who may write into the directory could otherwise have root make or open a file of its choice."""
    target = root_directory / "target"
    target.write_text("")
    (directory / "link").symlink_to(target)
    (directory / "sub").symlink_to(root_directory)
    assert_refused_to_the_user(world, directory, file)
    assert list(root_directory.iterdir()) == [target] and target.stat().st_uid == 0
