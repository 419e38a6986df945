"""What a machine must have for these tests; a test that it cannot run is skipped, and says why."""

import os
import shutil

import pytest


def need_programs(*names):
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)} (deps/install system cluster)")


def need_root():
    if os.geteuid() != 0:
        pytest.skip("must be root, to start daemons and make namespaces")
