"""Every row of the endpoint table, over every way of talking to the server."""

import pytest

from harness import expect, tokens
from harness.endpoint import JSON, PROTOCOLS, basic, form_body, json_body
from harness.world import MAX_BODY


@pytest.mark.parametrize("form", ["form", "json"])
def test_active_private(endpoint, world, form):
    response = endpoint.introspect(world.token(), world.private, form)
    expect.active(response, front_channel_name="Acme Support", front_channel_address="acme-support-1")


@pytest.mark.parametrize("form", ["form", "json"])
def test_active_shared(endpoint, world, form):
    response = endpoint.introspect(world.token(), world.shared, form)
    expect.active(response, resource_owner_id="owner-42", resource_owner_name="Ada Lovelace")


def test_active_rfc7662_has_the_standard_members_that_the_token_has(endpoint, world):
    claims = tokens.claims("https://idp.example.com/", ["https://channels.example.com", "x"], nbf=1, username="ada")
    token = tokens.sign(world.keys["rsa"], "RS256", {**claims, "token_type": "Bearer", "secret_claim": "x"})
    standard = ("scope", "client_id", "username", "exp", "iat", "nbf", "sub", "aud", "iss", "jti")
    members = {name: claims[name] for name in standard}
    expect.active(endpoint.introspect(token, world.rfc), **members, token_type="Bearer")


@pytest.mark.parametrize("client, status", [("private", 401), ("shared", 401), ("rfc", 200), ("polite", 200), ("strict_rfc", 401)])
def test_inactive_status_is_the_profiles_or_the_clients_own(endpoint, world, client, status):
    expired = world.token(exp=tokens.now_s() - 10)
    expect.inactive(endpoint.introspect(expired, getattr(world, client)), status)


def test_inactive_says_the_same_whatever_is_wrong(endpoint, world):
    expect.inactive(endpoint.introspect("not a token", world.private), 401)
    expect.inactive(endpoint.introspect(world.token(key=world.stranger["rsa"]), world.private), 401)


def test_caller_without_credentials(endpoint, world):
    expect.invalid_client(endpoint.post(form_body(("token", world.token()))))
    expect.invalid_client(endpoint.post(json_body(token=world.token()), content_type=JSON))


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_caller_with_a_wrong_secret_or_an_unknown_id(endpoint, world, method):
    token = world.token()
    for client_id, secret in [
        (world.private.client_id, "wrong"),
        (world.private.client_id, world.private.secret + "x"),
        (world.private.client_id, world.private.secret[:-1]),
        (world.private.client_id, world.shared.secret),
        ("nobody", world.private.secret),
    ]:
        caller = type(world.private)(client_id, secret)
        expect.invalid_client(endpoint.introspect(token, caller, method=method))


def test_no_token(endpoint, world):
    caller = basic(world.private.client_id, world.private.secret)
    expect.invalid_request(endpoint.post(b"", authorization=caller))
    expect.invalid_request(endpoint.post(form_body(("tokens", "x")), authorization=caller))
    expect.invalid_request(endpoint.post(b"{}", content_type=JSON, authorization=caller))


def test_repeated_token(endpoint, world):
    caller, token = basic(world.private.client_id, world.private.secret), world.token()
    expect.invalid_request(endpoint.post(form_body(("token", token), ("token", token)), authorization=caller))
    body = b'{"token":"%s","token":"%s"}' % (token.encode(), token.encode())
    expect.invalid_request(endpoint.post(body, content_type=JSON, authorization=caller))


def test_malformed_body(endpoint, world):
    caller = basic(world.private.client_id, world.private.secret)
    expect.invalid_request(endpoint.post(b"{", content_type=JSON, authorization=caller))
    expect.invalid_request(endpoint.post(b"token=%zz", authorization=caller))


def test_two_ways_of_authenticating(endpoint, world):
    body = form_body(
        ("token", world.token()), ("client_id", world.private.client_id), ("client_secret", world.private.secret)
    )
    expect.invalid_request(endpoint.post(body, authorization=basic(world.private.client_id, world.private.secret)))


def test_other_content_type(endpoint, world):
    caller = basic(world.private.client_id, world.private.secret)
    response = endpoint.post(b"<token/>", content_type="application/xml", authorization=caller)
    expect.invalid_request(response, 415)


def test_content_encoding(endpoint, world):
    caller = basic(world.private.client_id, world.private.secret)
    body = form_body(("token", world.token()))
    expect.invalid_request(endpoint.post(body, [("Content-Encoding", "gzip")], authorization=caller), 415)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_method(endpoint, world, method):
    headers = [basic(world.private.client_id, world.private.secret)]
    expect.method_not_allowed(endpoint.request(method, "/introspect?token=" + world.token(), headers))
    expect.method_not_allowed(endpoint.request(method, "/introspect"))


def test_head_is_refused_without_a_body(endpoint):
    response = endpoint.request("HEAD", "/introspect")
    assert response.status == 405 and response.get("allow") == "POST" and response.body == b""


@pytest.mark.parametrize(
    "path",
    ["/", "/introspect/", "/introspect/x", "/introspectx", "/intro", "/INTROSPECT", "/introspect%2f", "/x/introspect", "/livez",
     "/metrics"],
)  # fmt: skip
def test_other_path(endpoint, world, path):
    headers = [basic(world.private.client_id, world.private.secret), ("Content-Type", "application/x-www-form-urlencoded")]
    expect.invalid_request(endpoint.request("POST", path, headers, form_body(("token", world.token()))), 404)
    expect.invalid_request(endpoint.request("GET", path), 404)


def body_of(size, token):
    return form_body(("token", token)) + b"&filler=" + b"x" * (size - len(form_body(("token", token))) - 8)


def test_largest_body(endpoint, world):
    body = body_of(MAX_BODY, world.token())
    assert len(body) == MAX_BODY
    expect.is_active(endpoint.post(body, authorization=basic(world.private.client_id, world.private.secret)))


@pytest.mark.parametrize("size", [MAX_BODY + 1, 2 * MAX_BODY, 2 * 1024 * 1024])
def test_too_large_a_body(endpoint, world, size):
    caller = basic(world.private.client_id, world.private.secret)
    expect.invalid_request(endpoint.post(body_of(size, world.token()), authorization=caller), 413)


@pytest.fixture(scope="module")
def without_keys(world, start_module_server):
    config = world.config()
    config["issuers"][0]["jwks_file"] = "empty.json"
    return start_module_server(config, {"empty.json": '{"keys":[]}'}, all_listeners=True)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("client", ["private", "rfc"])
def test_keys_that_cannot_be_had(without_keys, world, protocol, client):
    endpoint, client = without_keys.endpoints[protocol], getattr(world, client)
    for _ in range(2):
        expect.unavailable(endpoint.introspect(world.token(), client))
    # The other issuers' tokens are not concerned.
    expect.is_active(endpoint.introspect(world.token("ES256", world.other_key, issuer="https://other.example.com"), client))
