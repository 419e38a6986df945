"""Connections for their own sake: at the bound the new ones are refused, and those that are there are served."""

import pytest

from harness import expect
from harness.attacked import Attacked
from hostile.catalogue import ATTACKS, CONNECTIONS
from hostile.process import Attacker

NAMES = [name for name, attack in ATTACKS.items() if attack.kind == CONNECTIONS]
MOST = 100
SECONDS = 1


@pytest.fixture(scope="module")
def attacked(world, start_module_server):
    return Attacked(world, start_module_server, {"max_connections_per_address": MOST})


@pytest.mark.parametrize("name", NAMES)
def test_good_callers_are_served_beside(attacked, name):
    attacked.attack(name, SECONDS)


def test_one_address_has_its_share_alone(attacked, world):
    before = attacked.refusals("connections_per_address")
    with Attacker("many-connections", attacked.targets, SECONDS) as attacker:
        attacker.begin()
        while not attacker.is_over():
            for endpoint in attacked.endpoints.values():
                expect.is_active(endpoint.introspect(attacked.token, world.rfc))
        outcome = attacker.outcome()
    assert outcome["open_at_end"] <= MOST + outcome["not_opened"] or outcome["closed_by_server"] > 0, outcome
    assert attacked.refusals("connections_per_address") > before


def test_connections_that_are_there_are_served_at_the_bound(world, start_server):
    """The attacker has the callers' own address, as behind a proxy."""
    attacked = Attacked(world, start_server, {"max_connections": MOST})
    outcome, _ = attacked.attack("many-connections", SECONDS, source="127.0.0.1")
    assert outcome["closed_by_server"] > 0, outcome
    assert attacked.refusals("connections") > 0
