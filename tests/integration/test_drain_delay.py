"""The time between the signal to stop and the stop: whoever sends requests here is told to go elsewhere, and served until then."""

import json
import signal
import time

import pytest

from harness import expect, frames
from harness.endpoint import FORM, H1_PROTOCOLS, PROTOCOLS, basic, form_body
from harness.raw_http2 import GOAWAY, NO_ERROR, RawHttp2, request
from harness.server import accepts, wait_until

NOTICE = 2**31 - 1  # RFC 9113 section 6.8: the last stream's number in a GOAWAY frame that announces another
GRACE_S = 1.0  # a connection that is younger is not told to close


def introspect(world, connection):
    headers = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)]
    return connection.request("POST", "/introspect", headers, form_body(("token", world.token())))


def headers_and_body(world):
    return [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)], form_body(("token", world.token()))


def begin_stop(started, number=signal.SIGTERM):
    started.server.signal(number)
    wait_until(lambda: started.server.find_log(event="stopping"))


def readiness(started):
    response = started.admin.request("GET", "/readyz")
    return response.status, json.loads(response.body)["draining"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_everything_is_served_during_the_delay(world, start_server, protocol):
    started = start_server(world.config(drain_delay="5m"), all_listeners=True)
    endpoint = started.endpoints[protocol]
    with endpoint.connect() as connection:
        expect.is_active(introspect(world, connection))
        begin_stop(started)
        assert readiness(started) == (503, True)
        assert started.admin.request("GET", "/livez").status == 200
        expect.is_active(introspect(world, connection))
    expect.is_active(endpoint.introspect(world.token(), world.rfc))
    started.server.signal()
    assert started.server.wait() == 0
    assert started.server.find_log(event="stopping", drain_delay_s=300)
    assert started.server.find_log(event="stopped", requests_cut_off=0)


def test_the_delay_ends_by_itself(world, start_server):
    started = start_server(world.config(drain_delay="1s"))
    began = time.monotonic()
    begin_stop(started)
    assert started.server.wait() == 0
    assert time.monotonic() - began >= 1
    assert not accepts(started.endpoints["h1"].address)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_second_signal_ends_the_delay(world, start_server, number):
    started = start_server(world.config(drain_delay="5m"))
    begin_stop(started)
    started.server.signal(number)
    assert started.server.wait() == 0


def test_reload_is_not_begun_during_the_delay(world, start_server):
    started = start_server(world.config(drain_delay="2s"))
    begin_stop(started)
    started.server.signal(signal.SIGHUP)
    (started.server.directory / "main.json").write_text("no keys")
    assert started.server.wait() == 0
    events = [event["event"] for event in started.server.log()]
    assert events[-2:] == ["stopping", "stopped"], events


@pytest.mark.parametrize("protocol", H1_PROTOCOLS)
def test_http1_connections_are_told_to_close(world, start_server, protocol):
    """A connection that is closed between two requests may lose one that is on its way: nobody can repeat a POST for the client."""
    started = start_server(world.config(drain_delay="5m"), all_listeners=True)
    with started.endpoints[protocol].connect() as connection:
        expect.is_active(introspect(world, connection))
        time.sleep(GRACE_S)
        begin_stop(started)
        last = introspect(world, connection)
        expect.is_active(last)
        assert last.get("connection") == "close"
        assert connection.is_closed_by_peer()


@pytest.mark.parametrize("protocol", H1_PROTOCOLS)
def test_http1_connections_that_come_back_stay_for_a_while(world, start_server, protocol):
    """Until everybody has heard, a client may come back to where it was sent away from: not with a connection for each request."""
    started = start_server(world.config(drain_delay="5m"), all_listeners=True)
    begin_stop(started)
    with started.endpoints[protocol].connect() as connection:
        answers = [introspect(world, connection)]
        while answers[-1].get("connection") != "close":
            expect.is_active(answers[-1])
            answers.append(introspect(world, connection))
        assert len(answers) > 1
        assert connection.is_closed_by_peer()


@pytest.mark.parametrize("protocol", ["h2c", "tls-h2"])
def test_http2_connections_stay_until_they_can_be_told(world, start_server, protocol):
    started = start_server(world.config(drain_delay="5m"), all_listeners=True)
    with RawHttp2.on(started.endpoints[protocol]) as peer:
        peer.is_answered()
        time.sleep(GRACE_S)
        begin_stop(started)
        peer.send(request(1, *headers_and_body(world)))
        assert json.loads(peer.body_of(1))["active"] is True
        peer.is_answered()
        assert not [frame for frame in peer.received if frame.kind == GOAWAY]


def goaways(peer):
    return [(frame.last_stream, frame.error) for frame in peer.received if frame.kind == GOAWAY]


@pytest.mark.parametrize("protocol", ["h2c", "tls-h2"])
@pytest.mark.parametrize("served", [0, 2])
def test_http2_connection_hears_of_the_end_and_then_of_its_last_request(world, start_server, protocol, served):
    started = start_server(world.config(), all_listeners=True)
    with RawHttp2.on(started.endpoints[protocol]) as peer:
        for number in range(served):
            peer.send(request(2 * number + 1, *headers_and_body(world)))
            peer.end_of(2 * number + 1)
        peer.is_answered()
        started.server.signal()
        assert peer.is_closed_by_peer()
        assert goaways(peer) == [(NOTICE, NO_ERROR), (max(0, 2 * served - 1), NO_ERROR)]
    assert started.server.wait() == 0


@pytest.mark.parametrize("protocol", ["h2c", "tls-h2"])
def test_the_last_stream_that_was_told_of_stays_the_last(world, start_server, protocol):
    """RFC 9113 section 6.8: the number may not increase. The connection had as many requests as it may have before the signal."""
    limits = {**world.config()["limits"], "max_requests_per_connection": 2}
    started = start_server(world.config(limits=limits, shutdown_timeout="60s"), all_listeners=True)
    headers, body = headers_and_body(world)
    with RawHttp2.on(started.endpoints[protocol]) as peer:
        peer.send(request(1, headers, body), request(3, headers, body[:10], ends=False))
        assert (peer.goaway().last_stream, peer.goaway().error) == (3, NO_ERROR)
        begin_stop(started)
        time.sleep(0.3)
        peer.send(frames.frame(frames.DATA, frames.END_STREAM, 3, body[10:]))
        assert json.loads(peer.body_of(3))["active"] is True
        assert peer.is_closed_by_peer()
        told = [last for last, _ in goaways(peer)]
        assert len(told) >= 2 and set(told) == {3}, told
    assert started.server.wait() == 0
