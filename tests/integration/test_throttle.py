"""Guessed credentials: failures are throttled by address and by client, and right credentials go through all the while."""

import itertools
import secrets
import threading

import pytest

from harness import expect
from harness.endpoint import FORM, H2_PROTOCOLS, basic, form_body
from harness.reload import Reloads
from harness.server import wait_until
from harness.world import Client

BUDGET = 2  # one comes back every 30 s: no test is so long at work on an empty bucket
GUESSER, OTHER_GUESSER, CALLER = "127.0.0.2", "127.0.0.3", "127.0.0.1"
WRONG = secrets.token_urlsafe(24)  # one for all: the look for secrets in the log takes its time for each
TCP_PROTOCOLS = ("h1", "h2c", "tls-h1", "tls-h2")


@pytest.fixture
def start(world, start_server):
    def start(failed_authentications=BUDGET, **more):
        return start_server(world.config(limits={"failed_authentications": failed_authentications}), **more)

    return start


def guess(endpoint, client_id, connection=None, method="client_secret_basic"):
    return endpoint.introspect("some.token.here", Client(client_id, WRONG), method=method, connection=connection)


def exhaust(endpoint, client_id, at_most=50):
    """Guesses on new connections until that is throttled; the number of guesses that were not."""
    for free in range(at_most):
        response = guess(endpoint, client_id)
        if response.status == 429:
            expect.throttled(response)
            return free
        expect.invalid_client(response)
    raise AssertionError(f"{at_most} guesses were free")


_spellings = itertools.count(2)


def unproved(client):
    """Right credentials in an Authorization header that no server has seen yet."""
    name, value = basic(client.client_id, client.secret)
    return name, value.replace(" ", " " * next(_spellings))


def ask(connection, authorization, token):
    return connection.request("POST", "/introspect", [authorization, ("Content-Type", FORM)], form_body(("token", token)))


def callers_are_served(endpoint, client, token):
    """By every method that needs a proof, each on a connection of its own."""
    with endpoint.connect() as connection:
        expect.is_active(ask(connection, unproved(client), token))
    expect.is_active(endpoint.introspect(token, client, method="client_secret_post"))
    expect.is_active(endpoint.introspect(token, client))


@pytest.mark.parametrize("source", [GUESSER, CALLER])
def test_guesses_are_throttled_and_the_caller_is_served(world, start, source):
    endpoints = start(all_listeners=True).endpoints
    token = world.token()
    assert exhaust(endpoints["h1"].seen_from(source), world.rfc.client_id) == BUDGET
    for protocol in TCP_PROTOCOLS:
        endpoint = endpoints[protocol]
        for method in ("client_secret_basic", "client_secret_post"):
            expect.throttled(guess(endpoint.seen_from(source), world.rfc.client_id, method=method))
        callers_are_served(endpoint, world.rfc, token)
        # Behind the guesser's address, too, as a proxy's clients are.
        callers_are_served(endpoint.seen_from(source), world.rfc, token)
        callers_are_served(endpoint.seen_from(source), world.private, token)


class Guessing:
    """Guesses on, in a thread: one a connection, and as many as it takes on each HTTP/2 connection."""

    def __init__(self, endpoints, client_id):
        self.endpoints, self.client_id = endpoints, client_id
        self.statuses = []
        self.has_ended = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.has_ended.is_set():
            for endpoint in self.endpoints:
                with endpoint.connect() as connection:
                    for _ in range(10 if endpoint.protocol in H2_PROTOCOLS else 1):
                        self.statuses.append(guess(endpoint, self.client_id, connection).status)
                        if self.statuses[-1] == 429:
                            break  # nothing further is served there

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.has_ended.set()
        self.thread.join()


@pytest.mark.parametrize("source", [GUESSER, CALLER])
def test_caller_is_served_while_the_guessing_goes_on(world, start, source):
    endpoints = start(all_listeners=True).endpoints
    token = world.token()
    with Guessing([endpoints[p].seen_from(source) for p in ("h1", "h2c", "tls-h2")], world.rfc.client_id) as guessing:
        wait_until(lambda: 429 in guessing.statuses)
        for _ in range(5):
            for protocol in TCP_PROTOCOLS:
                callers_are_served(endpoints[protocol], world.rfc, token)
        before = len(guessing.statuses)
        wait_until(lambda: len(guessing.statuses) > before)
    assert set(guessing.statuses) <= {401, 429}
    # What a minute gives beyond the budget is all that there was.
    assert guessing.statuses.count(401) <= 2 * BUDGET, guessing.statuses.count(401)


@pytest.mark.parametrize("protocol", H2_PROTOCOLS)
def test_http2_connection_has_one_guess_while_throttled(world, start, protocol):
    endpoint = start(all_listeners=True).endpoints[protocol].seen_from(GUESSER)
    token = world.token()
    exhaust(endpoint, world.rfc.client_id)
    with endpoint.connect() as connection:
        proved = unproved(world.rfc)
        expect.is_active(ask(connection, proved, token))
        expect.is_active(ask(connection, unproved(world.rfc), token))
        expect.throttled(guess(endpoint, world.rfc.client_id, connection))
        connection.wait_for_goaway()
        assert connection.is_closed_by_peer()
    callers_are_served(endpoint, world.rfc, token)


def test_guesses_in_one_flight_are_one_guess(world, start):
    endpoint = start().endpoints["h2c"].seen_from(GUESSER)
    exhaust(endpoint, world.rfc.client_id)
    body = form_body(("token", world.token()))
    wrong = basic(world.rfc.client_id, WRONG)
    with endpoint.connect() as connection:
        streams = [
            connection.start("POST", "/introspect", [authorization, ("Content-Type", FORM)], body)
            for authorization in [wrong] + [unproved(world.rfc) for _ in range(20)]
        ]
        expect.throttled(connection.response(streams[0]))
        connection.wait_for_goaway()
        assert connection.is_closed_by_peer()
        # Those that came with it are not looked at; those behind are not served (RFC 9113 section 6.8).
        answered = [stream for stream in streams if connection.streams[stream].is_ended]
        for stream in answered:
            expect.throttled(connection.response(stream))
        assert len(answered) < len(streams)


def test_failures_before_the_budget_is_gone_leave_the_connection_its_guess(world, start):
    endpoint = start().endpoints["h2c"]
    token = world.token()
    with endpoint.connect() as connection:
        for _ in range(BUDGET):
            expect.invalid_client(guess(endpoint, world.rfc.client_id, connection))
        expect.is_active(ask(connection, unproved(world.rfc), token))
        expect.throttled(guess(endpoint, world.rfc.client_id, connection))
        connection.wait_for_goaway()


def test_proxys_other_callers_are_served_on_the_same_connection(world, start_server):
    """Who guesses is told apart by X-Forwarded-For, and nobody else pays for it."""
    config = world.config(limits={"failed_authentications": BUDGET}, trusted_proxies=["127.0.0.0/8"])
    endpoint = start_server(config).endpoints["h2c"]
    token, body = world.token(), form_body(("token", world.token()))

    def ask_for(connection, address, authorization):
        headers = [authorization, ("Content-Type", FORM), ("X-Forwarded-For", address)]
        return connection.request("POST", "/introspect", headers, body)

    exhaust(endpoint, world.rfc.client_id)
    with endpoint.connect() as connection:
        for _ in range(5):
            expect.throttled(ask_for(connection, "192.0.2.66", basic(world.rfc.client_id, WRONG)))
            expect.throttled(ask_for(connection, "192.0.2.66", unproved(world.rfc)))
            expect.is_active(ask_for(connection, "192.0.2.1", unproved(world.rfc)))
        callers_are_served(endpoint, world.rfc, token)


@pytest.mark.parametrize("protocol", ["h1", "tls-h1"])
def test_http1_connection_is_closed_when_throttled(world, start, protocol):
    endpoint = start(all_listeners=True).endpoints[protocol]
    with endpoint.connect() as connection:
        for _ in range(BUDGET):
            expect.invalid_client(guess(endpoint, world.rfc.client_id, connection))
        response = guess(endpoint, world.rfc.client_id, connection)
        expect.throttled(response)
        assert response.get("connection") == "close", response
        assert connection.is_closed_by_peer()


def test_address_and_client_are_charged(world, start):
    h1 = start().endpoints["h1"]
    exhaust(h1.seen_from(GUESSER), world.rfc.client_id)
    elsewhere = h1.seen_from(OTHER_GUESSER)
    expect.throttled(guess(elsewhere, world.rfc.client_id))
    expect.invalid_client(guess(elsewhere, world.private.client_id))
    expect.throttled(guess(h1.seen_from(GUESSER), "nobody-of-ours"))
    expect.throttled(guess(h1.seen_from(GUESSER), world.shared.client_id))


@pytest.mark.parametrize("authorization", ["Basic !", "Basic bm9ib2R5", "Bearer abc", "Basic"])
def test_what_no_client_is_named_in_is_charged_to_the_address(world, start, authorization):
    h1 = start().endpoints["h1"].seen_from(GUESSER)
    body = form_body(("token", "some.token.here"))
    for _ in range(BUDGET):
        expect.invalid_client(h1.post(body, authorization=("Authorization", authorization)))
    expect.throttled(h1.post(body, authorization=("Authorization", authorization)))


def test_no_credentials_are_no_guess(world, start):
    h1 = start().endpoints["h1"]
    for _ in range(5 * BUDGET):
        expect.invalid_client(h1.post(form_body(("token", "some.token.here"))))
        expect.invalid_client(h1.post(form_body(("token", "some.token.here"), ("client_id", world.rfc.client_id))))
    assert exhaust(h1, world.rfc.client_id) == BUDGET


def test_unix_socket_has_clients_alone(world, start):
    unix = start(all_listeners=True).endpoints["unix"]
    for number in range(5 * BUDGET):
        expect.invalid_client(guess(unix, f"nobody-{number}"))
    assert exhaust(unix, world.rfc.client_id) == BUDGET
    expect.invalid_client(guess(unix, world.private.client_id))
    callers_are_served(unix, world.rfc, world.token())


def test_budget_refills(world, start):
    endpoint = start(60).endpoints["h2c"]
    exhaust(endpoint, world.rfc.client_id, 1000)
    # Each of them may hit upon the second in which there is room.
    wait_until(lambda: guess(endpoint, world.rfc.client_id).status == 429)
    wait_until(lambda: guess(endpoint, world.rfc.client_id).status == 401)


def test_zero_turns_it_off(world, start):
    h2c = start(0).endpoints["h2c"]
    with h2c.connect() as connection:
        for _ in range(300):
            expect.invalid_client(guess(h2c, world.rfc.client_id, connection))


def test_it_is_on_by_default(world, start_server):
    h2c = start_server(world.config(limits=None)).endpoints["h2c"]
    with h2c.connect() as connection:
        statuses = []
        while 429 not in statuses and len(statuses) < 2000:
            statuses.append(guess(h2c, world.rfc.client_id, connection).status)
    assert statuses[:100] == [401] * 100 and statuses[-1] == 429, statuses


def test_reload_keeps_the_state(world, start):
    started = start(1)  # the next one comes back in a minute
    reloads, guesser = Reloads(started.server), started.endpoints["h1"].seen_from(GUESSER)
    token = world.token()

    def set_budget(budget):
        reloads.accept_config(lambda config: config["limits"].update(failed_authentications=budget))

    assert exhaust(guesser, world.rfc.client_id) == 1
    reloads.accepted(reloads.hang_up, trigger="signal")
    expect.throttled(guess(guesser, world.rfc.client_id))
    set_budget(0)
    expect.invalid_client(guess(guesser, world.rfc.client_id))
    set_budget(1)
    expect.throttled(guess(guesser, world.rfc.client_id))
    callers_are_served(guesser, world.rfc, token)


def test_refused_guesses_are_logged(world, start):
    started = start()
    guesser = started.endpoints["h1"].seen_from(GUESSER)
    exhaust(guesser, world.rfc.client_id)
    guess(guesser, "nobody-of-ours")
    lines = wait_until(lambda: (found := started.server.find_log(event="authentication_refused"))[1:] and found)
    assert [(line["level"], line.get("client"), line["peer"]) for line in lines] == [
        ("warn", world.rfc.client_id, GUESSER),
        ("warn", None, GUESSER),
    ]
    assert "nobody-of-ours" not in started.server.stderr()
