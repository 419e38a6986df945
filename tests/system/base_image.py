"""
debian:bookworm-slim, made by debootstrap from the archive that this machine's apt uses: the image that docker/Dockerfile starts
from, where no registry can be reached.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

SUITE = "bookworm"
SUITES = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
NAME = f"debian:{SUITE}-slim"

# As the published image: documentation is left out, but for what licenses demand.
LEFT_OUT = ("usr/share/man", "usr/share/locale", "usr/share/info", "var/cache/apt", "var/lib/apt/lists")
DPKG_RULES = "".join(f"path-exclude /usr/share/{name}/*\n" for name in ("man", "locale", "info", "doc"))
DPKG_RULES += "path-include /usr/share/doc/*/copyright\n"


def sources():
    """The lines of sources.list for Debian's own suites, as this machine's apt is set up, whatever form its files have."""
    form = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    command = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found = [line for line in dict.fromkeys(lines) if line.split()[2] in SUITES and line.split()[3] == "main"]
    return sorted(found, key=lambda line: SUITES.index(line.split()[2]))


def has_sources():
    return any(line.split()[2] == SUITE for line in sources())


def proxies():
    """apt's proxies on this machine, as lines of apt.conf."""
    lines = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if line.startswith("Acquire::http") and "Proxy" in line.split()[0]]


def slim(root):
    for name in LEFT_OUT:
        shutil.rmtree(root / name, ignore_errors=True)
    for path in (root / "usr/share/doc").glob("*/*"):
        if path.name != "copyright":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    # What apt and dpkg expect to find.
    (root / "var/lib/apt/lists/partial").mkdir(parents=True)
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(DPKG_RULES)


def debootstrap(root):
    lines = sources()
    mirror = next(line.split()[1] for line in lines if line.split()[2] == SUITE)
    # In a mount namespace of its own, so that what it mounts goes with it, whatever happens.
    command = ["unshare", "--mount", "debootstrap", "--variant=minbase", SUITE, str(root), mirror]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    slim(root)
    (root / "etc/apt/sources.list").write_text("\n".join(lines) + "\n")
    (root / "etc/apt/apt.conf.d/90machine").write_text("\n".join([*proxies(), 'Acquire::Languages "none";', ""]))


def archive(folder):
    """The image's file system as a tar file in folder, made when it is not there."""
    made = folder / f"debian-{SUITE}-slim.tar"
    if made.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="introspectd-system-") as directory:
        root = pathlib.Path(directory) / "root"
        debootstrap(root)
        half = made.with_suffix(f".{os.getpid()}")
        try:
            subprocess.run(["tar", "-C", str(root), "-cf", str(half), "."], check=True)
            half.rename(made)
        finally:
            half.unlink(missing_ok=True)
    return made
