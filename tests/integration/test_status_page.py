"""The status page, its numbers as JSON, and the form that explains a token: what they say, and to whom."""

import html.parser
import json
import os
import re

import pytest

from harness.confined import Starter
from harness.endpoint import FORM, Endpoint, form_body
from harness.http1 import request_bytes
from harness.server import UNSANITIZED_BINARY, run, wait_until
from harness.tokens import token_name
from harness.world import MAIN

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
OUTCOMES = ("active", "inactive", "unavailable", "overloaded", "unauthorized", "throttled", "invalid")
HOSTILE = "</select></table><script>alert(1)</script>\"'&amp;<img src=x onerror=alert(2)>"


class Page(html.parser.HTMLParser):
    """The elements of a page with their attributes, and the text of those that have an id."""

    VOID = {"meta", "link", "input", "br", "img", "hr"}

    def __init__(self, response):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.texts = [], [], {}
        self.feed(response.body.decode("utf-8"))
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.handle_data(" ")
        if tag not in self.VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append((tag, dict(attributes).get("id")))

    def handle_endtag(self, tag):
        opened, _ = self.open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data):
        for _, element_id in self.open:
            if element_id is not None:
                self.texts[element_id] = self.texts.get(element_id, "") + data

    def text(self, element_id):
        return " ".join(self.texts.get(element_id, "").split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def get_page(admin, path="/", status=200):
    response = admin.request("GET", path)
    assert response.status == status, response
    return Page(response)


def get_status(admin):
    response = admin.request("GET", "/status.json")
    assert response.status == 200 and response.get("content-type") == "application/json", response
    return json.loads(response.body)


def post(admin, *pairs, headers=(), body=None, content_type=FORM, host=None):
    headers = [*headers, *([("Content-Type", content_type)] if content_type else [])]
    body = form_body(*pairs) if body is None else body
    if host is None:
        return admin.request("POST", "/explain", headers, body)
    with admin.connect() as connection:
        connection.send(request_bytes("POST", "/explain", headers, body, host=host))
        return connection.read_response()


def get_as(admin, host, path, method="GET", headers=()):
    with admin.connect() as connection:
        connection.send(request_bytes(method, path, headers, host=host))
        return connection.read_response(method)


# The page


def test_it_is_one_page_with_a_policy(running):
    response = running.admin.request("GET", "/")
    assert response.get("content-type") == "text/html; charset=utf-8" and response.get("cache-control") == "no-store"
    assert response.get("x-content-type-options") == "nosniff" and response.get("referrer-policy") == "same-origin"
    assert response.get("cross-origin-resource-policy") == "same-origin"
    page = Page(response)
    directives = dict(part.strip().split(" ", 1) for part in response.get("content-security-policy").split(";"))
    nonce = re.fullmatch(r"'nonce-([0-9a-f]{32})'", directives["script-src"])[1]
    assert directives["style-src"] == f"'nonce-{nonce}'"
    for name in ("default-src", "base-uri", "frame-ancestors"):
        assert directives[name] == "'none'"
    assert directives["connect-src"] == directives["form-action"] == "'self'"
    assert [element["nonce"] for element in page.all("style") + page.all("script")] == [nonce, nonce]
    # All in one piece: nothing is fetched, and nothing that the policy would keep from working.
    for tag, attributes in page.elements:
        assert not {"src", "style", "srcset"} & set(attributes), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert tag != "link" or attributes["href"].startswith("data:image/svg+xml,"), attributes
    assert all(element.get("http-equiv") is None for element in page.all("meta"))


def test_no_two_answers_have_one_nonce(running):
    policies = {running.admin.request("GET", "/").get("content-security-policy") for _ in range(5)}
    assert len(policies) == 5


def test_ids_are_there_once_and_labels_have_their_fields(running):
    page = get_page(running.admin)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("for", "aria-labelledby", "aria-describedby"):
            assert name not in attributes or attributes[name] in ids, attributes
    assert all("scope" in attributes for attributes in page.all("th"))
    assert all("id" in attributes for _, attributes in page.elements if "data-fresh" in attributes)


@pytest.mark.parametrize("path", ["/", "/status.json", "/?x=1"])
def test_heads_of_both(running, path):
    response = running.admin.request("HEAD", path)
    assert response.status == 200 and response.body == b"" and int(response.get("content-length")) > 1000


@pytest.mark.parametrize("path, allowed", [("/", "GET, HEAD"), ("/status.json", "GET, HEAD"), ("/explain", "POST"), ("/livez", "GET, HEAD")])
def test_methods(running, path, allowed):
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        if method in allowed:
            continue
        response = running.admin.request(method, path, body=b"" if method in ("POST", "PUT", "PATCH") else None)
        assert response.status == 405 and response.get("allow") == allowed, response


@pytest.mark.parametrize("path", ["/explain/", "/status.json/", "/status", "/explainx", "/index.html"])
def test_paths_beside_them(running, path):
    assert running.admin.request("GET", path).status == 404


# The numbers


def metric(text, name, **labels):
    """The sum of a family's samples that have these labels."""
    found = 0
    for line in text.splitlines():
        match = re.fullmatch(r"([a-z0-9_]+)(?:\{(.*)\})? ([0-9.e+-]+)", line)
        if match and match[1] == name and labels.items() <= dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or "")).items():
            found += float(match[3])
    return found


@pytest.fixture(scope="module")
def asked(world, start_module_server):
    """A server of its own, whose every request is known; it has stopped being asked."""
    started = start_module_server()
    h1, h2c = started.endpoints["h1"], started.endpoints["h2c"]
    good, expired = world.token("ES256"), world.token(exp=1)
    for _ in range(3):
        h1.introspect(good, world.rfc)
    h2c.introspect(good, world.private)
    for _ in range(2):
        h1.introspect(expired, world.private)
    h1.introspect(world.token(key=world.stranger["rsa"]), world.rfc)
    h1.introspect(good, type("Nobody", (), {"client_id": "nobody", "secret": "not-a-secret-of-ours"}))
    h1.request("GET", "/nothing")
    started.expired = expired
    wait_until(lambda: get_status(started.admin)["totals"]["requests"] == 9)
    return started


def test_totals(asked):
    status = get_status(asked.admin)
    expected = {"active": 4, "inactive": 3, "unauthorized": 1, "invalid": 1, "unavailable": 0, "overloaded": 0, "throttled": 0}
    assert {name: status["totals"][name] for name in OUTCOMES} == expected
    assert status["totals"]["requests"] == 9 and status["totals"]["not_active"] == 3 and status["totals"]["no_verdict_503"] == 0
    assert status["cache"]["hits"] == 3 and status["cache"]["misses"] == 4 and status["cache"]["hit_ratio"] == pytest.approx(3 / 7)
    rows = {(row["profile"], row["protocol"]): row["total"] for row in status["requests"]}
    assert rows[("rfc7662", "HTTP/1")] == 4 and rows[("front_private", "HTTP/2")] == 1 and rows[("front_private", "HTTP/1")] == 2
    assert rows[("none", "HTTP/1")] == 2 and sum(rows.values()) == 9
    assert {row["reason"]: row["count"] for row in status["inactive"] if row["count"]} == {"expired": 2, "bad_signature": 1}
    assert status["ready"] is True and status["state"] == "ready" and status["draining"] is False and status["threads"] == 2


def test_they_agree_with_the_metrics(asked):
    status = get_status(asked.admin)
    text = asked.admin.request("GET", "/metrics").body.decode()
    for outcome in OUTCOMES:
        assert status["totals"][outcome] == metric(text, "introspectd_requests_total", outcome=outcome)
    for row in status["inactive"]:
        assert row["count"] == metric(text, "introspectd_inactive_total", reason=row["reason"])
    for row in status["clients"]:
        for outcome in OUTCOMES[:3]:
            assert row[outcome] == metric(text, "introspectd_client_requests_total", client=row["client"], outcome=outcome)
    for row in status["issuers"]:
        assert row["keys"] == metric(text, "introspectd_issuer_keys", issuer=row["issuer"])
    for row in status["refusals"]:
        assert row["count"] == metric(text, "introspectd_refusals_total", limit=row["limit"])
    for name, cached in (("cached", "true"), ("verified", "false")):
        histogram = status["latency"][name]
        assert histogram["count"] == sum(histogram["buckets"]) == metric(text, "introspectd_request_duration_seconds_count", cached=cached)
        assert len(histogram["buckets"]) == len(status["latency"]["bounds_us"]) + 1
        assert 0 < histogram["p50_us"] <= histogram["p99_us"]
    for part in ("active", "inactive"):
        assert status["cache"][part]["entries"] == metric(text, "introspectd_cache_entries", partition=part)
    assert status["cache"]["max_bytes"] == metric(text, "introspectd_cache_max_bytes")
    assert status["connections_accepted"] == metric(text, "introspectd_connections_accepted_total")
    assert status["log_lines_lost"] == metric(text, "introspectd_log_lines_lost_total")
    assert status["reloads"] | {"applied_at": ""} == {"applied": 0, "refused": 0, "last_was_refused": False, "applied_at": ""}


def test_the_page_shows_the_same(asked):
    status, page = get_status(asked.admin), get_page(asked.admin)
    assert page.text("state") == "ready" and f"version {status['version']}" in page.text("since")
    assert page.text("requests").startswith("Requests: 9 Outcome Answers active 4 inactive 3")
    assert page.text("ratio") == "42.9 %" and page.text("failed") == "0"
    assert "expired" in page.text("inactive") and "bad_signature" in page.text("inactive") and "malformed" not in page.text("inactive")
    assert "resource-server 3 1 0" in page.text("clients")
    for issuer in status["issuers"]:
        assert issuer["issuer"] in page.text("issuers")
    assert page.text("issuers").startswith(f"Issuers: {len(status['issuers'])} of {len(status['issuers'])} with keys")
    assert token_name(asked.expired) in page.text("recent") and page.text("limits").endswith("None.")


def test_refused_tokens_are_named_by_digest(asked, world):
    recent = get_status(asked.admin)["recent_refusals"]
    assert [entry["reason"] for entry in recent] == ["bad_signature", "expired", "expired"]
    assert recent[1]["token"] == token_name(asked.expired) and recent[1]["cached"] is True and recent[2]["cached"] is False
    assert recent[0]["client"] == world.rfc.client_id and recent[0]["issuer"] == MAIN and recent[0]["kid"] == "rsa"


def test_an_issuer_without_keys(world, start_server):
    config = world.config()
    config["issuers"][0]["jwks_file"] = "empty.json"
    admin = start_server(config, {"empty.json": '{"keys":[]}'}).admin
    status, page = get_status(admin), get_page(admin)
    assert status["state"] == "not ready" and status["ready"] is False
    assert [row["issuer"] for row in status["issuers"] if not row["usable"]] == [MAIN]
    assert page.text("state") == "not ready" and page.text("issuers").startswith("Issuers: 4 of 5 with keys") and "none" in page.text("issuers")


def test_a_config_that_was_refused(world, start_server):
    started = start_server()
    assert get_page(started.admin).text("refused") == ""
    good = started.server.config_file.read_text()
    started.server.config_file.write_text("issuers: [")
    wait_until(lambda: "was refused" in get_page(started.admin).text("refused"))
    started.server.config_file.write_text(good)
    wait_until(lambda: get_page(started.admin).text("refused") == "")


# Texts that want to be more than text


def test_hostile_texts_stay_texts(world, start_server):
    issuer = "https://idp.example.com/?a=%3Cb%3E&b='<script>alert(3)</script>\""
    config = world.config()
    config["issuers"][0]["issuer"] = issuer
    config["clients"][2]["client_id"] = HOSTILE
    started = start_server(config)
    client = type("Hostile", (), {"client_id": HOSTILE, "secret": world.rfc.secret})
    token = world.token("ES256", issuer=issuer, header={"kid": HOSTILE[:60]})
    started.endpoints["h1"].introspect(token, client)
    response = started.admin.request("GET", "/")
    assert_only_ours(response)
    page = Page(response)
    assert HOSTILE in page.text("clients") and issuer in page.text("issuers") and HOSTILE[:60] in page.text("recent")
    assert HOSTILE in [attributes.get("value") for attributes in page.all("option")]
    said = post(started.admin, ("token", token), ("client_id", HOSTILE), headers=[("Accept", HTML)])
    assert_only_ours(said)
    page = Page(said)
    assert HOSTILE[:60] in page.text("explained") and "unknown_key" in page.text("explained") and HOSTILE in page.text("explained")
    chosen = [attributes["value"] for attributes in page.all("option") if "selected" in attributes]
    assert chosen == [HOSTILE]


def assert_only_ours(response):
    """No element that the page itself does not have."""
    page = Page(response)
    assert len(page.all("script")) == 1 and page.all("img") == [] and b"<script>alert" not in response.body
    assert len(page.all("select")) == 1


def test_a_kid_that_would_steer_a_terminal_or_a_page(running, world):
    token = world.token("ES256", header={"kid": "ab\u001b[2J\u009bc"})
    page = Page(post(running.admin, ("token", token), headers=[("Accept", HTML)]))
    assert "ab\ufffd[2J\ufffdc" in page.text("explained")


# A token is explained


def explained(admin, token, client_id=None):
    pairs = [("token", token)] + ([("client_id", client_id)] if client_id is not None else [])
    response = post(admin, *pairs)
    assert response.status == 200 and response.get("content-type") == "application/json", response
    return response.body.decode("utf-8")


def bad_and_good(world):
    return {
        "good": world.token("ES256"),
        "hmac": world.token("HS256"),
        "expired": world.token(exp=1),
        "forged": world.token(key=world.stranger["rsa"]),
        "stranger": world.token(issuer="https://who.example.com"),
        "rubbish": "no.token",
        "long": "a" * 17000,
    }


def test_it_says_what_the_command_says(running, world):
    for name, token in bad_and_good(world).items():
        for client in (world.private, world.rfc, world.limited):
            said = run("explain", "--config", running.server.config_file, "--client", client.client_id, "--json", stdin=token)
            assert explained(running.admin, token, client.client_id) == said.stdout.rstrip("\n"), name


def test_white_space_around_a_token_is_none_of_it(running, world):
    token = world.token("ES256")
    assert json.loads(explained(running.admin, f"\r\n {token}\t\n", world.rfc.client_id))["verdict"] == "active"


def test_the_first_client_is_the_default(running, world):
    first = sorted(entry["client_id"] for entry in world.clients())[0]
    assert json.loads(explained(running.admin, world.token()))["client"] == first


def test_the_page_says_it_too(running, world):
    for name, token in bad_and_good(world).items():
        response = post(running.admin, ("token", token), ("client_id", world.private.client_id), headers=[("Accept", HTML)])
        assert response.status == 200 and response.get("content-security-policy") is not None
        page, said = Page(response), json.loads(explained(running.admin, token, world.private.client_id))
        text = page.text("explained")
        assert text.startswith(said["verdict"]) and (said["active"] or said["reason"] in text), name
        assert said["token"] in text and f"HTTP {said['status']}" in text, name
        assert json.loads(page.texts["answer"]) == said["answer"], name
        for member in ("issuer", "algorithm", "typ", "kid", "key"):
            assert said[member] is None or said[member] in text, (name, member)
        for date in said["times"].values():
            assert date in text, name
        assert page.text("token") == ""


def test_a_verdict_is_neither_counted_nor_kept_nor_logged(world, start_server):
    started = start_server()
    bad, good = world.token(exp=1), world.token("ES256")
    for token in (bad, good):
        explained(started.admin, token, world.rfc.client_id)
        post(started.admin, ("token", token), headers=[("Accept", HTML)])
    status = get_status(started.admin)
    assert status["totals"]["requests"] == 0 and status["recent_refusals"] == [] and status["cache"]["misses"] == 0
    assert status["cache"]["active"]["entries"] == status["cache"]["inactive"]["entries"] == 0
    assert token_name(bad) not in started.server.stderr() and started.server.find_log(event="token_inactive") == []


def test_nothing_of_a_token_comes_back(running, world):
    for name, token in bad_and_good(world).items():
        for accept in (HTML, "application/json"):
            response = post(running.admin, ("token", token), ("client_id", world.rfc.client_id), headers=[("Accept", accept)])
            text = response.body.decode("utf-8")
            for part in token.split("."):
                assert len(part) < 10 or part not in text, (name, accept)


def memory_has(pid, needles):
    """Those of needles that stand in memory which the process can write to."""
    found = set()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            begin, end = (int(place, 16) for place in span.split("-"))
            try:
                memory.seek(begin)
                content = memory.read(end - begin)
            except OSError:
                continue  # pages that the kernel keeps for itself
            found |= {needle for needle in needles if needle.encode() in content}
    return found


@pytest.mark.skipif(not os.access(UNSANITIZED_BINARY, os.X_OK), reason=f"a sanitizer's memory is too large to read; no binary at {UNSANITIZED_BINARY}")
@pytest.mark.parametrize("accept", [HTML, "application/json"])
def test_nothing_of_a_token_stays_in_memory(world, directory, accept):
    starter = Starter(world, directory / "served")
    starter.directory.mkdir()
    try:
        server = starter.start(binary=UNSANITIZED_BINARY)
        token = world.token("ES256")
        _, payload, signature = token.split(".")
        with starter.admin.connect() as connection:
            headers = [("Content-Type", FORM), ("Accept", accept)]
            body = form_body(("token", token), ("client_id", world.rfc.client_id))
            assert connection.request("POST", "/explain", headers, body).status == 200
            pieces = {part[at : at + 24] for part in (payload, signature) for at in range(0, len(part) - 24, 24)}
            assert memory_has(server.process.pid, {MAIN, *pieces}) == {MAIN}
    finally:
        starter.end()


@pytest.mark.parametrize("body, status, says", [
    (b"", 400, "token is missing"),
    (b"token=", 400, "token is missing"),
    (b"token=%20%0A", 400, "token is missing"),
    (b"token=a&token=b", 400, "repeated"),
    (b"token=%zz", 400, "hex digits"),
    (b"token=a.b.c&client_id=nobody", 400, "no such client"),
], ids=lambda value: value.decode() if isinstance(value, bytes) else None)  # fmt: skip
def test_wrong_forms(running, body, status, says):
    response = post(running.admin, body=body)
    assert response.status == status and says in json.loads(response.body)["error_description"], response
    response = post(running.admin, body=body, headers=[("Accept", HTML)])
    assert response.status == status and says in Page(response).text("explained"), response


@pytest.mark.parametrize("content_type", [None, "text/plain", "multipart/form-data; boundary=x", "application/json"])
def test_other_content_types(running, content_type):
    assert post(running.admin, body=b'{"token":"a.b.c"}', content_type=content_type).status == 415


@pytest.mark.parametrize("size", [64 * 1024 + 1, 4 * 1024 * 1024])
def test_a_form_that_is_too_large(running, size):
    response = post(running.admin, body=b"token=" + b"a" * (size - 6))
    assert response.status == 413, response
    assert running.admin.request("GET", "/livez").status == 200


# Who may ask: pages of other sites in an operator's browser may not

PEOPLES = [("GET", "/"), ("GET", "/status.json"), ("POST", "/explain")]


@pytest.mark.parametrize("method, path", PEOPLES)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:9090", "localhost.evil.example", "127.0.0.1.evil.example", "introspectd.default.svc", ""])
def test_hosts_that_may_be_somebody_elses(running, method, path, host):
    response = get_as(running.admin, host, path) if method == "GET" else post(running.admin, ("token", "a.b.c"), host=host)
    assert response.status == 403 and b"IP address or localhost" in response.body, response


@pytest.mark.parametrize("host", ["127.0.0.1:9090", "10.1.2.3", "[::1]:9090", "localhost", "localhost:8080", "LOCALHOST"])
def test_hosts_that_are_ours(running, host):
    assert get_as(running.admin, host, "/").status == 200 and get_as(running.admin, host, "/status.json").status == 200
    assert post(running.admin, ("token", "a.b.c"), host=host).status == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_supervisors_come_by_any_name(running, path):
    assert get_as(running.admin, "introspectd.default.svc:9090", path).status == 200


@pytest.mark.parametrize("headers, status", [
    ([("Origin", "http://localhost:9090")], 200),
    ([("Origin", "http://localhost:9090"), ("Sec-Fetch-Site", "same-origin")], 200),
    ([("Sec-Fetch-Site", "none")], 200),
    ([("Origin", "http://evil.example")], 403),
    ([("Origin", "http://localhost:9091")], 403),
    ([("Origin", "http://localhost")], 403),
    ([("Origin", "null")], 403),
    ([("Sec-Fetch-Site", "cross-site")], 403),
    ([("Sec-Fetch-Site", "same-site")], 403),
    ([("Origin", "http://localhost:9090"), ("Sec-Fetch-Site", "cross-site")], 403),
    ([("Origin", "http://localhost:9090"), ("Origin", "http://evil.example")], 403),
    ([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")], 403),
], ids=lambda value: " ".join(f"{n}={v}" for n, v in value) if isinstance(value, list) else None)  # fmt: skip
def test_pages_of_other_sites(running, headers, status):
    response = post(running.admin, ("token", "a.b.c"), headers=headers, host="localhost:9090")
    assert response.status == status, response
    assert response.get("access-control-allow-origin") is None
    assert status == 200 or b"verdict" not in response.body


def test_over_http2(running, world):
    admin = Endpoint("h2c", running.admin.address)
    assert admin.request("GET", "/").status == 200
    response = admin.request("POST", "/explain", [("Content-Type", FORM)], form_body(("token", world.token("ES256")), ("client_id", world.rfc.client_id)))
    assert response.status == 200 and json.loads(response.body)["verdict"] == "active"
