"""HTTP/2 with prior knowledge and over TLS, and what TLS itself must do."""

import shutil
import ssl
import subprocess

import h2.errors
import pytest

from harness import expect
from harness.endpoint import FORM, JSON, basic, form_body, json_body
from harness.http1 import Http1Connection
from harness.http2 import StreamReset
from harness.world import MAX_BODY


@pytest.fixture
def caller(world):
    return basic(world.rfc.client_id, world.rfc.secret)


def test_many_streams_on_one_connection(h2_endpoint, world, caller):
    subjects = [f"stream-{i}" for i in range(100)]
    with h2_endpoint.connect() as connection:
        streams = [
            connection.start(
                "POST", "/introspect", [caller, ("content-type", FORM)], form_body(("token", world.token("HS256", sub=subject)))
            )
            for subject in subjects
        ]
        answers = [connection.response(stream) for stream in streams]
    for answer in answers:
        expect.is_active(answer)
    assert [expect.parse_json(answer.body)["sub"] for answer in answers] == subjects


def test_good_and_bad_requests_side_by_side(h2_endpoint, world, caller):
    headers, body = [caller, ("content-type", FORM)], form_body(("token", world.token()))
    with h2_endpoint.connect() as connection:
        for _ in range(3):
            good = connection.start("POST", "/introspect", headers, body)
            get = connection.start("GET", "/introspect")
            other = connection.start("POST", "/nowhere", headers, body)
            stranger = connection.start("POST", "/introspect", headers[1:], body)
            large = connection.start("POST", "/introspect", headers, b"x" * (MAX_BODY + 1))
            expect.invalid_request(connection.response(large), 413)
            expect.invalid_client(connection.response(stranger))
            expect.invalid_request(connection.response(other), 404)
            expect.method_not_allowed(connection.response(get))
            expect.is_active(connection.response(good))


def test_body_in_many_frames(h2_endpoint, world, caller):
    body = json_body(token=world.token("HS256"))
    with h2_endpoint.connect() as connection:
        stream = connection.start("POST", "/introspect", [caller, ("content-type", JSON)], body[:1], ends=False)
        for i in range(1, len(body), 50):
            connection.h2.send_data(stream, body[i : i + 50])
        connection.finish(stream, b"")
        expect.is_active(connection.response(stream))


def test_reset_streams_leave_the_connection_working(h2_endpoint, world, caller):
    headers, body = [caller, ("content-type", FORM)], form_body(("token", world.token()))
    with h2_endpoint.connect() as connection:
        for i in range(20):
            stream = connection.start("POST", "/introspect", headers, body, ends=i % 2 == 0)
            connection.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
            connection.streams.pop(stream)
        expect.is_active(connection.request("POST", "/introspect", headers, body))


def test_repeated_authorization(h2_endpoint, world, caller):
    headers = [caller, caller, ("content-type", FORM)]
    expect.invalid_request(h2_endpoint.request("POST", "/introspect", headers, form_body(("token", world.token()))))


def test_second_authorization_in_the_trailers(h2_endpoint, world, caller):
    headers, body = [caller, ("content-type", FORM)], form_body(("token", world.token()))
    with h2_endpoint.connect() as connection:
        stream = connection.start("POST", "/introspect", headers, body, ends=False)
        connection.h2.send_headers(stream, [(caller[0].lower(), "Basic " + "x" * 20)], end_stream=True)
        connection._flush()
        try:
            expect.invalid_request(connection.response(stream))
        except StreamReset:
            pass  # trailers need not be taken at all


def test_curl_speaks_it_too(h2_endpoint, world, directory):
    curl = shutil.which("curl")
    features = subprocess.run([curl, "--version"], capture_output=True, text=True).stdout if curl else ""
    if "HTTP2" not in features:
        pytest.skip("no curl with HTTP/2")
    (directory / "curlrc").write_text(f'user = "{world.rfc.client_id}:{world.rfc.secret}"\ndata = "token={world.token()}"\n')
    protocol = ["--http2-prior-knowledge"] if h2_endpoint.protocol == "h2c" else ["--http2", "--cacert", str(h2_endpoint.certificate_file)]
    done = subprocess.run(
        [curl, "-sS", "-K", str(directory / "curlrc"), *protocol, "-w", "\n%{http_version}", h2_endpoint.url],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    body, version = done.stdout.rsplit("\n", 1)
    assert version == "2" and expect.parse_json(body.encode())["active"] is True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("alpn, chosen", [
    (["h2"], "h2"), (["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), (None, None),
])  # fmt: skip
def test_tls_versions_and_alpn(running, world, version, alpn, chosen):
    endpoint = running.endpoints["tls-h1"]
    with endpoint.open_tls(alpn, version, version) as sock:
        assert sock.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
        assert sock.selected_alpn_protocol() == chosen
        if chosen != "h2":
            expect.is_active(endpoint.introspect(world.token(), world.rfc, connection=Http1Connection(sock)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(running, version):
    endpoint = running.endpoints["tls-h1"]
    context = ssl.create_default_context(cafile=endpoint.certificate_file)
    context.minimum_version, context.maximum_version = version, version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        context.wrap_socket(endpoint.open_socket(), server_hostname="localhost")


def test_plain_http_to_the_tls_port_gets_no_answer(running, world, caller):
    endpoint = running.endpoints["tls-h1"]
    with Http1Connection(endpoint.open_socket()) as connection:
        connection.send(b"POST /introspect HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        try:
            assert b"HTTP/1.1 2" not in connection.sock.recv(4096)
        except ConnectionResetError:
            pass
    expect.is_active(endpoint.introspect(world.token(), world.rfc))
