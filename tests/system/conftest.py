import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "integration"))  # its harness


@pytest.fixture
def directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-system-"))
    yield path
    shutil.rmtree(path)
