"""Connections that send as much as they can: they are closed, and everybody else is served."""

import pytest

from harness.attacked import Attacked
from hostile.catalogue import ATTACKS, FLOODS

SECONDS = 0.6
NAMES = [name for name, attack in ATTACKS.items() if attack.kind == FLOODS]
# What is answered or refused request by request, as slowly as the server likes.
ANSWERED = {"rapid-reset-get"}
# The limits that the others reach.
RESETS = "http2_resets"
CONTROL = "http2_control_frames"
LIMITS = {
    "rapid-reset": RESETS,
    "rapid-reset-misses": RESETS,
    "headers-reset": RESETS,
    "window-zero": RESETS,
    "window-overflow": RESETS,
    "ping-flood": CONTROL,
    "settings-flood": CONTROL,
    "settings-windows": CONTROL,
    "unknown-frames": CONTROL,
    "unknown-low-frames": CONTROL,
    "empty-continuation": CONTROL,
    "empty-data": CONTROL,
    "window-updates": CONTROL,
    "hpack-expansion": "headers",
    "tls-rapid-reset": RESETS,
    "tls-ping-flood": CONTROL,
}


@pytest.fixture(scope="module")
def attacked(world, start_module_server):
    return Attacked(world, start_module_server)


@pytest.mark.parametrize("name", NAMES)
def test_flood(attacked, name):
    limit = LIMITS.get(name)
    before = attacked.refusals(limit) if limit else 0
    outcome, _ = attacked.attack(name, SECONDS)
    if limit:
        assert outcome["closed_by_server"] > 0, outcome
        assert attacked.refusals(limit) > before, outcome
