import json
import pathlib
import re
import shutil
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from harness.server import run  # noqa: E402

NOTE = re.compile(r'^\S+: key (?P<index>\d+)(?: \(kid "(?P<kid>[^"]*)"\))?: (?P<kind>skipped|warning): (?P<text>.+)$', re.MULTILINE)


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning")


@pytest.fixture
def directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="introspectd-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def vectors():
    path = ROOT.parent / "shared" / "vectors"
    if not path.is_dir():
        pytest.skip("no ../shared/vectors here")
    return path


class Verdicts:
    def __init__(self, done):
        self.status = done.returncode
        self.lines = done.stdout.splitlines()
        self.stderr = done.stderr
        self.notes = [match.groupdict() for match in NOTE.finditer(done.stderr)]

    def notes_of(self, kid):
        return [f"{note['kind']}: {note['text']}" for note in self.notes if note["kid"] == kid]


@pytest.fixture
def verify(directory):
    def verify(jwks, lines, algorithms=None):
        """What `introspectd verify` says of tokens (text or bytes), by a JWK Set given as text, a key or a list of keys."""
        if not isinstance(jwks, (str, bytes)):
            jwks = json.dumps({"keys": jwks} if isinstance(jwks, list) else jwks)
        jwks_file = directory / "jwks.json"
        jwks_file.write_bytes(jwks if isinstance(jwks, bytes) else jwks.encode())
        more = [] if algorithms is None else ["--algorithms", algorithms]
        data = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
        verdicts = Verdicts(run("verify", "--jwks", jwks_file, *more, stdin=data, timeout=300))
        assert len(verdicts.lines) == len(lines), verdicts.stderr
        assert verdicts.status == (0 if all(line == "ok" for line in verdicts.lines) else 1)
        return verdicts

    return verify


@pytest.fixture
def judge(verify):
    def judge(jwks, cases, algorithms=None):
        """Each case (name, token, what is said of it, or several things of which one must be) is as it should be."""
        verdicts = verify(jwks, [token for _, token, _ in cases], algorithms)
        wrong = [
            (name, line, expected)
            for (name, _, expected), line in zip(cases, verdicts.lines)
            if line not in (expected if isinstance(expected, tuple) else (expected,))
        ]
        assert not wrong, wrong[:10]
        return verdicts

    return judge
