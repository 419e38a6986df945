"""An attack in a process of its own, beside whatever load there is."""

import json
import os
import pathlib
import subprocess
import sys

from hostile.catalogue import ATTACKS

TESTS = pathlib.Path(__file__).resolve().parent.parent
GRACE_S = 20


def write_target(path, port, tls_port, authorization, token):
    """What an attacker knows; has secrets in it."""
    path.touch(mode=0o600)
    path.write_text(json.dumps({"port": port, "tls_port": tls_port, "authorization": authorization, "token": token}))
    return path


def write_targets(directory, port, tls_port, authorization, token):
    """By whether the attacker has good credentials."""
    return {
        True: write_target(directory / "target-known.json", port, tls_port, authorization, token),
        False: write_target(directory / "target-unknown.json", port, tls_port, "", ""),
    }


class Attacker:
    """Is ready once it is made, and attacks for so many seconds from `begin` on."""

    def __init__(self, name, targets, seconds, source="127.0.0.2", nice=10, prefix=(), connections=None, until_ended=False):
        command = [*prefix, sys.executable, "-B", "-m", "hostile", name, "--target", str(targets[ATTACKS[name].is_known])]
        command += ["--source", source, "--seconds", str(seconds), "--nice", str(nice), "--waits"]
        if connections is not None:
            command += ["--connections", str(connections)]
        if until_ended:
            command.append("--until-ended")
        self.name, self.seconds = name, seconds
        self.process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": str(TESTS)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{name}: {self.process.communicate()[1]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def begin(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self

    def is_over(self):
        return self.process.poll() is not None

    def outcome(self):
        """Waits for the end; gives what the attacker saw."""
        output, errors = self.process.communicate(timeout=self.seconds + GRACE_S)
        if self.process.returncode != 0:
            raise RuntimeError(f"{self.name}: {errors}")
        return json.loads(output)
