"""CONFORMANCE.md is what the table says, and the table names tests that are run."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
import table
from requirements import PROVIDERS, SECTIONS

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS = [row for _, rows in SECTIONS for row in rows]
TESTS = sorted({test for row in ROWS for test in row[3]})


@pytest.fixture(scope="session")
def collected():
    """The functions that pytest finds in each folder of tests that is named."""
    found = set()
    for folder in sorted({test.rsplit("/", 1)[0] for test in TESTS if ".py::" in test}):
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), folder]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        lines = [line.split("[")[0] for line in done.stdout.splitlines() if "::" in line]
        assert done.returncode == 0 and lines, done
        found.update(f"{folder}/{line.rsplit('/', 1)[-1]}" for line in lines)
    return found


def unit_tests(file):
    """The functions that a cmocka program runs, if a line of its folder's CMakeLists.txt makes it one of ctest's."""
    folder, name = (ROOT / file).parent, pathlib.Path(file).name
    is_run = re.search(rf"^unit_test\({re.escape(name)} \w+\)", (folder / "CMakeLists.txt").read_text(), re.MULTILINE)
    listed = re.findall(r"struct CMUnitTest \w+\[\] = \{(.*?)\n    \};", (ROOT / file).read_text(), re.DOTALL)
    return set(re.findall(r"\w+\(\s*(\w+)", "".join(listed))) if is_run else set()


@pytest.mark.parametrize("test", TESTS)
def test_exists(collected, test):
    file, name = test.split("::")
    assert (ROOT / file).is_file()
    assert test in collected if file.endswith(".py") else name in unit_tests(file)


def test_every_folder_is_run():
    script = (ROOT / "dev").read_text()
    for folder in {test.split("/")[1] for test in TESTS if ".py::" in test}:
        assert re.search(rf"^    run_pytest {folder} \w+", script, re.MULTILINE), folder


def test_every_requirement_has_a_row_and_a_test():
    assert [row[0] for row in ROWS if isinstance(row[0], int)] == list(range(1, 29))
    assert [row[0] for row in PROVIDERS] == ["Auth0", "Okta", "Keycloak", "Entra ID", "Cognito", "Hydra"]
    assert all(row[1] and row[3] for row in ROWS)


def test_file_is_what_the_table_says():
    """It is written anew when it is not, so that what is left to do is to commit it."""
    text = table.render()
    committed = table.FILE.read_text() if table.FILE.exists() else None
    if committed != text:
        table.FILE.write_text(text)
    assert committed == text, "CONFORMANCE.md was out of date and has been written anew: commit it"
