"""What is logged, and what never is."""

import fcntl
import os
import re
import subprocess
import termios

from harness import expect, tokens
from harness.endpoint import Endpoint, basic, form_body
from harness.secrecy import assert_nothing_secret_was_logged
from harness.server import BINARY, STOP_TIMEOUT_S, accepts, free_port, wait_until, write_config


def test_lines_are_json_with_time_level_and_event(running):
    events = running.server.log()
    assert events
    for event in events:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", event["time"]), event
        assert event["level"] in ("info", "warn", "error"), event
        assert re.fullmatch(r"[a-z0-9_]+", event["event"]), event


def test_listeners_are_logged(running):
    addresses = {event["address"] for event in running.server.find_log(event="listening")}
    for protocol in ("h1", "tls-h1"):
        host, port = running.endpoints[protocol].address
        assert f"{host}:{port}" in addresses


def test_inactive_verdict_is_one_line(world, start_server):
    started = start_server()
    token = world.token("ES256", exp=1)
    for cached in (False, True):
        started.endpoints["h1"].introspect(token, world.private)
    lines = started.server.find_log(event="token_inactive")
    assert len(lines) == 2, lines
    for line in lines:
        assert line["reason"] == "expired" and line["client"] == world.private.client_id
        assert line["issuer"] == "https://idp.example.com/" and line["kid"] == "p256"
        assert line["token"] == tokens.token_name(token)


def test_active_verdicts_and_bad_callers_are_not_logged_per_request(world, start_server):
    started = start_server()
    token = world.token()
    before = len(started.server.log())
    expect.is_active(started.endpoints["h1"].introspect(token, world.private))
    assert len(started.server.log()) == before


def test_hostile_texts_in_a_token_do_not_break_a_line(world, start_server):
    started = start_server()
    h1 = started.endpoints["h1"]
    evil = 'x"}\n{"event":"forged"}\u2028\u0007\x1b[31m'
    h1.introspect(world.token(issuer=evil), world.private)
    h1.introspect(world.token(header={"kid": evil}), world.private)
    h1.introspect(world.token(header={"kid": "é" * 500}), world.private)
    assert not started.server.find_log(event="forged")
    assert len(started.server.find_log(event="token_inactive")) == 3


def test_bursts_are_thinned_and_the_rest_is_counted(world, start_server):
    started = start_server()
    sent = 1500
    with started.endpoints["h1"].connect() as connection:
        for i in range(sent):
            started.endpoints["h1"].introspect(f"bad.token.{i}", world.private, connection=connection)

        def all_are_accounted_for():
            started.endpoints["h1"].introspect("one more", world.private, connection=connection)
            lines = started.server.find_log(event="token_inactive")
            return len(lines) < sent and sum(1 + line.get("left_out", 0) for line in lines) >= sent

        wait_until(all_are_accounted_for, every_s=0.3)


def test_reader_that_does_not_read(world, directory):
    """Whoever reads standard error, and hangs, keeps no caller waiting, nor the end."""
    port = free_port()
    config = world.config(listen=[{"address": f"127.0.0.1:{port}"}], threads=1)
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    command = [str(BINARY), "serve", "--config", str(write_config(directory, config, world.files))]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=write_end)
    os.close(write_end)
    try:
        wait_until(lambda: accepts(("127.0.0.1", port)))
        endpoint = Endpoint("h1", ("127.0.0.1", port))
        with endpoint.connect() as connection:
            # More lines than the pipe has room for.
            for i in range(200):
                expect.inactive(endpoint.introspect(f"bad.token.{i}", world.rfc, connection=connection), 200)
        assert fcntl.ioctl(read_end, termios.FIONREAD, b"\0" * 4) != b"\0" * 4
        process.terminate()
        assert process.wait(STOP_TIMEOUT_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(read_end)


def test_everything_is_out_at_the_end(world, start_server):
    started = start_server()
    introspected = 90  # fewer than are thinned out
    with started.endpoints["h1"].connect() as connection:
        for i in range(introspected):
            started.endpoints["h1"].introspect(f"bad.token.{i}", world.private, connection=connection)
    started.server.stop()
    events = [event["event"] for event in started.server.log()]
    assert events.count("token_inactive") == introspected and events[-2:] == ["stopping", "stopped"]


def test_secrets_in_requests_are_not_in_answers(h1, world):
    marker = "marker-" + "q" * 30
    responses = [
        h1.post(form_body(("token", marker)), authorization=basic(world.rfc.client_id, world.rfc.secret)),
        h1.post(form_body(("token", marker)), authorization=basic(world.rfc.client_id, marker)),
        h1.post(form_body(("token", marker), ("token", marker)), authorization=basic(world.rfc.client_id, world.rfc.secret)),
        h1.post(marker.encode(), content_type="application/json", authorization=basic(world.rfc.client_id, world.rfc.secret)),
        h1.request("POST", "/" + marker, body=b""),
    ]
    for response in responses:
        assert marker.encode() not in response.body, response


def test_looks_at_everything_logged_for_secrets(running, world):
    """Runs last; what servers log after it is looked at when the session ends."""
    assert_nothing_secret_was_logged(world)
