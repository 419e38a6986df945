"""What a request may look like: bodies, parameters, and ways of authenticating."""

import json

import pytest

from harness import expect
from harness.endpoint import FORM, JSON, basic, form_body, json_body
from harness.world import Client


@pytest.fixture(params=["h1", "h2c"])
def endpoint(request, running):
    return running.endpoints[request.param]


@pytest.fixture
def caller(world):
    return basic(world.rfc.client_id, world.rfc.secret)


@pytest.mark.parametrize(
    "content_type",
    [
        FORM,
        FORM + ";charset=UTF-8",
        FORM + "; charset=utf-8",
        "Application/X-WWW-Form-URLencoded",
        JSON,
        JSON + ";charset=UTF-8",
        JSON + " ; charset=utf-8",
        "APPLICATION/JSON",
    ],
)
def test_content_types(endpoint, world, caller, content_type):
    body = json_body(token=world.token()) if "json" in content_type.lower() else form_body(("token", world.token()))
    expect.is_active(endpoint.post(body, content_type=content_type, authorization=caller))


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/jwt", "multipart/form-data; boundary=x", "application/jsonx", "application/json+x",
     "application/x-www-form-urlencodedx", "application", "application/json-seq", "text/json", "*/*"],
)  # fmt: skip
def test_other_content_types(endpoint, world, caller, content_type):
    response = endpoint.post(form_body(("token", world.token())), content_type=content_type, authorization=caller)
    expect.invalid_request(response, 415)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP", "gzip, gzip"])
def test_content_codings(endpoint, world, caller, coding):
    response = endpoint.post(form_body(("token", world.token())), [("Content-Encoding", coding)], authorization=caller)
    expect.invalid_request(response, 415)


# Ways of authenticating


@pytest.mark.parametrize("form_encoded", [False, True], ids=["raw", "form-encoded"])
@pytest.mark.parametrize("index", range(4), ids=["colon-percent", "percent-hex", "plus-space", "umlaut"])
def test_basic_in_both_spellings(endpoint, world, index, form_encoded):
    client = world.awkward[index]
    header = basic(client.client_id, client.secret, form_encoded)
    expect.is_active(endpoint.post(form_body(("token", world.token())), authorization=header))


@pytest.mark.parametrize("index", range(4), ids=["colon-percent", "percent-hex", "plus-space", "umlaut"])
def test_client_secret_post(endpoint, world, index):
    expect.is_active(endpoint.introspect(world.token(), world.awkward[index], method="client_secret_post"))


def test_documented_spelling_of_basic(endpoint, world):
    client = Client("chan+nel%2B1", "s%3Ae%25c")
    expect.is_active(endpoint.introspect(world.token(), client))


def test_scheme_of_authorization_is_case_insensitive(endpoint, world):
    name, value = basic(world.rfc.client_id, world.rfc.secret)
    for scheme in ("basic", "BASIC", "bAsIc"):
        header = (name, value.replace("Basic", scheme))
        expect.is_active(endpoint.post(form_body(("token", world.token())), authorization=header))


def test_both_secrets_of_a_rotation(endpoint, world):
    expect.is_active(endpoint.introspect(world.token(), world.rotated))
    expect.is_active(endpoint.introspect(world.token(), world.rotated_next))
    expect.invalid_client(endpoint.introspect(world.token(), Client("rotated", world.rotated_next.secret + "\n")))


@pytest.mark.parametrize(
    "value",
    ["Basic", "Basic ", "Basic !!!!", "Basic bm8tY29sb24=", "Bearer abcdef", "Digest username=x", "", "Basicx Zm9vOmJhcg==",
     "Basic Zm9vOmJhcg== Zm9vOmJhcg==", "Basic Zm9vOmJhcg", "Basic Og=="],
)  # fmt: skip
def test_other_authorization_values(endpoint, world, value):
    expect.invalid_client(endpoint.post(form_body(("token", world.token())), authorization=("Authorization", value)))


def test_huge_authorization(endpoint, world):
    header = basic("front", "x" * 9000)
    expect.invalid_client(endpoint.post(form_body(("token", world.token())), authorization=header))


def test_repeated_authorization(endpoint, world, caller):
    other = basic(world.private.client_id, world.private.secret)
    for second in (caller, other, ("Authorization", "Bearer x")):
        response = endpoint.post(form_body(("token", world.token())), [second], authorization=caller)
        expect.invalid_request(response)


def test_basic_and_a_secret_in_the_body(endpoint, world, caller):
    for pairs in (
        [("client_id", world.rfc.client_id), ("client_secret", world.rfc.secret)],
        [("client_secret", world.rfc.secret)],
        [("client_id", "nobody"), ("client_secret", "wrong")],
    ):
        response = endpoint.post(form_body(("token", world.token()), *pairs), authorization=caller)
        expect.invalid_request(response)


def test_half_of_client_secret_post(endpoint, world):
    token = ("token", world.token())
    expect.invalid_client(endpoint.post(form_body(token, ("client_id", world.rfc.client_id))))
    expect.invalid_client(endpoint.post(form_body(token, ("client_secret", world.rfc.secret))))


def test_secret_in_json_authenticates_nobody(endpoint, world):
    body = json_body(token=world.token(), client_id=world.rfc.client_id, client_secret=world.rfc.secret)
    expect.invalid_client(endpoint.post(body, content_type=JSON))


# Parameters


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "nonsense", "", "äöü"])
def test_token_type_hint_never_changes_the_result(endpoint, world, caller, hint):
    good, bad = world.token(), world.token(key=world.stranger["rsa"])
    form = lambda token: endpoint.post(form_body(("token", token), ("token_type_hint", hint)), authorization=caller)  # noqa: E731
    as_json = lambda token: endpoint.post(  # noqa: E731
        json_body(token=token, token_type_hint=hint), content_type=JSON, authorization=caller
    )
    expect.is_active(form(good))
    expect.is_active(as_json(good))
    expect.inactive(form(bad), 200)
    expect.inactive(as_json(bad), 200)


def test_extra_parameters_are_ignored(endpoint, world, caller):
    token = world.token()
    expect.is_active(
        endpoint.post(form_body(("resource", "x"), ("token", token), ("scope", "")), authorization=caller)
    )
    body = json_body(extra=[1, {"a": None}], token=token, more=True, token_type=1.5)
    expect.is_active(endpoint.post(body, content_type=JSON, authorization=caller))


@pytest.mark.parametrize("pairs", [
    [("token", "a"), ("token", "b")],
    [("token", "a"), ("token_type_hint", "x"), ("token_type_hint", "x")],
])  # fmt: skip
def test_repeated_parameters(endpoint, caller, pairs):
    expect.invalid_request(endpoint.post(form_body(*pairs), authorization=caller))


def test_parameter_repeated_in_another_spelling(endpoint, caller):
    expect.invalid_request(endpoint.post(b"token=a&%74oken=b", authorization=caller))
    expect.invalid_request(endpoint.post(rb'{"token":"a","\u0074oken":"b"}', content_type=JSON, authorization=caller))


def test_repeated_client_id(endpoint, world):
    pairs = [("client_id", world.rfc.client_id)] * 2 + [("client_secret", world.rfc.secret), ("token", world.token())]
    response = endpoint.post(form_body(*pairs))
    assert response.status in (400, 401), response
    expect.error(response, response.status, "invalid_request" if response.status == 400 else "invalid_client")


@pytest.mark.parametrize("body", [b"token=", b"token", b"&&", b"=x", b"Token=x", b"token%00=x"])
def test_forms_without_a_token(endpoint, caller, body):
    expect.invalid_request(endpoint.post(body, authorization=caller))


@pytest.mark.parametrize("body", [b"token=%", b"token=%1", b"token=%g1", b"token=a%2", b"%zz=x&token=a", b"token=a&x=%"])
def test_bad_percent_escapes(endpoint, caller, body):
    expect.invalid_request(endpoint.post(body, authorization=caller))


def test_form_escapes_in_the_token(endpoint, world, caller):
    escaped = "".join(f"%{ord(character):02x}" for character in world.token())
    expect.is_active(endpoint.post(b"token=" + escaped.encode(), authorization=caller))


@pytest.mark.parametrize("body", [
    b"", b" ", b"null", b"true", b"1", b'"token"', b"[]", b'["token"]', b'[{"token":"x"}]', b"{}", b"{", b"}", b'{"token"}',
    b'{"token":}', b'{"token":"x"', b'{"token":"x}', b"{'token':'x'}", b'{token:"x"}', b'{"token":"x",}', b'{"token":"x"}}',
    b'{"token":"x"} {"token":"x"}', b'{"token":"x"}\x00', b'\xef\xbb\xbf{"token":"x"}', b'{"token":"\xff"}', b'{"token":"\\x"}',
    b'{"token":"\\u12"}', b'{"token":"\n"}', b'{"token":"x"}//', b'\x00', b'{"token":"x","a":01}', b'{"token":"x","a":NaN}',
    b'{"token":"x","a":"\\ud800"}', b'{"token":"x","a":1e999}',
])  # fmt: skip
def test_malformed_json(endpoint, caller, body):
    expect.invalid_request(endpoint.post(body, content_type=JSON, authorization=caller))


@pytest.mark.parametrize("value", [None, True, 0, 1.5, [], ["x"], {}, {"token": "x"}, ""])
def test_json_token_that_is_not_a_string_or_empty(endpoint, caller, value):
    expect.invalid_request(endpoint.post(json_body(token=value), content_type=JSON, authorization=caller))


def test_json_nesting_is_bounded(endpoint, caller):
    body = b'{"token":"x","a":' + b"[" * 20000 + b"]" * 20000 + b"}"
    expect.invalid_request(endpoint.post(body, content_type=JSON, authorization=caller))


def test_json_repeated_member_deep_inside(endpoint, caller):
    expect.invalid_request(endpoint.post(b'{"token":"x","a":{"b":1,"b":2}}', content_type=JSON, authorization=caller))


def test_json_escapes_in_the_token(endpoint, world, caller):
    token = world.token()
    escaped = "".join(f"\\u{ord(character):04x}" for character in token)
    expect.is_active(endpoint.post(b'{"token":"%s"}' % escaped.encode(), content_type=JSON, authorization=caller))
    spaced = b' \t\r\n{ "\\u0074oken" :\n"%s" }\r\n ' % token.encode()
    expect.is_active(endpoint.post(spaced, content_type=JSON, authorization=caller))


@pytest.mark.parametrize("token", ["a b", "x\x00y", "ü", "\U0001f600", "'\"<>&", "a" * 20000])
def test_tokens_of_any_text_get_an_answer(endpoint, world, token):
    caller = basic(world.private.client_id, world.private.secret)
    expect.inactive(endpoint.post(form_body(("token", token)), authorization=caller), 401)
    if "\x00" not in token:
        body = json.dumps({"token": token}).encode()
        expect.inactive(endpoint.post(body, content_type=JSON, authorization=caller), 401)


def test_query_is_ignored(endpoint, world, caller):
    headers = [caller, ("Content-Type", FORM)]
    response = endpoint.request("POST", "/introspect?token=x&x=%zz", headers, form_body(("token", world.token())))
    expect.is_active(response)
    expect.invalid_request(endpoint.request("POST", "/introspect?token=" + world.token(), headers, b""))


def test_token_with_white_space_around_it_is_another_token(endpoint, world, caller):
    token = world.token()
    for spelling in (" " + token, token + " ", token + "\n", token + "="):
        expect.inactive(endpoint.post(form_body(("token", spelling)), authorization=caller), 200)
