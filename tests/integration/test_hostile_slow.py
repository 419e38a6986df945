"""Slow and stuck peers: each ends within the time that the config gives it."""

import contextlib
import time

import pytest

from harness import expect
from harness.attacked import Attacked
from hostile.catalogue import ATTACKS, HELD, SLOW
from hostile.process import Attacker

TIMEOUT_S, IDLE_S = 1, 2
TIMEOUTS = {"handshake": f"{TIMEOUT_S}s", "request": f"{TIMEOUT_S}s", "response": f"{TIMEOUT_S}s", "idle": f"{IDLE_S}s"}
MOST_S = 25  # that an attack waits to be ended
# A stream is ended first, the connection that is idle then after that; each may be seen late on a busy machine.
LONGEST_S = TIMEOUT_S + IDLE_S + 3
SLOW_NAMES = [name for name, attack in ATTACKS.items() if attack.kind == SLOW] + ["half-closed", "idle"]
CONNECTIONS = {"idle": 100}  # where the attack's own number would take long
STUCK_NAMES = ["ping-deaf", "zero-window", "zero-window-pings", "window-drip", "bodies-without-end", "tls-ping-deaf", "tls-zero-window"]
# They are stuck when the system has no more room for what they do not read, and that takes as long as the server takes to fill it.
DEAF_NAMES = ["h1-deaf", "tls-h1-deaf"]
HELD_NAMES = [name for name, attack in ATTACKS.items() if attack.kind == HELD and name not in STUCK_NAMES + DEAF_NAMES]


@pytest.fixture(scope="module")
def attacked(world, start_module_server):
    return Attacked(world, start_module_server, timeouts=TIMEOUTS)


def attack_together(attacked, names):
    """What each of them saw, side by side, and the good callers who asked meanwhile."""
    with contextlib.ExitStack() as stack:
        attackers = {
            name: stack.enter_context(Attacker(name, attacked.targets, MOST_S, connections=CONNECTIONS.get(name), until_ended=True))
            for name in names
        }
        callers = stack.enter_context(attacked.callers())
        for attacker in attackers.values():
            attacker.begin()
        outcomes = {name: attacker.outcome() for name, attacker in attackers.items()}
    return outcomes, callers


@pytest.fixture(scope="module")
def slow(attacked):
    return attack_together(attacked, SLOW_NAMES)


@pytest.fixture(scope="module")
def stuck(attacked):
    return attack_together(attacked, STUCK_NAMES + DEAF_NAMES)


def assert_ended_in_time(outcome):
    assert outcome["closed_by_server"] > 0, outcome
    assert outcome["longest_open_s"] < LONGEST_S, outcome


@pytest.mark.parametrize("name", SLOW_NAMES)
def test_slow_peer_is_ended(slow, name):
    assert_ended_in_time(slow[0][name])


@pytest.mark.parametrize("name", STUCK_NAMES)
def test_stuck_peer_is_ended(stuck, name):
    assert_ended_in_time(stuck[0][name])


@pytest.mark.parametrize("name", DEAF_NAMES)
def test_deaf_peer_is_ended(stuck, name):
    assert stuck[0][name]["closed_by_server"] > 0, stuck[0][name]


@pytest.mark.parametrize("kind", ["slow", "stuck"])
def test_callers_beside_them_are_served(request, kind):
    expect.all_served(request.getfixturevalue(kind)[1])


@pytest.mark.parametrize("name", HELD_NAMES)
def test_what_is_held_is_bounded(attacked, name):
    attacked.attack(name, 1)


@pytest.mark.parametrize("protocol", ["h1", "h2c", "tls-h1", "tls-h2"])
def test_busy_connection_is_not_idle(attacked, world, protocol):
    """Its requests are short and its pauses too: whoever looks now and then sees none of them."""
    endpoint = attacked.endpoints[protocol]
    end = time.monotonic() + IDLE_S + 1
    with endpoint.connect() as connection:
        while time.monotonic() < end:
            expect.is_active(endpoint.introspect(attacked.token, world.rfc, connection=connection))
            time.sleep(IDLE_S / 40)
