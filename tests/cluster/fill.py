#!/usr/bin/env python3
"""Asks one address about each of many tokens once, over HTTP/2.

Standard input is a JSON object: address [host, port], path, authorization and bodies. The result, a JSON object on standard output,
has how many answers were good and the first others.
"""

import json
import pathlib
import socket
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "integration"))  # its harness

from harness.http2 import Http2Connection

STREAMS = 32
TIMEOUT_S = 30
MAX_TOLD = 5


def main():
    settings = json.load(sys.stdin)
    headers = [("Authorization", settings["authorization"]), ("Content-Type", "application/x-www-form-urlencoded")]
    good, others = 0, []
    connection = Http2Connection(socket.create_connection(tuple(settings["address"]), timeout=TIMEOUT_S), "http")
    bodies = settings["bodies"]
    for first in range(0, len(bodies), STREAMS):
        ids = [connection.start("POST", settings["path"], headers, body.encode()) for body in bodies[first : first + STREAMS]]
        for stream_id in ids:
            response = connection.response(stream_id)
            if response.status == 200 and json.loads(response.body)["active"]:
                good += 1
            elif len(others) < MAX_TOLD:
                others.append(f"{response.status} {response.body[:200]!r}")
            del connection.streams[stream_id]
    json.dump({"good": good, "others": others}, sys.stdout)


if __name__ == "__main__":
    main()
