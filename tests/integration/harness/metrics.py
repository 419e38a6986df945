"""The metrics of a server, read as Prometheus reads them."""

import re

SAMPLE = re.compile(r'^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z][a-z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')
ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


def _labels(text):
    pairs = LABEL.findall(text)
    assert "".join(f'{name}="{value}",' for name, value in pairs).rstrip(",") == text, text
    return tuple(sorted((name, re.sub(r"\\.", lambda match: ESCAPES[match.group()], value)) for name, value in pairs))


class Metrics:
    """What the admin endpoint told at one moment."""

    def __init__(self, admin):
        response = admin.request("GET", "/metrics")
        assert response.status == 200, response
        assert response.get("content-type") == "text/plain; version=0.0.4; charset=utf-8"
        self.text = response.body.decode("utf-8")
        self.families, self.samples = {}, {}
        assert self.text.endswith("\n")
        for line in self.text.splitlines():
            self._read(line)

    def _read(self, line):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in self.families, f"{name} is there twice"
            self.families[name] = kind
        elif not line.startswith("# HELP "):
            match = SAMPLE.match(line)
            assert match, line
            key = (match.group(1), _labels(match.group(2) or ""))
            assert key not in self.samples, f"{line} is there twice"
            self.samples[key] = float(match.group(3))

    def value(self, name, **labels):
        return self.samples[(name, tuple(sorted(labels.items())))]

    def series(self):
        return set(self.samples)

    def family_of(self, name):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        return base if self.families.get(base) == "histogram" else name


class Changes:
    """How the metrics change from the moment that this was made."""

    def __init__(self, admin):
        self.admin = admin
        self.before = Metrics(admin)

    def of(self, *names):
        """The samples of these names that have grown: {(name, label value, ...): by how much}."""
        now = Metrics(self.admin).samples
        grown = {}
        for (name, labels), value in now.items():
            more = value - self.before.samples.get((name, labels), 0)
            if name in names and more != 0:
                grown[(name, *(text for _, text in labels))] = more
        return grown
