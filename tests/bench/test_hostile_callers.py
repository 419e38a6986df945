"""The bytes that attackers send are what they are said to be, and a missed target is called missed."""

import itertools
import math
import pathlib
import socket
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "bench"), str(ROOT / "tests")]

import hostile_callers  # noqa: E402
from harness import frames  # noqa: E402
from hostile import catalogue, engine, templates  # noqa: E402
from hostile.http2_held import EndedStreams  # noqa: E402
from hostile.target import Target  # noqa: E402

KNOWN = Target(1, 2, authorization="Basic eDp5", token="aaaa.bbbb." + "c" * 86)


def frames_of(data):
    """(kind, flags, stream, payload) of each."""
    found, start = [], 0
    while start < len(data):
        end = start + 9 + int.from_bytes(data[start : start + 3], "big")
        assert end <= len(data)
        found.append((data[start + 3], data[start + 4], int.from_bytes(data[start + 5 : start + 9], "big"), data[start + 9 : end]))
        start = end
    return found


def test_streams_of_a_template_rise_and_its_marks_differ():
    record = frames.frame(frames.HEADERS, frames.END_HEADERS, templates.STREAM, b"h") + frames.frame(
        frames.DATA, frames.END_STREAM, templates.STREAM, b"token=" + templates.MARK
    )
    data = b"".join(itertools.islice(templates.Template(record).units(), 5))
    found = frames_of(data)
    ids = [stream for kind, _, stream, _ in found if kind == frames.HEADERS]
    assert ids == [stream for kind, _, stream, _ in found if kind == frames.DATA]
    assert ids == sorted(set(ids)) and all(stream % 2 for stream in ids) and ids[0] == 2 * templates.UNIT + 1
    payloads = [payload for kind, _, _, payload in found if kind == frames.DATA]
    assert len(set(payloads)) == len(ids) == 5 * templates.UNIT


def test_requests_of_a_template_are_those_of_its_units():
    template = templates.Template(b"<" + templates.MARK + b">")
    requests = list(itertools.islice(template.requests(), templates.UNIT))
    assert all(len(request) == template.size and request[:1] + request[-1:] == b"<>" for request in requests)
    assert len(set(requests)) == templates.UNIT


def test_ended_streams_are_counted_over_any_cuts():
    data = b"".join(
        [
            frames.settings(),
            frames.frame(frames.HEADERS, frames.END_HEADERS, 1, b"x"),
            frames.frame(frames.DATA, frames.END_STREAM, 1, b"yy"),
            frames.frame(frames.HEADERS, frames.END_STREAM | frames.END_HEADERS, 3, b"x"),
            frames.reset(5),
        ]
    )
    for size in (1, 7, len(data)):
        ended = EndedStreams()
        assert sum(ended.count(data[start : start + size]) for start in range(0, len(data), size)) == 3


class Nobody:
    """What a script looks at of its connection; nothing is sent."""

    sock = socket.socket()

    def take_answers(self):
        return b""


@pytest.mark.parametrize("name", list(catalogue.ATTACKS))
def test_every_script_has_steps_of_the_kinds_that_there_are(name):
    steps = list(itertools.islice(catalogue.ATTACKS[name].plan.script(KNOWN, Nobody()), 2))
    assert all(isinstance(step, (bytes, int, float)) or step in (engine.ANSWERS, engine.CLOSE) for step in steps)
    sent = b"".join(step for step in steps if isinstance(step, bytes))
    if sent.startswith(frames.PREFACE) and "preface" not in name and "drip" not in name:
        frames_of(sent[len(frames.PREFACE) :])


def row(**changes):
    good = {"kept_percent": 40.0, "p99_ratio": 19.9, "rss_ratio": 2.9, "after_cpu_percent": 65, "after_percent": 30}
    return {**good, "failed_requests": 0, "is_alive": True, **changes}


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, []),
        ({"kept_percent": 39.9}, ["rate"]),
        ({"p99_ratio": 20.0}, ["p99"]),
        ({"p99_ratio": math.inf}, ["p99"]),
        ({"rss_ratio": 3.0}, ["RSS"]),
        ({"after_cpu_percent": 64}, ["after"]),
        ({"after_percent": 29}, ["after"]),
        ({"failed_requests": 1}, ["failed"]),
        ({"is_alive": False}, ["ENDED"]),
    ],
)
def test_missed_targets(changes, missed):
    assert hostile_callers.misses_of(row(**changes)) == missed
