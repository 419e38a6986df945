"""What the image consists of: nothing but the binary, what it needs, and what tells where that came from."""

import hashlib
import json
import re
import tarfile

import pytest

from harness.server import REPOSITORY, UNSANITIZED_BINARY
from image import LABELS, NAME, USER_ID, project_version, told

MAX_BYTES = 30_000_000
SBOM = "usr/share/introspectd/sbom.spdx.json"
BINARY = "usr/bin/introspectd"
OWN = {
    BINARY, SBOM, "etc/passwd", "etc/group", "etc/nsswitch.conf", "usr/share/doc/introspectd/copyright",
}  # fmt: skip
EXECUTABLE_FOLDERS = ("usr/bin/", "bin/", "sbin/", "usr/sbin/", "usr/local/", "usr/libexec/")


class Contents:
    """The image's files, from `docker save`."""

    def __init__(self, archive_file):
        self.files, self.links, self.members = {}, {}, []
        with tarfile.open(archive_file) as archive:
            manifest = json.load(archive.extractfile("manifest.json"))[0]
            self.config = json.load(archive.extractfile(manifest["Config"]))
            self.layers = manifest["Layers"]
            for layer in self.layers:
                self._read(tarfile.open(fileobj=archive.extractfile(layer)))

    def _read(self, layer):
        for member in layer:
            self.members.append(member)
            if member.isfile():
                self.files[member.name] = layer.extractfile(member).read()
            elif member.issym():
                self.links[member.name] = member.linkname
            else:
                assert member.isdir(), member.name

    def resolve(self, path):
        """The path of the file that a path, through links, leads to."""
        parts, done = path.strip("/").split("/"), []
        while parts:
            done.append(parts.pop(0))
            target = self.links.get("/".join(done))
            if target is not None:
                parts = target.strip("/").split("/") + parts
                done = [] if target.startswith("/") else done[:-1]
        return "/".join(done)


@pytest.fixture(scope="module")
def contents(docker, image, tmp_path_factory):
    archive_file = tmp_path_factory.mktemp("image") / "image.tar"
    docker.run("save", "--output", archive_file, image)
    yield Contents(archive_file)
    archive_file.unlink()


@pytest.fixture(scope="module")
def sbom(contents):
    return json.loads(contents.files[SBOM])


def test_size(docker, image, contents):
    size = int(docker.inspect(image, "{{.Size}}"))
    told(f"{size / 1e6:.1f} MB in {len(contents.files)} files and {len(contents.layers)} layer")
    assert 5_000_000 < sum(map(len, contents.files.values())) <= size < MAX_BYTES


def test_runs_nothing_else(contents):
    """No shell, no other program, nothing that gives rights, nothing that its user can write to."""
    assert [name for name in contents.files if name.startswith(EXECUTABLE_FOLDERS)] == [BINARY]
    executable = [member.name for member in contents.members if member.isfile() and member.mode & 0o111]
    libraries = re.compile(r"usr/lib/[a-z0-9_-]+-linux-gnu/(lib[a-z0-9_.+-]+\.so\.[0-9a-z.]+|ld-linux[a-z0-9_-]*\.so\.\d)")
    assert [name for name in executable if name != BINARY and not libraries.fullmatch(name)] == []
    assert [member.name for member in contents.members if (member.uid, member.gid) != (0, 0)] == []
    assert [member.name for member in contents.members if not member.issym() and member.mode & 0o7022] == []


def test_binary_is_stripped(contents):
    assert b".debug_info" in UNSANITIZED_BINARY.read_bytes() and b".debug_info" not in contents.files[BINARY]


def test_links_lead_to_files(contents):
    folders = {member.name for member in contents.members if member.isdir()}
    assert len(contents.links) > 20
    for link in contents.links:
        assert contents.resolve(link) in contents.files.keys() | folders, link


def test_config(contents):
    config = contents.config["config"]
    assert config["User"] == f"{USER_ID}:{USER_ID}"
    assert config["Entrypoint"] == ["/usr/bin/introspectd"] and config["StopSignal"] == "SIGTERM"
    assert config["Cmd"] == ["serve", "--config", "/etc/introspectd/introspectd.yaml"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/usr/bin/introspectd", "health", *config["Cmd"][1:]]
    assert config["Labels"] == {f"org.opencontainers.image.{name}": value for name, value in LABELS.items()}


def test_version_that_is_not_told_is_the_projects():
    dockerfile = (REPOSITORY / "docker/Dockerfile").read_text()
    assert set(re.findall(r"^ARG VERSION=(.+)$", dockerfile, re.MULTILINE)) == {project_version()}


def test_commands_run(docker, image):
    """Without network, files of its own or any right: all libraries are there."""
    assert docker.run("run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", image, "--version").startswith(NAME)
    key = json.loads(docker.run("run", "--rm", "--network", "none", "--read-only", image, "keygen", "--algorithm", "ES256"))
    assert key["kty"] == "EC" and key["d"]


def test_sbom_tells_every_file(contents, sbom):
    told_files = {entry["fileName"].removeprefix("./"): entry for entry in sbom["files"]}
    assert told_files.keys() == contents.files.keys() - {SBOM}
    for name, entry in told_files.items():
        checksums = {checksum["algorithm"]: checksum["checksumValue"] for checksum in entry["checksums"]}
        content = contents.files[name]
        assert checksums == {"SHA1": hashlib.sha1(content).hexdigest(), "SHA256": hashlib.sha256(content).hexdigest()}, name


def files_by_package(sbom):
    names = {entry["SPDXID"]: entry["fileName"].removeprefix("./") for entry in sbom["files"]}
    packages = {entry["SPDXID"]: entry["name"] for entry in sbom["packages"]}
    found = {name: set() for name in packages.values()}
    for relation in sbom["relationships"]:
        if relation["relationshipType"] == "CONTAINS":
            found[packages[relation["spdxElementId"]]].add(names[relation["relatedSpdxElement"]])
    return found


def test_sbom_tells_whose_each_file_is(contents, sbom):
    owned = files_by_package(sbom)
    assert owned["introspectd"] == OWN - {SBOM}
    assert sum(map(len, owned.values())) == len(contents.files) - 1 and all(owned.values())
    libraries = {"libc6": "libc.so.6", "libssl3": "libcrypto.so.3", "libcurl4": "libcurl.so.4", "libh2o-evloop0.13": "libh2o-evloop.so"}
    for package, library in libraries.items():
        assert any(library in name for name in owned[package]), package
    assert "etc/ssl/certs/ca-certificates.crt" in owned["ca-certificates"]
    for package in owned:
        assert f"usr/share/doc/{package}/copyright" in owned[package], package


def test_sbom_packages(docker, sbom):
    """As the archive calls them: by the build stage's own package manager."""
    for entry in sbom["packages"]:
        if entry["name"] == "introspectd":
            assert (entry["versionInfo"], entry["licenseDeclared"]) == (LABELS["version"], "MIT")
            continue
        (reference,) = entry["externalRefs"]
        form = r"pkg:deb/debian/([a-z0-9.+-]+)@([A-Za-z0-9.~%-]+)\?arch=(amd64|arm64|all)&distro=bookworm"
        name, version, _ = re.fullmatch(form, reference["referenceLocator"]).groups()
        assert reference["referenceCategory"] == "PACKAGE-MANAGER" and reference["referenceType"] == "purl"
        assert name == entry["name"] and version.replace("%2B", "+").replace("%3A", ":") == entry["versionInfo"]
    declared = {entry["name"]: entry["licenseDeclared"] for entry in sbom["packages"]}
    assert declared["libjansson4"] == "MIT" and declared["zlib1g"] == "Zlib"


def test_sbom_has_the_form_of_spdx(sbom):
    """SPDX 2.3: what must be there, identifiers that are unique and refer to something, and each package's verification code."""
    assert (sbom["spdxVersion"], sbom["dataLicense"], sbom["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert sbom["name"] and re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", sbom["documentNamespace"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", sbom["creationInfo"]["created"])
    assert all(re.match(r"(Person|Organization|Tool): ", creator) for creator in sbom["creationInfo"]["creators"])
    elements = [sbom, *sbom["packages"], *sbom["files"]]
    identifiers = [element["SPDXID"] for element in elements]
    assert len(identifiers) == len(set(identifiers))
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", identifier) for identifier in identifiers)
    for relation in sbom["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= set(identifiers), relation
        assert relation["relationshipType"] in ("DESCRIBES", "DEPENDS_ON", "CONTAINS"), relation
    described = [relation for relation in sbom["relationships"] if relation["relationshipType"] == "DESCRIBES"]
    assert [relation["relatedSpdxElement"] for relation in described] == ["SPDXRef-Package-introspectd"]


def test_sbom_verification_codes(sbom):
    checksums = {entry["fileName"].removeprefix("./"): entry["checksums"][0]["checksumValue"] for entry in sbom["files"]}
    owned = files_by_package(sbom)
    for entry in sbom["packages"]:
        text = "".join(sorted(checksums[name] for name in owned[entry["name"]]))
        code = entry["packageVerificationCode"]["packageVerificationCodeValue"]
        assert code == hashlib.sha1(text.encode()).hexdigest(), entry["name"]
