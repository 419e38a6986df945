"""Images for containerd without a registry: archives as `docker save` writes them, made of a directory."""

import hashlib
import io
import json
import pathlib
import subprocess
import tarfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# The process that holds a pod's network, and takes in orphans.
PAUSE = """
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void take_in(int number) { (void)number; while (waitpid(-1, 0, WNOHANG) > 0) {} }
static void end(int number) { (void)number; _exit(0); }
int main(void)
{
    signal(SIGCHLD, take_in);
    signal(SIGTERM, end);
    signal(SIGINT, end);
    for (;;)
        pause();
}
"""


def make_pause(directory):
    """The archive of an image with that process alone."""
    root = directory / "pause"
    root.mkdir()
    command = ["gcc", "-Os", "-static", "-s", "-x", "c", "-o", root / "pause", "-"]
    subprocess.run(command, input=PAUSE.encode(), check=True)
    return make_archive(root, directory / "pause.tar", "introspectd.test/pause:1", {"Entrypoint": ["/pause"], "User": "65535"})


def make_introspectd(directory, binary, name):
    """What docker/Dockerfile's last stage holds, by the same script that fills it."""
    root = directory / "image"
    subprocess.run([REPOSITORY / "docker/assemble", binary, root], check=True)
    config = {"Entrypoint": ["/usr/bin/introspectd"], "User": "65532:65532"}
    return make_archive(root, directory / "introspectd.tar", name, config)


def make_archive(root, archive, name, config):
    def as_root(member):
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return member

    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for path in sorted(root.iterdir()):
            tar.add(path, arcname=path.name, filter=as_root)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    image = {
        "architecture": machine_architecture(),
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created_by": "tests/cluster"}],
    }
    image_text = json.dumps(image).encode()
    image_name = hashlib.sha256(image_text).hexdigest() + ".json"
    manifest = [{"Config": image_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as tar:
        for member, content in (
            (image_name, image_text),
            ("layer.tar", layer.getvalue()),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return archive


def machine_architecture():
    """As Go and image formats call it."""
    return subprocess.run(["go", "env", "GOARCH"], check=True, capture_output=True, text=True).stdout.strip()
