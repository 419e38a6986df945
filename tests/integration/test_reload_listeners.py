"""Listeners and certificates that change: what stays does not notice, what goes finishes what it has begun."""

import contextlib
import os
import socket
import ssl
import threading

import pytest

from harness import expect
from harness.endpoint import FORM, Endpoint, basic, form_body
from harness.reload import Reloads
from harness.server import Server, accepts, free_port, wait_until
from harness.tls_session import TLS_1_2, TLS_1_3, TlsClient, der, served_certificate
from harness.world import make_certificate


@pytest.fixture
def plain(start_server):
    return start_server()


@pytest.fixture
def started(start_server):
    return start_server(all_listeners=True)


def address(endpoint):
    host, port = endpoint.address
    return f"{host}:{port}"


def without(endpoint):
    return lambda config: config.update(listen=[entry for entry in config["listen"] if entry["address"] != address(endpoint)])


def certificate_entry(name):
    return {"certificate_file": f"{name}.crt", "private_key_file": f"{name}.key"}


# Listeners


def test_listener_added_and_removed(world, plain):
    reloads, present = Reloads(plain.server), plain.endpoints["h1"]
    added = Endpoint("h1", ("127.0.0.1", free_port()))
    with present.connect() as connection:
        reloads.accept_config(lambda config: config["listen"].append({"address": address(added)}))
        expect.is_active(added.introspect(world.token(), world.rfc))
        expect.is_active(present.introspect(world.token(), world.rfc, connection=connection))
        with added.connect() as kept:
            expect.is_active(added.introspect(world.token(), world.rfc, connection=kept))
            reloads.accept_config(without(added))
            assert not accepts(added.address)
            expect.is_active(added.introspect(world.token(), world.rfc, connection=kept))
        expect.is_active(present.introspect(world.token(), world.rfc, connection=connection))
    expect.is_active(present.introspect(world.token(), world.rfc))
    events = [(event["event"], event["address"]) for event in plain.server.log() if "listening" in event["event"]]
    assert events[2:] == [("listening", address(added)), ("no_longer_listening", address(added))], events


@pytest.mark.parametrize("protocol", ["h1", "h2c", "tls-h1", "tls-h2"])
def test_request_under_way_on_a_listener_that_goes(world, started, protocol):
    reloads, endpoint, unix = Reloads(started.server), started.endpoints[protocol], started.endpoints["unix"]
    headers, body = [basic(world.rfc.client_id, world.rfc.secret), ("Content-Type", FORM)], form_body(("token", world.token()))
    with endpoint.connect() as connection:
        if connection.version == "HTTP/2":
            stream = connection.start("POST", "/introspect", headers, body[:-20], ends=False)
        else:
            lines = [f"{name}: {value}" for name, value in [*headers, ("Host", "x"), ("Content-Length", len(body))]]
            connection.send("\r\n".join(["POST /introspect HTTP/1.1", *lines, "", ""]).encode() + body[:-20])
        reloads.accept_config(without(endpoint))
        assert not accepts(endpoint.address)
        if connection.version == "HTTP/2":
            connection.finish(stream, body[-20:])
            expect.is_active(connection.response(stream))
        else:
            connection.send(body[-20:])
            expect.is_active(connection.read_response())
        # It stays open after that, and is decided by the newest config.
        reloads.accept_config(lambda config: config["clients"].remove(reloads.client(config, world.rfc.client_id)))
        expect.invalid_client(endpoint.introspect(world.token(), world.rfc, connection=connection))
        expect.is_active(endpoint.introspect(world.token(), world.private, connection=connection))
    expect.is_active(unix.introspect(world.token(), world.private))


def test_stop_closes_connections_of_listeners_that_went(world, plain):
    reloads, present = Reloads(plain.server), plain.endpoints["h1"]
    added = Endpoint("h2c", ("127.0.0.1", free_port()))
    reloads.accept_config(lambda config: config["listen"].append({"address": address(added)}))
    with added.connect() as connection:
        expect.is_active(added.introspect(world.token(), world.rfc, connection=connection))
        reloads.accept_config(without(added))
        assert accepts(present.address)
        plain.server.stop()
        assert connection.is_closed_by_peer()


def test_every_listener_moved_at_once(world, plain):
    reloads, old = Reloads(plain.server), plain.endpoints["h1"]
    new = Endpoint("h1", ("127.0.0.1", free_port()))
    with old.connect() as connection:
        reloads.accept_config(lambda config: config.update(listen=[{"address": address(new)}]))
        assert not accepts(old.address)
        expect.is_active(new.introspect(world.token(), world.rfc))
        expect.is_active(old.introspect(world.token(), world.rfc, connection=connection))
    reloads.accept_config(lambda config: config.update(listen=[{"address": address(old)}]))
    assert not accepts(new.address)
    expect.is_active(old.introspect(world.token(), world.rfc))


def test_order_of_listeners_changed(world, started):
    reloads = Reloads(started.server)
    count = len(started.server.find_log(event="listening"))
    reloads.accept_config(lambda config: config["listen"].reverse())
    for endpoint in started.endpoints.values():
        expect.is_active(endpoint.introspect(world.token(), world.rfc))
    assert len(started.server.find_log(event="listening")) == count
    assert started.server.find_log(event="no_longer_listening") == []


def test_any_free_port_stays_the_same(world, directory):
    server = Server(directory, world.config(listen=[{"address": "127.0.0.1:0"}] * 2), world.files).start()
    wait_until(lambda: server.find_log(event="started"))
    reloads = Reloads(server)
    endpoints = []
    for event in server.find_log(event="listening"):
        host, _, port = event["address"].rpartition(":")
        endpoints.append(Endpoint("h1", (host, int(port))))
    assert len({endpoint.address for endpoint in endpoints}) == 2
    for _ in range(2):
        reloads.accepted(reloads.hang_up, trigger="signal")
        for endpoint in endpoints:
            expect.is_active(endpoint.introspect(world.token(), world.rfc))
    assert len(server.find_log(event="listening")) == 2
    reloads.accept_config(lambda config: config["listen"].pop())
    assert [accepts(endpoint.address) for endpoint in endpoints].count(True) == 1
    server.stop()


def test_admin_listener_moved_removed_and_added(world, plain):
    reloads, old = Reloads(plain.server), plain.admin
    new = Endpoint("h1", ("127.0.0.1", free_port()))
    reloads.accept_config(lambda config: config.update(admin={"address": address(new)}))
    assert new.request("GET", "/livez").status == 200 and not accepts(old.address)
    reloads.accept_config(lambda config: config.update(admin="none"))
    assert not accepts(new.address)
    reloads.accept_config(lambda config: config.update(admin={"address": address(old)}))
    assert old.request("GET", "/readyz").status == 200
    expect.is_active(plain.endpoints["h1"].introspect(world.token(), world.rfc))


def test_admin_and_public_change_places(world, plain):
    reloads, public, admin = Reloads(plain.server), plain.endpoints["h1"], plain.admin

    def change_places(config):
        listen, operations = config["listen"][0]["address"], config["admin"]["address"]
        config["listen"][0]["address"], config["admin"]["address"] = operations, listen

    reloads.accept_config(change_places)
    assert public.request("GET", "/livez").status == 200
    expect.is_active(admin.introspect(world.token(), world.rfc))
    assert admin.request("GET", "/livez").status == 404


def test_unix_listener_kept_removed_and_added(world, started):
    reloads, unix = Reloads(started.server), started.endpoints["unix"]
    reloads.accepted(reloads.hang_up, trigger="signal")
    inode = os.stat(unix.address).st_ino
    expect.is_active(unix.introspect(world.token(), world.rfc))
    before = reloads.config()
    reloads.accept_config(lambda config: config.update(listen=[e for e in config["listen"] if "unix" not in e["address"]]))
    assert not os.path.lexists(unix.address)
    reloads.accepted(lambda: reloads.put_config(before))
    expect.is_active(unix.introspect(world.token(), world.rfc))
    assert os.stat(unix.address).st_ino != inode or os.path.lexists(unix.address)
    reloads.accepted(reloads.hang_up, trigger="signal")
    expect.is_active(unix.introspect(world.token(), world.rfc))
    started.server.stop()
    assert not os.path.lexists(unix.address)


def test_file_in_the_place_of_a_new_unix_socket(world, started):
    reloads = Reloads(started.server)
    path = reloads.directory / "precious"
    path.write_text("precious")
    error = reloads.refuse_config(lambda config: config["listen"].append({"address": f"unix:{path}"}))
    assert str(path) in error and path.read_text() == "precious"
    for endpoint in started.endpoints.values():
        expect.is_active(endpoint.introspect(world.token(), world.rfc))


def test_no_request_fails_on_a_listener_that_stays(world, plain):
    """Each on a new connection, while others come and go: none is refused, reset or left without an answer."""
    reloads, present = Reloads(plain.server), plain.endpoints["h1"]
    others = [Endpoint("h1", ("127.0.0.1", free_port())) for _ in range(3)]
    is_over, failures, counts = threading.Event(), [], []

    def ask_again_and_again():
        token, count = world.token(), 0
        try:
            while not is_over.is_set():
                expect.is_active(present.introspect(token, world.rfc))
                count += 1
        except Exception as failure:
            failures.append(failure)
        counts.append(count)

    askers = [threading.Thread(target=ask_again_and_again) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(5):
            reloads.accept_config(lambda config: config["listen"].extend({"address": address(other)} for other in others))
            for other in others:
                expect.is_active(other.introspect(world.token(), world.rfc))
            for _ in range(5):
                reloads.accepted(reloads.hang_up, trigger="signal")
            reloads.accept_config(lambda config: config.update(listen=config["listen"][:1]))
            for other in others:
                assert not accepts(other.address)
    finally:
        is_over.set()
        for asker in askers:
            asker.join()
    assert failures == [] and min(counts) > 0


def test_descriptors_do_not_pile_up(plain):
    reloads = Reloads(plain.server)
    added = f"127.0.0.1:{free_port()}"

    def descriptors():
        return len(os.listdir(f"/proc/{plain.server.process.pid}/fd"))

    def come_and_go():
        reloads.accept_config(lambda config: config["listen"].append({"address": added}))
        reloads.refused(lambda: reloads.put("main.json", "{"))
        reloads.accepted(lambda: reloads.put("main.json", main))
        reloads.accept_config(lambda config: config["listen"].pop())

    main = (reloads.directory / "main.json").read_bytes()
    come_and_go()
    before = descriptors()
    for _ in range(5):
        come_and_go()
    wait_until(lambda: descriptors() <= before)


# Certificates


def renew(reloads, name="tls"):
    """Exchanges key and certificate, one after the other: the key alone is refused. Gives the new certificate."""
    certificate, key = make_certificate()
    reloads.refused(lambda: reloads.put(f"{name}.key", key))
    reloads.accepted(lambda: reloads.put(f"{name}.crt", certificate))
    return certificate


def test_new_certificate_is_shown_and_connections_go_on(world, started):
    reloads, endpoints = Reloads(started.server), [started.endpoints[name] for name in ("tls-h1", "tls-h2")]
    assert served_certificate(endpoints[0]) == der(world.certificate)
    with contextlib.ExitStack() as stack:
        connections = [(endpoint, stack.enter_context(endpoint.connect())) for endpoint in endpoints]
        for endpoint, connection in connections:
            expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=connection))
        for _ in range(2):
            renewed = renew(reloads)
            assert served_certificate(endpoints[0]) == der(renewed) != der(world.certificate)
            for endpoint, connection in connections:
                expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=connection))
                expect.is_active(endpoint.introspect(world.token(), world.rfc))
    with pytest.raises(ssl.SSLCertVerificationError):
        stale = reloads.directory / "stale.crt"
        stale.write_bytes(world.certificate)
        Endpoint("tls-h1", endpoints[0].address, certificate_file=stale).connect()


def test_handshake_under_way_is_finished(world, started):
    """The first bytes of a ClientHello before the reload, the rest after it."""
    reloads, endpoint = Reloads(started.server), started.endpoints["tls-h1"]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tls = context.wrap_bio(incoming, outgoing)
    with endpoint.open_socket() as sock, endpoint.connect() as other:
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        sock.sendall(hello[:100])
        expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=other))
        renew(reloads)
        sock.sendall(hello[100:])
        is_done = False
        while not is_done:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                is_done = True
            sock.sendall(outgoing.read())
            if not is_done:
                data = sock.recv(65536)
                assert data, "closed in the handshake"
                incoming.write(data)


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_sessions_are_resumed_after_a_reload(world, started, version):
    reloads, endpoint = Reloads(started.server), started.endpoints["tls-h1"]
    client = TlsClient(endpoint, version)
    with client.connect() as first:
        expect.is_active(client.introspect(first, world.token(), world.rfc))
        assert not first.session_reused
        session = first.session
        assert session.has_ticket
    with client.connect(session) as again:
        assert again.session_reused, "not even without a reload"
    for act in (lambda: reloads.accepted(reloads.hang_up, trigger="signal"), lambda: renew(reloads), lambda: renew(reloads)):
        act()
        with client.connect(session) as resumed:
            assert resumed.session_reused
            expect.is_active(client.introspect(resumed, world.token(), world.rfc))
            session = resumed.session
        # Whoever has no session meets the new certificate.
    with pytest.raises(ssl.SSLCertVerificationError):
        client.connect()


def test_refused_certificate_does_not_disturb_sessions(world, started):
    reloads, endpoint = Reloads(started.server), started.endpoints["tls-h1"]
    client = TlsClient(endpoint, TLS_1_3)
    with client.connect() as first:
        expect.is_active(client.introspect(first, world.token(), world.rfc))
        session = first.session
    reloads.refused(lambda: reloads.put("tls.crt", "no certificate"))
    with client.connect(session) as resumed:
        assert resumed.session_reused
    assert served_certificate(endpoint) == der(world.certificate)


def test_another_certificate_file_in_the_config(world, started):
    reloads, endpoint = Reloads(started.server), started.endpoints["tls-h1"]
    certificate, key = make_certificate()
    reloads.put("next.crt", certificate)
    reloads.put("next.key", key)
    reloads.accept_config(lambda config: config["listen"][1].update(tls=certificate_entry("next")))
    assert served_certificate(endpoint) == der(certificate)
    # From now on those files are watched, and the old ones are not.
    renewed = renew(reloads, "next")
    assert served_certificate(endpoint) == der(renewed)
    count = len(reloads.outcomes())
    reloads.put("tls.crt", "nobody's any more")
    reloads.accepted(reloads.hang_up, trigger="signal")
    assert len(reloads.outcomes()) == count + 1


def test_two_listeners_with_certificates_of_their_own(world, started):
    reloads, first = Reloads(started.server), started.endpoints["tls-h1"]
    certificate, key = make_certificate()
    reloads.put("second.crt", certificate)
    reloads.put("second.key", key)
    second = Endpoint("tls-h2", ("127.0.0.1", free_port()), certificate_file=reloads.directory / "second.crt")
    reloads.accept_config(
        lambda config: config["listen"].append({"address": address(second), "tls": certificate_entry("second")})
    )
    expect.is_active(second.introspect(world.token(), world.rfc))
    renewed = renew(reloads, "second")
    assert served_certificate(second) == der(renewed) and served_certificate(first) == der(world.certificate)


def test_plain_listener_turned_to_tls_and_back(world, plain):
    reloads, h1 = Reloads(plain.server), plain.endpoints["h1"]
    secure = Endpoint("tls-h1", h1.address, certificate_file=reloads.directory / "tls.crt")
    with h1.connect() as connection:
        reloads.accept_config(lambda config: config["listen"][0].update(tls=certificate_entry("tls")))
        expect.is_active(h1.introspect(world.token(), world.rfc, connection=connection))
        expect.is_active(secure.introspect(world.token(), world.rfc))
        with h1.connect() as refused:
            refused.send(b"GET /introspect HTTP/1.1\r\nHost: x\r\n\r\n")
            assert not refused.sock.recv(65536).startswith(b"HTTP/")
        with secure.connect() as kept:
            reloads.accept_config(lambda config: config["listen"][0].pop("tls"))
            expect.is_active(h1.introspect(world.token(), world.rfc))
            expect.is_active(secure.introspect(world.token(), world.rfc, connection=kept))
    with pytest.raises((ssl.SSLError, ConnectionError, socket.timeout)):
        secure.connect()


