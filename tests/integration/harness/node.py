"""The npm libraries: one node process for a list of jobs."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[1]


def require_package(name):
    """Skips by name when the package is not installed here."""
    if not (FOLDER / "node_modules" / name / "package.json").is_file():
        pytest.skip(f"npm {name} is not installed: npm ci --prefix tests/integration")


def run_jobs(script, jobs):
    """Gives each job's result: {"ok": ...} or {"failed": {...}}."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        pytest.skip("no node here")
    done = subprocess.run([node, str(FOLDER / script)], input=json.dumps(jobs), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert len(results) == len(jobs)
    return results


class Process:
    """A node process that answers commands, a line each."""

    def __init__(self, script, **environment):
        node = shutil.which("node") or shutil.which("nodejs")
        if node is None:
            pytest.skip("no node here")
        self.script = script
        self.process = subprocess.Popen(
            [node, str(FOLDER / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def ask(self, command, **parameters):
        self.process.stdin.write(json.dumps({"command": command, **parameters}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"{self.script} ended"
        answer = json.loads(line)
        assert "failed" not in answer, answer["failed"]
        return answer["ok"]
