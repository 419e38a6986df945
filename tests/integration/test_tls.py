"""What a listener's TLS takes and refuses (RFC 9325), whom it takes for a client, and how long a session can be resumed."""

import contextlib
import datetime
import re
import ssl
import subprocess
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from harness import expect
from harness.authority import Authority
from harness.http1 import ConnectionEnded
from harness.reload import Reloads
from harness.server import run, wait_until, write_config
from harness.tls_session import TLS_1_2, TLS_1_3, TlsClient

BOTH_VERSIONS = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["TLS 1.2", "TLS 1.3"])

TLS = 1  # the place of the TLS listener among those of World.listeners

LOWEST_LEVEL = "ALL:@SECLEVEL=0"

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture
def started(start_server):
    return start_server(all_listeners=True)


@pytest.fixture
def endpoint(started):
    return started.endpoints["tls-h1"]


@pytest.fixture
def reloads(started):
    return Reloads(started.server)


def openssl(*arguments, stdin=b""):
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def handshake(endpoint, *options, stdin=b""):
    """What `openssl s_client` says of a handshake: whether it came about, and its text."""
    host, port = endpoint.address
    status, text = openssl("s_client", "-connect", f"{host}:{port}", *options, stdin=stdin)
    return status == 0, text


def assert_hello_refused(endpoint, *options):
    """The client says something, and the server answers by closing: libh2o drops the alert."""
    is_done, text = handshake(endpoint, *options)
    counts = re.search("SSL handshake has read ([0-9]+) bytes and written ([0-9]+) bytes", text)
    assert not is_done and int(counts[1]) == 0 and int(counts[2]) > 50, text


# Versions, ciphers, groups


@pytest.fixture(scope="module")
def by_key(start_module_server):
    """A TLS endpoint whose certificate has an EC key, and one whose has an RSA key."""
    certificate, key = Authority().issue(key=rsa.generate_private_key(65537, 2048))
    started = {"EC": start_module_server(all_listeners=True)}
    started["RSA"] = start_module_server(files={"tls.crt": certificate, "tls.key": key}, all_listeners=True)
    return {kind: server.endpoints["tls-h1"] for kind, server in started.items()}


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_old_versions_are_refused(by_key, kind, version):
    assert_hello_refused(by_key[kind], version, "-cipher", LOWEST_LEVEL)


GOOD_CIPHERS = [
    ("EC", "ECDHE-ECDSA-AES256-GCM-SHA384"), ("EC", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("EC", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ("RSA", "ECDHE-RSA-AES256-GCM-SHA384"), ("RSA", "ECDHE-RSA-AES128-GCM-SHA256"), ("RSA", "ECDHE-RSA-CHACHA20-POLY1305"),
]  # fmt: skip


@pytest.mark.parametrize("kind, cipher", GOOD_CIPHERS)
def test_ciphers_of_tls_1_2_that_are_taken(by_key, kind, cipher):
    is_done, text = handshake(by_key[kind], "-tls1_2", "-cipher", cipher)
    assert is_done and f"Cipher is {cipher}" in text, text


@pytest.mark.parametrize("kind, cipher", [
    # No AEAD.
    ("EC", "ECDHE-ECDSA-AES128-SHA256"), ("EC", "ECDHE-ECDSA-AES256-SHA384"), ("EC", "ECDHE-ECDSA-AES128-SHA"),
    ("RSA", "ECDHE-RSA-AES128-SHA256"), ("RSA", "ECDHE-RSA-AES256-SHA384"), ("RSA", "ECDHE-RSA-AES256-SHA"),
    # No forward secrecy.
    ("RSA", "AES128-GCM-SHA256"), ("RSA", "AES256-GCM-SHA384"), ("RSA", "AES128-SHA"), ("RSA", "AES256-SHA256"),
    # Groups that nobody knows to be good.
    ("RSA", "DHE-RSA-AES128-GCM-SHA256"), ("RSA", "DHE-RSA-CHACHA20-POLY1305"),
    # No encryption, no authentication.
    ("EC", "ECDHE-ECDSA-NULL-SHA"), ("RSA", "NULL-SHA256"), ("EC", "AECDH-AES256-SHA"), ("EC", "ADH-AES128-GCM-SHA256"),
])  # fmt: skip
def test_ciphers_of_tls_1_2_that_are_refused(by_key, kind, cipher):
    assert_hello_refused(by_key[kind], "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")


@pytest.mark.parametrize("cipher", ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"])
def test_ciphers_of_tls_1_3(by_key, cipher):
    is_done, text = handshake(by_key["EC"], "-tls1_3", "-ciphersuites", cipher)
    assert is_done and f"Cipher is {cipher}" in text, text
    assert_hello_refused(by_key["EC"], "-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256:TLS_AES_128_CCM_SHA256")


@pytest.mark.parametrize("offered, chosen", [
    ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    # A client that wants this one most has no AES in its processor.
    ("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"),
])  # fmt: skip
def test_the_server_prefers(by_key, offered, chosen):
    is_done, text = handshake(by_key["EC"], "-tls1_2", "-cipher", offered)
    assert is_done and f"Cipher is {chosen}" in text, text


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("offered, said", [
    ("X25519", "X25519, 253 bits"), ("P-256", "ECDH, prime256v1, 256 bits"), ("P-384", "ECDH, secp384r1, 384 bits"),
    ("P-521", None), ("X448", None),
])  # fmt: skip
def test_groups(by_key, version, offered, said):
    if said is None:
        assert_hello_refused(by_key["RSA"], version, "-groups", offered)
        return
    is_done, text = handshake(by_key["RSA"], version, "-groups", offered)
    assert is_done and f"Server Temp Key: {said}" in text, text


def test_the_server_prefers_x25519(by_key):
    is_done, text = handshake(by_key["RSA"], "-tls1_2", "-groups", "P-384:P-256:X25519")
    assert is_done and "Server Temp Key: X25519, 253 bits" in text, text


@pytest.mark.parametrize("kind, algorithm", [("EC", "ECDSA+SHA1"), ("RSA", "RSA+SHA1")])
def test_no_signature_by_sha_1(by_key, kind, algorithm):
    assert_hello_refused(by_key[kind], "-tls1_2", "-cipher", LOWEST_LEVEL, "-sigalgs", algorithm)
    is_done, text = handshake(by_key[kind], "-tls1_2", "-cipher", LOWEST_LEVEL, "-sigalgs", algorithm.replace("SHA1", "SHA256"))
    assert is_done, text


def test_renegotiation_is_refused(by_key):
    is_done, text = handshake(by_key["EC"], "-tls1_2", stdin=b"R\n")
    # The extension that binds one handshake to the other is spoken all the same (RFC 5746).
    assert "Secure Renegotiation IS supported" in text, text
    _, answer = text.split("RENEGOTIATING\n")
    assert not is_done and "SSL routines" in answer and "verify return" not in answer, text


def key_updates(endpoint, count):
    """Sends changes of keys, then a request. Gives what was received."""
    host, port = endpoint.address
    command = ["openssl", "s_client", "-tls1_3", "-connect", f"{host}:{port}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        limit = threading.Timer(60, process.kill)
        limit.start()
        with contextlib.suppress(BrokenPipeError):
            for _ in range(count):
                process.stdin.write(b"k\n")
                process.stdin.flush()
                # One command is read at a time.
                while process.stderr.readline() not in (b"KEYUPDATE\n", b""):
                    pass
            process.stdin.write(HEAD)
            process.stdin.flush()
        # Until the server closes: at the end of its input the client would not wait for the answer.
        received = process.stdout.read()
        limit.cancel()
        return received


def test_changes_of_keys_are_bounded(by_key):
    """The bound is for a connection, and far above what a good client needs (RFC 8446 section 5.5)."""
    assert b"HTTP/1.1 404 " in key_updates(by_key["EC"], 16)
    assert b"HTTP/1.1" not in key_updates(by_key["EC"], 17)


@BOTH_VERSIONS
def test_a_protocol_that_is_not_ours(by_key, version):
    """Cross-protocol attacks live on servers that do not look (RFC 9325 section 3.8)."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        by_key["EC"].open_tls(["imap", "spdy/3"], version, version)


def test_no_early_data(by_key, directory):
    _, text = handshake(by_key["EC"], "-tls1_3", "-ign_eof", "-sess_out", directory / "session", stdin=HEAD)
    _, text = openssl("sess_id", "-in", directory / "session", "-noout", "-text")
    assert "Max Early Data: 0" in text, text


# Certificates that nobody should show


def tls_entry(**more):
    return {"address": "127.0.0.1:0", "tls": {"certificate_file": "tls.crt", "private_key_file": "tls.key", **more}}


def checked(directory, world, files, **more):
    """What `check` says, behind the file's name."""
    config = write_config(directory, world.config(listen=[tls_entry(**more)]), {**world.files, **files})
    done = run("check", "--config", config)
    assert done.stderr.count("\n") <= 1, done.stderr
    return done.returncode, done.stderr.rstrip("\n").removeprefix(str(config))


def test_check_refuses_a_short_rsa_key(directory, world):
    short = Authority().issue(key=rsa.generate_private_key(65537, 1024))
    assert checked(directory, world, {"tls.crt": short[0], "tls.key": short[1]}) == (
        78,
        ":2: listen[0].tls: the certificate must have a key of at least 2048 bits (RSA) or 224 bits (elliptic curves): "
        f"{directory}/tls.crt",
    )
    good = Authority().issue(key=rsa.generate_private_key(65537, 2048))
    assert checked(directory, world, {"tls.crt": good[0], "tls.key": good[1]})[0] == 0


def test_check_looks_at_the_authorities(directory, world):
    authority = Authority().pem
    assert checked(directory, world, {"ca.pem": authority}, client_ca_file="ca.pem") == (0, "")
    for content, expected in [
        (b"", f'.client_ca_file: "{directory}/ca.pem": holds no certificate in PEM'),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ": not authorities' PEM certificates ("),
        (authority + authority.replace(b"MI", b"AA"), ": not authorities' PEM certificates ("),
    ]:
        status, line = checked(directory, world, {"ca.pem": content}, client_ca_file="ca.pem")
        assert status == 78 and "listen[0].tls" + expected in line, line
    status, line = checked(directory, world, {}, client_ca_file="absent.pem")
    assert status == 78 and line.endswith(f'listen[0].tls.client_ca_file: cannot read "{directory}/absent.pem": No such file or directory')


# Client certificates


@pytest.fixture
def authority():
    return Authority("authority of callers")


@pytest.fixture
def identity(directory):
    """Writes certificate and key of a caller into a file."""

    def write(authority, **more):
        path = directory / f"caller-{len(list(directory.iterdir()))}.pem"
        path.write_bytes(b"".join(authority.issue(["caller"], **more)))
        return path

    return write


@pytest.fixture
def asking(reloads, authority):
    """The TLS listener asks for certificates of that authority."""
    reloads.put("callers.pem", authority.pem)
    reloads.accept_config(lambda config: config["listen"][TLS]["tls"].update(client_ca_file="callers.pem"))


def assert_refused(client, world, session=None):
    """In TLS 1.3 the client finds out behind its handshake."""
    with pytest.raises((ssl.SSLError, ConnectionError, ConnectionEnded)):
        with client.connect(session) as sock:
            client.introspect(sock, world.token(), world.rfc)


@BOTH_VERSIONS
@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
def test_client_certificates(world, endpoint, asking, authority, identity, version, protocol):
    assert_refused(TlsClient(endpoint, version, protocol), world)
    # Of the same name, so that the name is not what is looked at.
    assert_refused(TlsClient(endpoint, version, protocol, identity(Authority("authority of callers"))), world)
    over = identity(authority, expires_in=datetime.timedelta(days=-1))
    assert_refused(TlsClient(endpoint, version, protocol, over), world)
    short = identity(authority, key=rsa.generate_private_key(65537, 1024))
    short_client = TlsClient(endpoint, version, protocol)
    short_client.context.set_ciphers("DEFAULT:@SECLEVEL=0")
    short_client.context.load_cert_chain(short)
    assert_refused(short_client, world)
    client = TlsClient(endpoint, version, protocol, identity(authority))
    with client.connect() as sock:
        expect.is_active(client.introspect(sock, world.token(), world.rfc))


def test_the_authorities_are_named(endpoint, asking):
    _, text = handshake(endpoint, "-tls1_3")
    assert "Acceptable client certificate CA names\nCN = authority of callers\n" in text, text


def test_other_listeners_ask_for_none(world, started, asking):
    expect.is_active(started.endpoints["h1"].introspect(world.token(), world.rfc))


def introspect_anew(client, world, session=None):
    """One connection: whether it resumed the session, and its own."""
    with client.connect(session) as sock:
        expect.is_active(client.introspect(sock, world.token(), world.rfc))
        return sock.session_reused, sock.session


@BOTH_VERSIONS
def test_sessions_with_client_certificates(world, endpoint, reloads, asking, authority, identity, version):
    client = TlsClient(endpoint, version, identity=identity(authority))
    is_resumed, session = introspect_anew(client, world)
    assert not is_resumed
    is_resumed, session = introspect_anew(client, world, session)
    assert is_resumed
    reloads.accepted(reloads.hang_up, trigger="signal")
    is_resumed, session = introspect_anew(client, world, session)
    assert is_resumed
    # A resumed session shows no certificate, so it must not be taken where others vouch.
    other = Authority("other authority")
    reloads.accept_file("callers.pem", authority.pem + other.pem)
    is_resumed, newer = introspect_anew(client, world, session)
    assert not is_resumed
    reloads.accept_file("callers.pem", other.pem)
    assert_refused(client, world, session)
    assert_refused(client, world, newer)


@BOTH_VERSIONS
def test_a_session_from_before_certificates_were_asked_for(request, world, endpoint, version):
    client = TlsClient(endpoint, version)
    _, session = introspect_anew(client, world)
    request.getfixturevalue("asking")
    assert_refused(client, world, session)


def test_authorities_that_cannot_be_read_change_nothing(world, endpoint, reloads, asking, authority, identity):
    line = reloads.refused(lambda: reloads.put("callers.pem", ""))
    assert "listen[1].tls.client_ca_file: " in line and line.endswith("holds no certificate in PEM")
    client = TlsClient(endpoint, TLS_1_3, identity=identity(authority))
    introspect_anew(client, world)
    assert_refused(TlsClient(endpoint, TLS_1_3), world)


# Sessions


def ticket_key_name(endpoint, directory):
    """The name of the key that seals tickets now: their first 16 bytes."""
    handshake(endpoint, "-tls1_2", "-ign_eof", "-sess_out", directory / "session", stdin=HEAD)
    _, text = openssl("sess_id", "-in", directory / "session", "-noout", "-text")
    return text.split("0000 - ")[1].splitlines()[0]


@BOTH_VERSIONS
def test_ticket_keys_rotate(world, endpoint, reloads, directory, version):
    """To the millisecond in the unit tests; here at the shortest lifetime that can be configured."""
    reloads.accept_config(lambda config: config["listen"][TLS]["tls"].update(ticket_lifetime="10s"))
    client = TlsClient(endpoint, version)
    first_name = ticket_key_name(endpoint, directory)
    sessions = []

    def is_rotated():
        is_resumed, session = introspect_anew(client, world)
        assert not is_resumed and session.ticket_lifetime_hint == 10
        sessions.append(session)
        return ticket_key_name(endpoint, directory) != first_name

    wait_until(is_rotated, every_s=0.2)
    # Sealed by the old key: its name was seen after it.
    is_resumed, renewed = introspect_anew(client, world, sessions[-2])
    assert is_resumed
    wait_until(lambda: not introspect_anew(client, world, sessions[-2])[0], every_s=0.5)
    # The ticket by which it was renewed has not made it younger.
    assert not introspect_anew(client, world, renewed)[0]
    _, session = introspect_anew(client, world)
    assert introspect_anew(client, world, session)[0]
