"""Changes the files of a running server, and waits for what it makes of them."""

import os
import signal

import yaml

from harness.server import run, wait_until

RELOADED, REFUSED = "config_reloaded", "config_refused"


def replace_file(path, content):
    """A new file in the place of the old one, of the same owner, at once: half a file is never seen."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    temporary.chmod(0o600)
    if path.exists():
        os.chown(temporary, path.stat().st_uid, path.stat().st_gid)
    os.replace(temporary, path)


class Reloads:
    def __init__(self, server):
        self.server = server
        self.directory = server.directory

    # What is there

    def config(self):
        return yaml.safe_load(self.server.config_file.read_text())

    def client(self, config, client_id):
        return next(entry for entry in config["clients"] if entry["client_id"] == client_id)

    def check(self):
        """The line that `check` prints about the present files."""
        done = run("check", "--config", self.server.config_file)
        assert done.returncode == 78, done
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr.rstrip("\n")

    def outcomes(self):
        """Every end of a reload so far, in order."""
        return [event for event in self.server.log() if event["event"] in (RELOADED, REFUSED)]

    # What is done

    def put(self, name, content):
        replace_file(self.directory / name, content)

    def put_config(self, config):
        text = config if isinstance(config, (str, bytes)) else yaml.safe_dump(config, sort_keys=False)
        replace_file(self.server.config_file, text)

    def change_config(self, change):
        """Lets change(config) alter the present config in its place."""
        config = self.config()
        change(config)
        self.put_config(config)

    def hang_up(self):
        self.server.signal(signal.SIGHUP)

    # What comes of it

    def _outcome_of(self, act):
        count = len(self.outcomes())
        act()
        wait_until(lambda: len(self.outcomes()) > count)
        return self.outcomes()[count]

    def accepted(self, act, trigger="files"):
        """Does act, whose next outcome must be a reload, and gives its event."""
        event = self._outcome_of(act)
        assert (event["event"], event["trigger"]) == (RELOADED, trigger), event
        return event

    def refused(self, act, trigger="files"):
        """Does act, whose next outcome must be a refusal, and gives its error."""
        event = self._outcome_of(act)
        assert (event["event"], event["trigger"]) == (REFUSED, trigger), event
        assert event["level"] == "error" and "\n" not in event["error"], event
        return event["error"]

    def accept_file(self, name, content):
        return self.accepted(lambda: self.put(name, content))

    def accept_config(self, change):
        return self.accepted(lambda: self.change_config(change))

    def refuse_config(self, change):
        return self.refused(lambda: self.change_config(change))
