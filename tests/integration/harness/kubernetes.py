"""A volume of a ConfigMap or a Secret, laid out and exchanged as kubelet does it."""

import itertools
import os
import shutil

_versions = itertools.count(1)


class Volume:
    """`..data` links to a directory with the files; what the container sees are links into `..data`."""

    def __init__(self, path, files):
        self.path = path
        path.mkdir(parents=True)
        self.update(files)

    def update(self, files):
        """Exchanges all files at once: a new directory, `..data` moved over the old one, the old directory removed."""
        before = self._data()
        fresh = self.path / f"..2026_11_22_07_02_{next(_versions):09}"
        fresh.mkdir()
        for name, content in files.items():
            (fresh / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        (self.path / "..data_tmp").symlink_to(fresh.name)
        os.rename(self.path / "..data_tmp", self.path / "..data")
        for name in files:
            if not (self.path / name).is_symlink():
                (self.path / name).symlink_to(f"..data/{name}")
        for entry in list(self.path.iterdir()):
            if not entry.name.startswith("..") and entry.name not in files:
                entry.unlink()
        if before is not None:
            shutil.rmtree(before)

    def _data(self):
        link = self.path / "..data"
        return self.path / os.readlink(link) if link.is_symlink() else None
