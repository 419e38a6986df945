#!/usr/bin/env python3
"""Checks what the compiler cannot: that includes point one way, that each third-party library has one owner, and the tree's own rules.

Usage: check_tree.py [ROOT]. One line per finding on standard output, exit status 1 if there is any.
"""

import re
import sys
from pathlib import Path

# A layer may include itself and what stands here.
MAY_INCLUDE = {
    "base": set(),
    "cache": {"base"},
    "jose": {"cache", "base"},
    "policy": {"jose", "cache", "base"},
    "http": {"policy", "jose", "cache", "base"},
    "keys": {"jose", "base"},
    "cli": {"http", "keys", "policy", "jose", "cache", "base"},
}

# Public headers whose module has no .c file.
HEADER_ONLY = {"slice.h": "base", "hex.h": "base", "byte_lanes.h": "base"}

TLS_FILES = [
    f"src/http/{module}.{kind}"
    for module in ("tls", "listener", "ticket_keys", "session_tickets", "client_authorities", "key_updates")
    for kind in "ch"
]

# A third-party header (regular expression) and the places that may include it. The first match decides.
OWNERS = [
    (r"h2o(\.h|/.*)", ["src/http/", "bench/"]),
    (r"curl/.*", ["src/keys/fetch.c"]),
    (r"jwt\.h", ["src/cli/mint.c", "tests/", "bench/"]),
    (r"seccomp\.h", ["src/cli/syscall_filter.c"]),
    (r"yaml\.h", ["src/policy/yaml_tree.c", "src/policy/yaml_tree.h"]),
    (r"openssl/crypto\.h", ["src/", "tests/", "bench/"]),
    (r"openssl/.*", ["src/jose/", "src/base/digest.c", "src/base/lookup_digest.c", *TLS_FILES, "tests/", "bench/"]),
    (r"cmocka\.h", ["tests/"]),
]

MAX_LINES = 550
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
SKIPPED_FOLDERS = {".git", "build", "node_modules", "__pycache__", ".pytest_cache"}

# Where a machine of ours is, or where it gets its packages from, is nobody else's business.
MACHINE_TRACES = re.compile(
    r"\bregistry\.[a-z0-9-]+\.[a-z]|\bnpmjs\.|\bpypi\.org\b|\bpkg\.dev\b|\bartifactory\b|\bproxy\.golang\.org\b"
    r"|(?<![\w.])/(?:work|root|home)/\w",
    re.IGNORECASE,
)

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def files_of(root):
    for path in sorted(root.rglob("*")):
        if path.is_file() and not SKIPPED_FOLDERS & set(path.relative_to(root).parts):
            yield path


def owners_of_public_headers(root):
    owners = dict(HEADER_ONLY)
    for source in root.glob("src/*/*.c"):
        owners.setdefault(source.stem + ".h", source.parent.name)
    return owners


def layer_of(relative, owners):
    """The layer that a file belongs to; None when it may include any (fuzzers, benchmarks, integration)."""
    parts = relative.parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ("tests", "unit") and len(parts) > 3:
        return parts[2]
    if parts[:2] == ("include", "introspectd"):
        return owners.get(parts[-1])
    return None


def may_stand_in(places, relative):
    text = relative.as_posix()
    return any(text.startswith(place) if place.endswith("/") else text == place for place in places)


def check_include(relative, quote, name, owners):
    """What is wrong with one include, or None."""
    layer = layer_of(relative, owners)
    if name.startswith("introspectd/"):
        owner = owners.get(name.removeprefix("introspectd/"))
        if owner is None:
            return f"{name} belongs to no layer: no src/*/ folder has its .c"
        if layer is not None and owner != layer and owner not in MAY_INCLUDE.get(layer, set()):
            return f"{layer} includes {name} of {owner}"
        return None
    if quote == '"' and relative.parts[0] in ("src", "include") and "/" in name:
        return f'"{name}": only introspectd/ headers and those of the same folder'
    for pattern, places in OWNERS:
        if re.fullmatch(pattern, name):
            if relative.parts[0] == "include":
                return f"the public header shows <{name}>"
            return None if may_stand_in(places, relative) else f"<{name}> belongs to {', '.join(places)}"
    return None


def check_includes(relative, lines, owners):
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            finding = check_include(relative, *match.groups(), owners)
            if finding:
                yield number, finding


def check_public_header(relative, lines):
    if len(lines) < 2 or lines[0] != "/*" or not lines[1].startswith(f" * {relative.stem}:"):
        yield 1, f'does not open with a comment "{relative.stem}: ..."'


def check_text(relative, lines):
    if relative.suffix in (".c", ".h") and len(lines) > MAX_LINES:
        yield MAX_LINES, f"{len(lines)} lines, over {MAX_LINES}"
    if relative.stem in VAGUE_NAMES:
        yield 1, "a name that says nothing"
    for number, line in enumerate(lines, 1):
        trace = MACHINE_TRACES.search(line)
        if trace:
            yield number, f"a machine's path or a package registry: {trace.group()}"


def check_file(root, path, owners):
    relative = path.relative_to(root)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return
    if relative.parts[:2] != ("tests", "lint"):
        yield from check_text(relative, lines)
    if relative.suffix in (".c", ".h"):
        yield from check_includes(relative, lines, owners)
    if relative.parts[:2] == ("include", "introspectd"):
        yield from check_public_header(relative, lines)


def check_tree(root):
    """Every finding in the tree as "path:line: what"."""
    owners = owners_of_public_headers(root)
    return [
        f"{path.relative_to(root)}:{number}: {finding}"
        for path in files_of(root)
        for number, finding in check_file(root, path, owners)
    ]


def main(arguments):
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]
    if not (root / "src").is_dir():
        print(f"{root} has no src/: nothing was checked")
        return 1
    findings = check_tree(root)
    print("\n".join(findings) if findings else "the tree keeps its rules")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
