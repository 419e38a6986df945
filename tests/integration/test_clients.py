"""Real introspection clients: npm openid-client, npm oauth4webapi, python3-authlib, python3-httpx."""

import pytest

from harness import expect, node
from harness.world import Client

METHODS = ("client_secret_basic", "client_secret_post")


def job(h1, client, token, method):
    return {"url": h1.url, "clientId": client.client_id, "clientSecret": client.secret, "method": method, "token": token}


@pytest.mark.parametrize(
    "package, methods",
    [("openid-client", ("default", *METHODS)), ("oauth4webapi", METHODS)],
    ids=["openid-client", "oauth4webapi"],
)
def test_npm_client(h1, world, package, methods):
    node.require_package(package)
    callers = [world.rfc, *world.awkward]
    good = [job(h1, caller, world.token(sub=caller.client_id), method) for caller in callers for method in methods]
    dead = [job(h1, world.rfc, world.token(exp=1), method) for method in methods]
    stranger = [job(h1, Client(world.rfc.client_id, "wrong"), world.token(), method) for method in methods]
    front = [job(h1, world.private, world.token(exp=1), method) for method in methods]
    results = node.run_jobs(f"introspect_with_{package.replace('-', '_')}.mjs", good + dead + stranger + front)

    for asked, result in zip(good, results):
        assert result.get("ok"), (asked["clientId"], asked["method"], result)
        assert result["ok"]["active"] is True and result["ok"]["sub"] == asked["clientId"]
    results = results[len(good) :]
    for result in results[: len(dead)]:
        assert result == {"ok": {"active": False}}
    # A 401 is an error to these libraries, whether it is the caller's or, as Front wants it, the token's.
    for result in results[len(dead) :]:
        assert result["failed"]["status"] == 401, result


@pytest.fixture
def authlib_session(monkeypatch):
    requests_client = pytest.importorskip("authlib.integrations.requests_client")
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("no_proxy", "*")

    def session(client, method):
        return requests_client.OAuth2Session(client.client_id, client.secret, token_endpoint_auth_method=method)

    return session


@pytest.mark.parametrize("method", METHODS)
def test_authlib(h1, world, authlib_session, method):
    for client in [world.rfc, *world.awkward[:3]]:
        with authlib_session(client, method) as session:
            response = session.introspect_token(h1.url, token=world.token(), token_type_hint="access_token")
            assert response.status_code == 200 and response.json()["active"] is True
            response = session.introspect_token(h1.url, token=world.token(exp=1))
            assert response.status_code == 200 and response.json() == {"active": False}
    with authlib_session(Client(world.rfc.client_id, "wrong"), method) as session:
        response = session.introspect_token(h1.url, token=world.token())
        assert response.status_code == 401 and response.json()["error"] == "invalid_client"
    with authlib_session(world.private, method) as session:
        response = session.introspect_token(h1.url, token=world.token(exp=1))
        assert response.status_code == 401 and response.json() == {"active": False}


@pytest.mark.parametrize("protocol", ["h1", "tls-h1", "tls-h2"])
def test_httpx(running, world, protocol):
    httpx = pytest.importorskip("httpx")
    endpoint = running.endpoints[protocol]
    verify = str(endpoint.certificate_file) if endpoint.certificate_file else True
    with httpx.Client(http2=protocol == "tls-h2", verify=verify, trust_env=False) as client:
        for _ in range(3):
            auth = (world.private.client_id, world.private.secret)
            response = client.post(endpoint.url.replace("127.0.0.1", "localhost"), json={"token": world.token()}, auth=auth)
            assert response.http_version == ("HTTP/2" if protocol == "tls-h2" else "HTTP/1.1")
            assert response.status_code == 200
            assert expect.parse_json(response.content)["front_channel_address"] == "acme-support-1"
