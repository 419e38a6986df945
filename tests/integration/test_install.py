"""What `cmake --install` of the build under test puts where, as the image and packages have it."""

import os
import subprocess

import pytest

from harness.server import BINARY, REPOSITORY


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    if not (BINARY.parent / "cmake_install.cmake").exists():
        pytest.skip(f"{BINARY} does not lie in its build's folder")
    prefix = tmp_path_factory.mktemp("installed")
    done = subprocess.run(["cmake", "--install", BINARY.parent, "--prefix", prefix], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done
    return prefix


def test_files(installed):
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert files == {
        "bin/introspectd",
        "share/man/man1/introspectd.1",
        "share/doc/introspectd/LICENSE",
        "lib/systemd/system/introspectd.service",
        "lib/systemd/system/introspectd.socket",
    }


def test_binary_runs_from_there(installed):
    done = subprocess.run([installed / "bin/introspectd", "--version"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.startswith("introspectd ")


def test_unit_names_an_absolute_place(installed):
    lines = (installed / "lib/systemd/system/introspectd.service").read_text().splitlines()
    (command,) = [line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart=")]
    assert os.path.isabs(command) and command.split()[0].endswith("/bin/introspectd")


def test_license_is_the_project_s(installed):
    assert (installed / "share/doc/introspectd/LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()
