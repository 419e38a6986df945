"""The npm libraries: one node process for a list of jobs."""

import json
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
