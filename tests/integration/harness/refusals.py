"""How often each limit was reached, as the metrics tell."""

import re

from harness.server import wait_until


class Refusals:
    def __init__(self, started):
        self.admin = started.admin
        self.before = self.now()

    def now(self):
        text = self.admin.request("GET", "/metrics").body.decode()
        return {name: int(value) for name, value in re.findall(r'^introspectd_refusals_total\{limit="(\w+)"\} (\d+)$', text, re.M)}

    def more(self, limit):
        """How many there are since this was made."""
        return self.now()[limit] - self.before[limit]

    def wait_for(self, limit, count=1):
        wait_until(lambda: self.more(limit) >= count)
        others = {name: value - self.before[name] for name, value in self.now().items() if name != limit}
        assert not any(others.values()), others
