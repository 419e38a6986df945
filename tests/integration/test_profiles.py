"""Front's documented examples, and the mapping from claims to the members of an answer."""

import base64

import pytest

from harness import expect, tokens
from harness.endpoint import parse_json
from harness.http1 import request_bytes
from harness.world import AUDIENCE, SYMMETRIC, Client


# Front's "Token introspection for channel identification"


def documented_request(endpoint, client, token):
    """As the document shows it: Basic credentials, the token in JSON."""
    credentials = base64.b64encode(f"{client.client_id}:{client.secret}".encode()).decode()
    body = b'{"token": "%s"}' % token.encode()
    headers = [("Authorization", f"Basic {credentials}"), ("Content-Type", "application/json")]
    with endpoint.connect() as connection:
        if endpoint.protocol in ("h2c", "tls-h2"):
            return connection.request("POST", "/introspect", headers, body)
        connection.send(request_bytes("POST", "/introspect", headers, body))
        return connection.read_response()


def test_documented_example_with_private_credentials(endpoint, world):
    response = documented_request(endpoint, world.private, world.token())
    assert (response.status, parse_json(response.body)) == (
        200,
        {"active": True, "front_channel_name": "Acme Support", "front_channel_address": "acme-support-1"},
    )


def test_documented_example_with_shared_credentials(endpoint, world):
    response = documented_request(endpoint, world.shared, world.token())
    assert (response.status, parse_json(response.body)) == (
        200,
        {"active": True, "resource_owner_id": "owner-42", "resource_owner_name": "Ada Lovelace"},
    )


def test_documented_example_of_an_invalid_token(endpoint, world):
    for client in (world.private, world.shared):
        response = documented_request(endpoint, client, "an-invalid-token")
        assert (response.status, parse_json(response.body)) == (401, {"active": False})


# The mapping language


@pytest.fixture(scope="module")
def mapped(world, start_module_server):
    """One client for each set of fields."""

    class Mapped:
        def __init__(self):
            self.cases = {}

        def client(self, name, profile, fields):
            self.cases[name] = Client(name)
            return world.client_entry(self.cases[name], profile, fields=fields)

    made = Mapped()
    clients = [
        made.client("fallbacks", "front_private", {
            "front_channel_name": ["/channel/name", "https://ns.example.com/channel", "name"],
            "front_channel_address": "{tid}:{sub}",
        }),
        made.client("pointers", "front_private", {
            "front_channel_name": "/names/1",
            "front_channel_address": ["/a~1b/m~0n", "/deep/0/1/id"],
        }),
        made.client("names-are-never-split", "front_private", {
            "front_channel_name": "a.b",
            "front_channel_address": "https://ns.example.com/a/b",
        }),
        made.client("templates", "front_shared", {
            "resource_owner_id": "acct:{/owner/id}@{tenant}/x",
            "resource_owner_name": ["{given} {family}", "{given}", "anonymous-{sub}"],
        }),
        made.client("misspelt", "front_shared", {"resrouce_owner_name": "resource_owner_name"}),
        made.client("rfc-with-more", "rfc7662", {"tenant": "/org/id", "username": "preferred_username"}),
    ]  # fmt: skip
    started = start_module_server(world.config(clients=clients))
    made.h1 = started.endpoints["h1"]
    made.server = started.server
    return made


def bare(world, **claims):
    """A good token that has only what it must have, and these claims."""
    base = {"iss": SYMMETRIC, "aud": AUDIENCE, "exp": tokens.now_s() + 600}
    return tokens.sign(world.keys["oct"], "HS256", {**base, **claims})


PRIVATE = ("front_channel_name", "front_channel_address")
SHARED = ("resource_owner_id", "resource_owner_name")


@pytest.mark.parametrize("name, claims, answer", [
    ("fallbacks", {"channel": {"name": "A"}, "name": "C", "tid": "t", "sub": "s"}, ("A", "t:s")),
    ("fallbacks", {"https://ns.example.com/channel": "B", "name": "C", "tid": "t", "sub": "s"}, ("B", "t:s")),
    ("fallbacks", {"name": "C", "tid": "t", "sub": "s"}, ("C", "t:s")),
    ("fallbacks", {"channel": "no object", "name": "C", "tid": "t", "sub": "s"}, ("C", "t:s")),
    ("fallbacks", {"channel": {"name": ""}, "name": "C", "tid": "t", "sub": "s"}, ("C", "t:s")),
    ("fallbacks", {"channel": {"name": None}, "name": "C", "tid": "t", "sub": "s"}, ("C", "t:s")),
    ("fallbacks", {"channel": {"name": True}, "name": "C", "tid": "t", "sub": "s"}, ("C", "t:s")),
    ("fallbacks", {"channel": {"name": ["A"]}, "name": "C", "tid": "t", "sub": "s"}, ("C", "t:s")),
    ("fallbacks", {"channel": {"name": "a\u0007"}, "name": "C", "tid": "t", "sub": "s"}, ("C", "t:s")),
    ("fallbacks", {"channel": {"name": "x" * 1025}, "name": "C", "tid": "t", "sub": "s"}, ("C", "t:s")),
    ("fallbacks", {"channel": {"name": 7}, "tid": 12, "sub": -3}, ("7", "12:-3")),
    ("fallbacks", {"name": "C", "tid": "a:b", "sub": "c"}, ("C", "a%3Ab:c")),
    ("fallbacks", {"name": "C", "tid": "a", "sub": "b:c"}, ("C", "a:b%3Ac")),
    ("fallbacks", {"name": "C", "tid": "a%3Ab", "sub": "c"}, ("C", "a%253Ab:c")),
    ("fallbacks", {"name": "C", "tid": "t"}, None),
    ("fallbacks", {"tid": "t", "sub": "s"}, None),
    ("pointers", {"names": ["x", "y"], "a/b": {"m~n": "z"}}, ("y", "z")),
    ("pointers", {"names": ["x", "y"], "deep": [[{}, {"id": 9}]]}, ("y", "9")),
    ("pointers", {"names": ["x"], "a/b": {"m~n": "z"}}, None),
    ("pointers", {"names": {"1": "object"}, "a/b": {"m~n": "z"}}, ("object", "z")),
    ("names-are-never-split", {"a.b": "dot", "https://ns.example.com/a/b": "slash"}, ("dot", "slash")),
    ("names-are-never-split", {"a": {"b": "dot"}, "https://ns.example.com/a": {"b": "slash"}}, None),
])  # fmt: skip
def test_front_private_mappings(mapped, world, name, claims, answer):
    response = mapped.h1.introspect(bare(world, **claims), mapped.cases[name])
    if answer is None:
        expect.inactive(response, 401)
    else:
        expect.active(response, **dict(zip(PRIVATE, answer)))


@pytest.mark.parametrize("claims, answer", [
    ({"owner": {"id": 5}, "tenant": "t", "given": "Ada", "family": "L"}, ("acct:5@%74/x", "Ada L")),
    ({"owner": {"id": "a@b/c"}, "tenant": "t", "given": "Ada"}, ("acct:%61%40b%2F%63@%74/x", "Ada")),
    ({"owner": {"id": "i"}, "tenant": "t", "sub": "s"}, ("acct:i@%74/x", "anonymous-%73")),
    ({"owner": {"id": "i"}, "tenant": "t", "given": "Ada King", "family": "L"}, ("acct:i@%74/x", "Ada%20King L")),
    ({"owner": {}, "tenant": "t", "sub": "s"}, None),
])  # fmt: skip
def test_front_shared_templates(mapped, world, claims, answer):
    """What the template uses as text is encoded where a claim holds it: letters too."""
    response = mapped.h1.introspect(bare(world, **claims), mapped.cases["templates"])
    if answer is None:
        expect.inactive(response, 401)
    else:
        expect.active(response, **dict(zip(SHARED, answer)))


def test_two_tokens_never_make_one_address(mapped, world):
    addresses = set()
    pairs = [("a", "b:c"), ("a:b", "c"), ("a%3Ab", "c"), ("a%253Ab", "c"), ("a", "b%3Ac"), ("a:", "b:c"), ("a::b", "c")]
    for tid, sub in pairs:
        response = mapped.h1.introspect(bare(world, name="C", tid=tid, sub=sub), mapped.cases["fallbacks"])
        addresses.add(parse_json(response.body)["front_channel_address"])
    assert len(addresses) == len(pairs)


def test_extra_member_beside_the_profiles_own(mapped, world):
    response = mapped.h1.introspect(world.token(), mapped.cases["misspelt"])
    expect.active(
        response, resource_owner_id="owner-42", resource_owner_name="Ada Lovelace", resrouce_owner_name="Ada Lovelace"
    )
    response = mapped.h1.introspect(bare(world, resource_owner_id="o"), mapped.cases["misspelt"])
    expect.inactive(response, 401)


def test_fields_beside_the_standard_members(mapped, world):
    token = bare(world, sub="s", org={"id": 77}, preferred_username="ada")
    answer = parse_json(mapped.h1.introspect(token, mapped.cases["rfc-with-more"]).body)
    assert answer["tenant"] == "77" and answer["username"] == "ada" and answer["sub"] == "s"
    answer = parse_json(mapped.h1.introspect(bare(world, sub="s"), mapped.cases["rfc-with-more"]).body)
    assert answer["active"] is True and "tenant" not in answer and "username" not in answer


def test_missing_member_is_named_to_the_operator(mapped, world):
    token = bare(world, name="C", tid="t")
    mapped.h1.introspect(token, mapped.cases["fallbacks"])
    lines = mapped.server.find_log(token=tokens.token_name(token))
    assert lines and lines[0]["reason"] == "mapping_missing"


@pytest.mark.parametrize("claims, absent", [
    ({"scope": ["read", "write"]}, "scope"),
    ({"client_id": 7}, "client_id"),
    ({"sub": 7}, "sub"),
    ({"jti": {}}, "jti"),
    ({"username": None}, "username"),
    ({"token_type": True}, "token_type"),
])  # fmt: skip
def test_standard_member_of_the_wrong_type_is_left_out(h1, world, claims, absent):
    """RFC 7662 section 2.2 says what each member is; an answer that breaks it would break its reader."""
    response = h1.introspect(bare(world, **{"sub": "s", **claims}), world.rfc)
    expect.is_active(response)
    assert absent not in parse_json(response.body)


def test_rfc7662_without_any_standard_claim_but_the_checked(h1, world):
    token = bare(world)
    answer = parse_json(h1.introspect(token, world.rfc).body)
    assert set(answer) == {"active", "iss", "aud", "exp"}


# What real providers issue


def provider(issuer, audience, algorithms=("RS256",), **more):
    return {"issuer": issuer, "jwks_file": "jwks.json", "algorithms": list(algorithms), "audience": audience, **more}


AUTH0 = "https://tenant.eu.auth0.com/"
OKTA = "https://acme.okta.com/oauth2/default"
KEYCLOAK = "https://sso.example.com/realms/acme"
ENTRA = "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0"
COGNITO = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf"
HYDRA = "https://hydra.example.com/"

PROVIDERS = {
    "auth0": (
        provider(AUTH0, [AUDIENCE], token_types=["at+jwt", "JWT"]),
        {"front_channel_name": "https://ns.example.com/channel", "front_channel_address": "{azp}:{sub}"},
        {"typ": "at+jwt"},
        {
            "iss": AUTH0, "sub": "auth0|5f7c8ec7", "aud": [AUDIENCE, AUTH0 + "userinfo"], "azp": "kzS3aL", "scope": "openid profile",
            "https://ns.example.com/channel": "Acme", "https://ns.example.com/roles": ["r" * 50] * 100,
        },
        {"front_channel_name": "Acme", "front_channel_address": "kzS3aL:auth0|5f7c8ec7"},
    ),
    "okta": (
        provider(OKTA, ["api://channels"]),
        {"front_channel_name": ["channel_name", "cid"], "front_channel_address": ["uid", "cid"]},
        {"typ": None},
        {"iss": OKTA, "aud": "api://channels", "cid": "0oa1b2c3", "scp": ["channel.read"], "sub": "app@example.com", "ver": 1},
        {"front_channel_name": "0oa1b2c3", "front_channel_address": "0oa1b2c3"},
    ),
    "keycloak": (
        provider(KEYCLOAK, ["channels"], require={"typ": "Bearer"}),
        {"front_channel_name": "/resource_access/front.app~1v2/roles/0", "front_channel_address": ["/channel/id", "azp"]},
        {"typ": "JWT"},
        {
            "iss": KEYCLOAK, "aud": ["channels", "account"], "typ": "Bearer", "azp": "front", "sub": "f:1:ada",
            "realm_access": {"roles": ["offline_access"]}, "resource_access": {"front.app/v2": {"roles": ["Support"]}},
        },
        {"front_channel_name": "Support", "front_channel_address": "front"},
    ),
    "entra": (
        provider(ENTRA, ["api://6e74172b-be56-4843-9ff4-e66a39bb12e3"]),
        {"front_channel_name": ["app_displayname", "azp"], "front_channel_address": "{tid}:{oid}"},
        {"typ": "JWT", "x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg"},
        {
            "iss": ENTRA, "aud": "api://6e74172b-be56-4843-9ff4-e66a39bb12e3", "tid": "9122040d", "oid": "ea87-1", "sub": "pairwise",
            "scp": "Channel.Read", "azp": "6e74", "ver": "2.0", "nbf": 1,
        },
        {"front_channel_name": "6e74", "front_channel_address": "9122040d:ea87-1"},
    ),
    "cognito": (
        provider(COGNITO, ["1example23456789"], audience_claim="client_id", require={"token_use": "access"}),
        {"front_channel_name": ["/cognito:groups/0", "username"], "front_channel_address": "sub"},
        {"typ": None},
        {
            "iss": COGNITO, "client_id": "1example23456789", "token_use": "access", "sub": "aaaa-bbbb", "username": "ada",
            "cognito:groups": ["support"], "scope": "aws.cognito.signin.user.admin", "event_id": "x", "version": 2,
        },
        {"front_channel_name": "support", "front_channel_address": "aaaa-bbbb"},
    ),
    "hydra": (
        provider(HYDRA, ["channels"]),
        {"front_channel_name": ["channel", "/ext/channel"], "front_channel_address": ["address", "/ext/address"]},
        {"typ": None},
        {
            "iss": HYDRA, "aud": ["channels"], "client_id": "c", "scp": ["a"], "sub": "s",
            "ext": {"channel": "Acme", "address": 1234567890123},
        },
        {"front_channel_name": "Acme", "front_channel_address": "1234567890123"},
    ),
}  # fmt: skip

# What must be refused of each provider: the change to the good token's claims.
WRONG = {
    "auth0": {"iss": AUTH0.rstrip("/")},
    "okta": {"cid": None},
    "keycloak": {"typ": "ID"},
    "entra": {"tid": None},
    "cognito": {"token_use": "id"},
    "hydra": {"ext": {"channel": "Acme"}},
}


@pytest.mark.parametrize("name", PROVIDERS)
def test_providers_shape(world, start_server, name):
    """Keys without `alg`, as Entra ID publishes them."""
    issuer, fields, header, claims, answer = PROVIDERS[name]
    clients = [world.client_entry(world.private, "front_private", fields=fields), world.client_entry(world.rfc)]
    files = {"jwks.json": tokens.jwks(world.keys["rsa"])}
    h1 = start_server(world.config(issuers=[issuer], clients=clients), files).endpoints["h1"]

    def token(**changes):
        made = {**claims, "iat": tokens.now_s(), "exp": tokens.now_s() + 600, **changes}
        return tokens.sign(world.keys["rsa"], "RS256", {k: v for k, v in made.items() if v is not None}, **header)

    expect.active(h1.introspect(token(), world.private), **answer)
    expect.is_active(h1.introspect(token(), world.rfc))
    expect.inactive(h1.introspect(token(**WRONG[name]), world.private), 401)
    expect.inactive(h1.introspect(token(exp=1), world.private), 401)
    if name == "cognito":
        expect.inactive(h1.introspect(token(client_id="another"), world.private), 401)
        expect.inactive(h1.introspect(token(client_id=None, aud="1example23456789"), world.private), 401)
