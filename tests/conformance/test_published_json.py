"""JSONTestSuite's texts as headers and as payloads: what is no JSON never passes, what is passes but for reasons of our own."""

import pytest
from harness import expect, tokens
from harness.endpoint import Endpoint
from harness.server import Server, free_port
from harness.world import AUDIENCE, MAIN, World

# RFC 8259 allows these; RFC 7515 section 4 and RFC 7519 section 4 do not allow repeated members, and U+0000 is refused here.
REFUSED_HERE = {
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
    "y_object_escaped_null_in_key.json",
    "y_string_null_escape.json",
}


@pytest.fixture(scope="session")
def texts(vectors):
    found = {path.name: path.read_bytes() for path in (vectors / "JSONTestSuite" / "test_parsing").glob("*.json")}
    assert {name[:2] for name in found} == {"y_", "n_", "i_"} and len(found) > 300
    return found


def embedded(members, text):
    return tokens.json_bytes(members)[:-1] + b',"x":' + text + b"}"


def is_good(name):
    """None: either way is right."""
    return None if name.startswith("i_") else name.startswith("y_") and name not in REFUSED_HERE


def as_header(key, header, text=None):
    return tokens.sign_raw(key, "ES256", header if text is None else embedded(header, text), b"{}")


def test_in_a_header(texts, judge):
    key = tokens.generate_key("p256", kid="k")
    expected = {True: "ok", False: "refused malformed", None: ("ok", "refused malformed")}
    cases = [(name, as_header(key, {"alg": "ES256", "kid": "k"}, text), expected[is_good(name)]) for name, text in texts.items()]
    judge([tokens.public_jwk(key)], cases)


def test_as_a_header(texts, judge):
    """None of them has an `alg`."""
    key = tokens.generate_key("p256", kid="k")
    judge([tokens.public_jwk(key)], [(name, as_header(key, text), "refused malformed") for name, text in texts.items()])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    world, port = World(), free_port()
    config = world.config(
        listen=[{"address": f"127.0.0.1:{port}"}],
        limits={"max_body": "2MiB", "max_token": "1MiB"},
        clients=[world.client_entry(world.rfc)],
    )
    endpoint = Endpoint("h1", ("127.0.0.1", port))
    server = Server(tmp_path_factory.mktemp("json"), config, world.files, [endpoint.address]).start()
    yield world, endpoint
    server.stop()


def test_in_a_payload(texts, served):
    world, endpoint = served
    key, header = world.keys["p256"], {"alg": "ES256", "kid": "p256"}
    wrong = []
    with endpoint.connect() as connection:
        for name, text in texts.items():
            payload = embedded(tokens.claims(MAIN, AUDIENCE), text)
            response = endpoint.introspect(tokens.sign_raw(key, "ES256", header, payload), world.rfc, "json", connection=connection)
            active = expect.parse_json(response.body).get("active")
            if response.status != 200 or active not in (True, False) or is_good(name) not in (None, active):
                wrong.append((name, response.status, active))
    assert not wrong, wrong
    expect.is_active(endpoint.introspect(world.token(), world.rfc))


def test_as_a_payload(texts, served):
    """None of them names an issuer."""
    world, endpoint = served
    key, header = world.keys["p256"], {"alg": "ES256", "kid": "p256"}
    with endpoint.connect() as connection:
        for text in texts.values():
            expect.inactive(endpoint.introspect(tokens.sign_raw(key, "ES256", header, text), world.rfc, connection=connection), 200)
