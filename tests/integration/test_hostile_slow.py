"""Slow and stuck peers: each ends within the time that the config gives it."""

import contextlib

import pytest

from harness.attacked import TIMEOUT_S, Attacked
from hostile.catalogue import ATTACKS, HELD, SLOW
from hostile.process import Attacker

SLOW_S, HELD_S = 6, 3.5
# A stream is ended first, the connection that is idle then after that; each may be seen a little late.
LONGEST_S = 2 * TIMEOUT_S + 1.5
SLOW_NAMES = [name for name, attack in ATTACKS.items() if attack.kind == SLOW] + ["half-closed", "idle"]
IDLE_PEERS = 100
STUCK_NAMES = ["ping-deaf", "zero-window", "zero-window-pings", "window-drip", "h1-deaf", "bodies-without-end", "tls-ping-deaf", "tls-zero-window",
               "tls-h1-deaf"]  # fmt: skip
HELD_NAMES = [name for name, attack in ATTACKS.items() if attack.kind == HELD and name not in STUCK_NAMES]


@pytest.fixture(scope="module")
def attacked(world, start_module_server):
    return Attacked(world, start_module_server)


def attack_together(attacked, names, seconds):
    """What each of them saw, side by side."""
    with contextlib.ExitStack() as stack:
        attackers = {
            name: stack.enter_context(Attacker(name, attacked.targets, seconds, connections=IDLE_PEERS if name == "idle" else None))
            for name in names
        }
        callers = stack.enter_context(attacked.callers())
        for attacker in attackers.values():
            attacker.begin()
        outcomes = {name: attacker.outcome() for name, attacker in attackers.items()}
    assert callers.failed() == 0 and callers.answered() > 0, (callers.statuses(), callers.troubles()[:3])
    return outcomes


@pytest.fixture(scope="module")
def slow_outcomes(attacked):
    return attack_together(attacked, SLOW_NAMES, SLOW_S)


@pytest.fixture(scope="module")
def stuck_outcomes(attacked):
    return attack_together(attacked, STUCK_NAMES, SLOW_S)


def assert_ended_in_time(outcome, seconds):
    assert outcome["closed_by_server"] > 0, outcome
    assert outcome["longest_open_s"] < seconds, outcome


@pytest.mark.parametrize("name", SLOW_NAMES)
def test_slow_peer_is_ended(slow_outcomes, name):
    assert_ended_in_time(slow_outcomes[name], LONGEST_S)


@pytest.mark.parametrize("name", STUCK_NAMES)
def test_stuck_peer_is_ended(stuck_outcomes, name):
    assert_ended_in_time(stuck_outcomes[name], LONGEST_S)


@pytest.mark.parametrize("name", HELD_NAMES)
def test_what_is_held_is_bounded(attacked, name):
    attacked.attack(name, 1)
