"""Guesses at credentials: they are throttled, and nobody with good ones is locked out."""

import pytest

from harness import expect
from harness.attacked import Attacked
from hostile.catalogue import ATTACKS, GUESSES

NAMES = [name for name, attack in ATTACKS.items() if attack.kind == GUESSES]
SECONDS = 0.8


@pytest.fixture(scope="module")
def attacked(world, start_module_server):
    return Attacked(world, start_module_server, {"failed_authentications": 20})


@pytest.mark.parametrize("source", ["127.0.0.2", "127.0.0.1"])
@pytest.mark.parametrize("name", NAMES)
def test_guesses(attacked, world, name, source):
    before = attacked.refusals("failed_authentications")
    outcome, callers = attacked.attack(name, SECONDS, source=source)
    assert callers.refused().total() == 0, callers.statuses()
    assert attacked.refusals("failed_authentications") > before, outcome
    for protocol in ("h1", "h2c"):
        expect.is_active(attacked.endpoints[protocol].introspect(attacked.token, world.rfc))


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("h1")])
def test_guesses_are_told_to_wait(attacked, name):
    statuses = attacked.attack(name, SECONDS)[0]["http1_statuses"]
    assert statuses.get("429", 0) > 0, statuses
