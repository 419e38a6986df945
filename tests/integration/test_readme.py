"""What the README shows is what the binary takes."""

import re
from pathlib import Path

from harness.server import run, write_config

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_config_that_is_shown_is_good(world, tmp_path):
    (config,) = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    files = {
        "tls.crt": world.certificate,
        "tls.key": world.certificate_key,
        "jwks.json": world.files["main.json"],
        "front.secret": world.private.secret,
    }
    done = run("check", "--config", write_config(tmp_path, config, files))
    assert (done.returncode, done.stderr) == (0, ""), done


def test_every_reason_is_listed():
    names = re.findall(r'\[REASON_\w+\] = \{"([a-z_]+)"', (ROOT / "src/jose/reason.c").read_text())
    listed = re.search(r"^Reasons in the log.*?\n\n", README, re.MULTILINE | re.DOTALL)[0]
    assert len(names) > 15
    assert set(re.findall(r"`([a-z_]+)`", listed)) - {"explain"} == set(names) - {"none"}


def test_every_command_that_is_listed_is_one():
    commands = set(re.findall(r"^\| `introspectd (\w+)", README, re.MULTILINE))
    assert commands == set(re.findall(r"^  (\w+)  ", run("--help").stdout, re.MULTILINE))
