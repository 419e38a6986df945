"""Runs one attack: `python3 -m hostile --help`. Prints a line of JSON about it at the end."""

import argparse
import dataclasses
import json
import os
import resource
import signal
import sys

from hostile.catalogue import ATTACKS
from hostile.engine import Crowd
from hostile.target import Target


def parse():
    parser = argparse.ArgumentParser(prog="hostile", description="Runs one attack against a server on 127.0.0.1, for a bounded time.")
    parser.add_argument("attack", choices=sorted(ATTACKS), metavar="ATTACK", help="one of: " + " ".join(ATTACKS))
    parser.add_argument("--target", required=True, help="a file with the members of a Target, in JSON")
    parser.add_argument("--source", default="127.0.0.2", help="the attacker's own address")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--connections", type=int, help="how many at a time, where the attack's own number is not wanted")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--until-ended", action="store_true", help="no longer than until the server has ended as many connections")
    parser.add_argument("--waits", action="store_true", help="says `ready`, and begins when a line comes in")
    return parser.parse_args()


def main():
    options = parse()
    os.nice(options.nice)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with open(options.target, encoding="utf-8") as file:
        target = Target(**{**json.load(file), "source": options.source})
    plan = ATTACKS[options.attack].plan
    if options.connections is not None:
        plan = dataclasses.replace(plan, connections=options.connections)
    if options.waits:
        print("ready", flush=True)
        sys.stdin.readline()
    outcome = Crowd(plan, target).run(options.seconds, options.until_ended)
    json.dump({"attack": options.attack, **dataclasses.asdict(outcome)}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
