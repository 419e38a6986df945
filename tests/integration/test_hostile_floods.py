"""Connections that send as much as they can: they are closed, and everybody else is served."""

import pytest

from harness.attacked import Attacked
from hostile.catalogue import ATTACKS, FLOODS

SECONDS = 0.6
NAMES = [name for name, attack in ATTACKS.items() if attack.kind == FLOODS]
# These are answered or refused request by request, and the bodies of these are large: few are seen in the time.
MAY_STAY = {"trailers", "h1-many-headers", "rapid-reset-bodies", "h1-chunks"}
# The limits that the others reach; what is not here is an error to the library.
RESETS = "http2_resets"
CONTROL = "http2_control_frames"
HEADERS = "headers"
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
    "priority-flood": CONTROL,
    "reprioritized": CONTROL,
    "data-on-closed": RESETS,
    "endless-continuation": HEADERS,
    "hpack-expansion": HEADERS,
    "large-headers": HEADERS,
    "many-headers": HEADERS,
    "h1-many-headers": HEADERS,
    "tls-rapid-reset": RESETS,
    "tls-rapid-reset-misses": RESETS,
    "tls-window-zero": RESETS,
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
    assert outcome["closed_by_server"] > 0 or name in MAY_STAY, outcome
    if limit:
        assert attacked.refusals(limit) > before, outcome
