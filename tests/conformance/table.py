#!/usr/bin/env python3
"""Makes CONFORMANCE.md of requirements.py: table.py prints it, table.py --write writes it, table.py --check compares."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from requirements import SECTIONS  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = ROOT / "CONFORMANCE.md"

HEAD = """# Conformance

What binds introspectd, and the tests that show that it holds. All of them are run by `./dev test`, which also makes this file
(`tests/conformance/table.py --write`, from `tests/conformance/requirements.py`), and fails when a test that is named here is not
there or when this file is not what it makes.

F is Front's document "Token introspection for channel identification"; a number with a section is an RFC. The examples of RFC 7515,
7520, 7797 and 8037, the keys of libjwt's tests and JSONTestSuite's texts are skipped, by name, where `../shared/vectors` is not there.
"""


def test_cell(tests):
    """The functions, grouped by their files."""
    files = {}
    for test in tests:
        file, name = test.split("::")
        files.setdefault(file, []).append(f"`{name}`")
    return "<br>".join(f"[{file.removeprefix('tests/')}]({file}): {', '.join(names)}" for file, names in files.items())


def render():
    parts = [HEAD]
    for title, rows in SECTIONS:
        parts.append(f"\n## {title}\n\n| | what is asked | source | shown by |\n|---|---|---|---|\n")
        parts += [f"| {number} | {asked} | {source} | {test_cell(tests)} |\n" for number, asked, source, tests in rows]
    return "".join(parts)


def main(arguments):
    text = render()
    if arguments == ["--write"]:
        FILE.write_text(text)
    elif arguments == ["--check"]:
        if not FILE.exists() or FILE.read_text() != text:
            print(f"{FILE.name} is not what tests/conformance/table.py makes: run it with --write")
            return 1
    elif arguments:
        print(__doc__, file=sys.stderr)
        return 64
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
