"""The hardened unit, as systemd reads it; no systemd runs for that. The protocols are tested in tests/integration."""

import re
import subprocess

import machine
import pytest

from harness.server import BINARY, REPOSITORY

UNITS = REPOSITORY / "docker/systemd"
MAX_EXPOSURE = 1.5  # of 10


@pytest.fixture
def units(directory):
    """The units, with the binary under test in the place of an installed one."""
    machine.need_programs("systemd-analyze")
    for name in ("introspectd.service", "introspectd.socket"):
        text = (UNITS / name).read_text()
        (directory / name).write_text(text.replace("/usr/bin/introspectd", str(BINARY)))
    return directory


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=60)


def test_units_hold_what_systemd_knows(units):
    done = analyze("verify", "--man=no", units / "introspectd.service", units / "introspectd.socket")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done


def test_a_misspelt_setting_would_be_found(units):
    service = units / "introspectd.service"
    service.write_text(service.read_text().replace("ProtectSystem=", "ProtectSistem="))
    assert "ProtectSistem" in analyze("verify", "--man=no", service).stderr


def test_exposure(units):
    done = analyze("security", "--offline=true", f"--threshold={int(MAX_EXPOSURE * 10)}", units / "introspectd.service")
    assert done.returncode == 0, done.stdout[-2000:]


def test_there_is_a_place_for_the_access_log():
    """All else is read-only to it; only root and the process itself may look in."""
    text = (UNITS / "introspectd.service").read_text()
    assert re.search("^ProtectSystem=strict$", text, re.MULTILINE)
    assert re.search("^LogsDirectory=introspectd$", text, re.MULTILINE)
    assert re.search("^LogsDirectoryMode=0750$", text, re.MULTILINE)


def calls_of(set_name):
    """The system calls of one of systemd's sets, and of the sets in it."""
    done = analyze("syscall-filter", set_name)
    assert done.returncode == 0, done
    lines = [line.strip() for line in done.stdout.splitlines()[1:]]
    members = [line for line in lines if line and not line.startswith("#")]
    return {call for member in members for call in (calls_of(member) if member.startswith("@") else {member})}


def test_every_system_call_that_is_needed_is_allowed(units):
    """Those that the process's own filter lets through, and those that are made before it is installed."""
    allowed = set()
    for setting in re.findall(r"^SystemCallFilter=(.*)$", (units / "introspectd.service").read_text(), re.MULTILINE):
        for name in setting.removeprefix("~").split():
            calls = calls_of(name) if name.startswith("@") else {name}
            allowed = allowed - calls if setting.startswith("~") else allowed | calls
    source = (REPOSITORY / "src/cli/syscall_filter.c").read_text()
    needed = set(re.findall(r"SCMP_SYS\((\w+)\)", source.split("DEADLY[]")[0] + source.split("ARGUMENTS[]")[1]))
    before = {"execve", "arch_prctl", "set_tid_address", "rt_sigprocmask", "signalfd4", "inotify_init1", "prlimit64", "seccomp"}
    assert len(needed) > 80
    assert needed | before <= allowed, sorted((needed | before) - allowed)
