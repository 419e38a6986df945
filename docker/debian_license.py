"""What a Debian copyright file declares, as an SPDX license expression."""

import re

# Debian's short names (copyright-format 1.0, section 7.1) that mean the same as an identifier of SPDX's list.
IDENTIFIERS = {
    "apache-2.0": "Apache-2.0",
    "artistic": "Artistic-1.0-Perl",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "cc0-1.0": "CC0-1.0",
    "curl": "curl",
    "expat": "MIT",
    "fsfap": "FSFAP",
    "fsful": "FSFUL",
    "fsfullr": "FSFULLR",
    "gfdl-1.3": "GFDL-1.3-only",
    "gfdl-1.3+": "GFDL-1.3-or-later",
    "gpl-1": "GPL-1.0-only",
    "gpl-1+": "GPL-1.0-or-later",
    "gpl-2": "GPL-2.0-only",
    "gpl-2+": "GPL-2.0-or-later",
    "gpl-3": "GPL-3.0-only",
    "gpl-3+": "GPL-3.0-or-later",
    "isc": "ISC",
    "lgpl-2": "LGPL-2.0-only",
    "lgpl-2+": "LGPL-2.0-or-later",
    "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-2.1+": "LGPL-2.1-or-later",
    "lgpl-3": "LGPL-3.0-only",
    "lgpl-3+": "LGPL-3.0-or-later",
    "mit": "MIT",
    "mpl-2.0": "MPL-2.0",
    "openldap-2.8": "OLDAP-2.8",
    "zlib": "Zlib",
}

FORMAT = re.compile(r"\AFormat: https?://www\.debian\.org/doc/packaging-manuals/copyright-format/1\.0/?\s", re.IGNORECASE)
WORDS = re.compile(r",?\s+(and/or|and|or)\s+", re.IGNORECASE)


def expression_of(short):
    """One line `License:` as an expression; None when a name in it has no identifier."""
    words = WORDS.split(short.strip())
    names = [IDENTIFIERS.get(name.strip().lower()) for name in words[0::2]]
    if None in names:
        return None
    operators = ["AND" if word.lower() == "and" else "OR" for word in words[1::2]]
    text = names[0] + "".join(f" {operator} {name}" for operator, name in zip(operators, names[1:]))
    return f"({text})" if operators else text


def paragraphs(text):
    for paragraph in re.split(r"\n\s*\n", text):
        yield dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t]+\S.*)*)", paragraph, re.MULTILINE))


def declared_license(text):
    """All licenses of the sources, but of Debian's own files, joined by AND; NOASSERTION when the file does not tell them all."""
    if not FORMAT.match(text):
        return "NOASSERTION"
    found = set()
    for fields in paragraphs(text):
        patterns = fields.get("Files", "").split()
        if not patterns or all(pattern.startswith("debian/") for pattern in patterns):
            continue
        found.add(expression_of(fields.get("License", "").split("\n")[0]))
    if not found or None in found:
        return "NOASSERTION"
    return " AND ".join(sorted(found))
