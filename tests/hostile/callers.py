"""Good callers, who ask all the time and note every answer that is not the one they are owed."""

import collections
import threading
import time

from harness.http1 import ConnectionEnded
from harness.http2 import StreamReset

PAUSE_S = 0.01
TROUBLES = (OSError, ConnectionEnded, StreamReset, AssertionError)


class Caller:
    """Asks on one connection at a time, about tokens that `next_token` gives, until it is told to stop."""

    def __init__(self, endpoint, client, next_token, pause_s=PAUSE_S):
        self.endpoint, self.client, self.next_token, self.pause_s = endpoint, client, next_token, pause_s
        self.statuses = collections.Counter()
        self.troubles = []  # connections that ended with a request on them, and answers that were wrong
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        connection = None
        while not self.is_over.is_set():
            try:
                connection = connection or self.endpoint.connect()
                response = self.endpoint.introspect(self.next_token(), self.client, connection=connection)
                self.statuses[response.status] += 1
                if response.status == 200:
                    assert b'"active":true' in response.body, response
            except TROUBLES as trouble:
                self.troubles.append(f"{self.endpoint}: {type(trouble).__name__} {trouble}")
                if connection is not None:
                    connection.close()
                connection = None
            time.sleep(self.pause_s)
        if connection is not None:
            connection.close()

    def start(self):
        self.thread.start()
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Lets the request under way finish."""
        self.is_over.set()
        self.thread.join()

    def answered(self):
        return self.statuses[200]

    def refused(self):
        """Answers that a documented limit is a reason for, by status."""
        return collections.Counter({status: count for status, count in self.statuses.items() if status in (429, 503)})

    def failed(self):
        return len(self.troubles) + sum(self.statuses.values()) - self.answered() - self.refused().total()


class Mixture:
    """Callers of one cached token, and of new ones, on every endpoint."""

    def __init__(self, endpoints, client, token, new_token, pause_s=PAUSE_S):
        self.callers = [Caller(endpoint, client, lambda: token, pause_s) for endpoint in endpoints]
        self.callers += [Caller(endpoint, client, new_token, pause_s) for endpoint in endpoints]

    def __enter__(self):
        for caller in self.callers:
            caller.start()
        return self

    def __exit__(self, *_):
        for caller in self.callers:
            caller.is_over.set()
        for caller in self.callers:
            caller.stop()

    def answered(self):
        return sum(caller.answered() for caller in self.callers)

    def refused(self):
        return sum((caller.refused() for caller in self.callers), collections.Counter())

    def failed(self):
        return sum(caller.failed() for caller in self.callers)

    def troubles(self):
        return [trouble for caller in self.callers for trouble in caller.troubles]

    def statuses(self):
        return sum((caller.statuses for caller in self.callers), collections.Counter())
