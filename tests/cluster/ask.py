#!/usr/bin/env python3
"""Asks one address without a pause until its standard input ends, and tells what became of each request.

The first line of standard input is a JSON object: address [host, port], path, authorization, body, expected (a member of the answer
that must be true), http1 and http2 (connections), fresh (callers who make a connection for each request), streams (of each HTTP/2
connection at a time). The result is a JSON object on standard output. Whatever brings no good answer is a failure, also a connection
that cannot be made; but for what HTTP lets every client send anew, because the server says that it has not touched it: a stream
above the last one of a GOAWAY frame ("untouched").
"""

import json
import pathlib
import select
import socket
import sys
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "integration"))  # its harness

from harness.http1 import ConnectionEnded, Http1Connection
from harness.http2 import Http2Connection

TIMEOUT_S = 10
PAUSE_S = 0.004
MAX_TOLD = 20

FORM = "application/x-www-form-urlencoded"


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {"answered": 0, "failed": 0, "untouched": 0, "connections": 0, "told_to_leave": 0, "closed_idle": 0}
        self.failures = []
        self.started_s = time.monotonic()

    def add(self, what, count=1):
        with self.lock:
            self.counts[what] += count

    def fail(self, caller, why):
        with self.lock:
            self.counts["failed"] += 1
            if len(self.failures) < MAX_TOLD:
                self.failures.append(f"{time.monotonic() - self.started_s:.3f} s, {caller}: {why}")


class Caller:
    """One connection after the other; a round is what is asked on one of them at a time."""

    def __init__(self, settings, tally, is_over, name):
        self.settings = settings
        self.tally = tally
        self.is_over = is_over
        self.name = name
        self.connection = None
        self.headers = [("Authorization", settings["authorization"]), ("Content-Type", FORM)]
        self.body = settings["body"].encode()

    def run(self):
        while not self.is_over.is_set():
            try:
                if self.connection is None:
                    self.connection = self.connect(self.open_socket())
                    self.tally.add("connections")
                self.round()
            except Exception as failure:
                self.tally.fail(self.name, repr(failure))
                self.leave()
            time.sleep(PAUSE_S)
        self.leave()

    def open_socket(self):
        sock = socket.create_connection(tuple(self.settings["address"]), timeout=TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def leave(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def has_news(self):
        """The server said something, or closed, while nothing was asked."""
        return bool(select.select([self.connection.sock], [], [], 0)[0])

    def judge(self, response):
        answer = json.loads(response.body)
        if response.status == 200 and answer.get(self.settings["expected"]) is True:
            self.tally.add("answered")
        else:
            self.tally.fail(self.name, f"{response.status} {response.body[:200]!r}")


class Http1Caller(Caller):
    connect = staticmethod(Http1Connection)
    stays = True

    def round(self):
        if self.has_news():
            self.tally.add("closed_idle")
            self.leave()
            return
        response = self.connection.request("POST", self.settings["path"], self.headers, self.body)
        self.judge(response)
        if response.get("connection") == "close":
            self.tally.add("told_to_leave")
            self.leave()
        elif not self.stays:
            self.leave()


class FreshCaller(Http1Caller):
    stays = False


class Http2Caller(Caller):
    @staticmethod
    def connect(sock):
        return Http2Connection(sock, "http")

    def round(self):
        connection = self.connection
        if self.has_news() and self.read_news():
            return
        ids = [connection.start("POST", self.settings["path"], self.headers, self.body) for _ in range(self.settings["streams"])]
        for count, stream_id in enumerate(ids):
            try:
                self.judge(connection.response(stream_id))
            except Exception as failure:
                self.give_up(ids[count:], failure)
                return
            del connection.streams[stream_id]
        if connection.goaway_code is not None:
            self.tally.add("told_to_leave")
            self.leave()

    def read_news(self):
        """Takes in what came; true when the connection is over."""
        try:
            self.connection._wait(lambda: self.connection.goaway_code is not None or not self.has_news())
        except (OSError, ConnectionEnded):
            self.tally.add("closed_idle")
            self.leave()
            return True
        if self.connection.goaway_code is None:
            return False
        self.tally.add("told_to_leave")
        self.leave()
        return True

    def give_up(self, ids, failure):
        last = self.connection.last_stream_id
        for stream_id in ids:
            if last is not None and stream_id > last:
                self.tally.add("untouched")
            else:
                self.tally.fail(self.name, repr(failure))
        self.leave()


def main():
    settings = json.loads(sys.stdin.readline())
    tally, is_over = Tally(), threading.Event()
    callers = []
    for kind, name in ((Http1Caller, "http1"), (Http2Caller, "http2"), (FreshCaller, "fresh")):
        callers += [kind(settings, tally, is_over, name) for _ in range(settings[name])]
    threads = [threading.Thread(target=caller.run) for caller in callers]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    is_over.set()
    for thread in threads:
        thread.join()
    json.dump({**tally.counts, "seconds": time.monotonic() - tally.started_s, "failures": tally.failures}, sys.stdout)


if __name__ == "__main__":
    main()
