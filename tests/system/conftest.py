import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "integration"))  # its harness

from harness.world import World
from image import build_image, containers, docker, figures, image  # noqa: F401 (fixtures)


def pytest_terminal_summary(terminalreporter):
    for figure in figures:
        terminalreporter.write_line(f"measured: {figure}")


@pytest.fixture(scope="session")
def world():
    return World()


@pytest.fixture
def directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-system-"))
    yield path
    shutil.rmtree(path)
