"""
Hostile callers, to be let loose on a server of one's own, on loopback, for a bounded time.

catalogue.ATTACKS has them by name; `python3 -m hostile NAME ...` runs one (with tests/ in PYTHONPATH), and process.Attacker starts
that beside the load of a test or a benchmark.
"""

import pathlib
import sys

# Frames are made by the integration tests' harness.
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
