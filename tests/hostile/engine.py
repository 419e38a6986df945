"""
Runs an attack: so many connections at a time, each of which goes through a script of its own, on one poll loop.

A script is an iterator. What it gives is done before it is asked for more: bytes are sent, a number of seconds is waited for, ANSWERS
waits until something has come in, CLOSE ends the connection. Behind the end of its script a connection is held. Whatever connection
ends is opened anew at once.
"""

import dataclasses
import heapq
import itertools
import re
import select
import socket
import ssl
import struct
import time
import typing

from hostile.target import PLAIN

RECEIVE_SIZE = 1 << 18
OPENED_PER_TURN = 64
TURN_S = 0.05
REFUSED_PAUSE_S = 0.01
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

ANSWERS, CLOSE = object(), object()


@dataclasses.dataclass(frozen=True)
class Plan:
    script: typing.Callable  # of a Target and a Peer
    connections: int = 1
    transport: str = PLAIN
    alpn: str = "h2"
    is_deaf: bool = False  # never reads
    keeps_answers: bool = False  # for the script, which takes them from its Peer
    receive_buffer: int = None


@dataclasses.dataclass
class Outcome:
    seconds: float = 0
    opened: int = 0
    not_opened: int = 0  # refused, or ended before the attacker could speak
    closed_by_server: int = 0
    open_at_end: int = 0
    longest_open_s: float = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    http1_statuses: dict = dataclasses.field(default_factory=dict)


class Peer:
    """One connection of the attacker's."""

    def __init__(self, sock, plan, target, outcome):
        self.sock, self.plan, self.outcome = sock, plan, outcome
        self.opened_at = time.monotonic()
        self.pending = memoryview(b"")
        self.wake_at = None
        self.waits_for_answers = self.is_held = self.is_over = False
        self.answers = b""  # what came in since the script took them; of plans that keep them
        self.script = iter(plan.script(target, self))

    def wants(self):
        """What poll is to look for."""
        reading = select.EPOLLRDHUP if self.plan.is_deaf else select.EPOLLIN | select.EPOLLRDHUP
        is_sending = len(self.pending) > 0 or not (self.wake_at or self.waits_for_answers or self.is_held)
        return reading | (select.EPOLLOUT if is_sending else 0)

    def receive(self):
        """Takes what is there."""
        pieces = []
        while True:
            try:
                data = self.sock.recv(RECEIVE_SIZE)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except OSError:
                data = b""
            if not data:
                self.end_by_server()
                break
            pieces.append(data)
            if sum(map(len, pieces)) > 4 * RECEIVE_SIZE:
                break
        received = b"".join(pieces)
        self.outcome.received_bytes += len(received)
        if received.startswith(b"HTTP/1.1 "):
            for status in re.findall(rb"HTTP/1\.1 (\d{3})", received):
                self.outcome.http1_statuses[int(status)] = self.outcome.http1_statuses.get(int(status), 0) + 1
        if self.plan.keeps_answers:
            self.answers += received
        if received:
            self.waits_for_answers = False

    def take_answers(self):
        taken, self.answers = self.answers, b""
        return taken

    def end_by_server(self):
        if not self.is_over:
            self.outcome.closed_by_server += 1
            self.is_over = True

    def advance(self):
        """Goes on with the script by one piece."""
        if not self.pending and not self.wake_at and not self.waits_for_answers and not self.is_held:
            self.take_step(next(self.script, None))
        if not self.pending:
            return
        try:
            sent = self.sock.send(self.pending)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError:
            self.end_by_server()
            return
        self.outcome.sent_bytes += sent
        self.pending = self.pending[sent:]

    def take_step(self, step):
        if step is None:
            self.is_held = True
        elif step is ANSWERS:
            self.waits_for_answers = not self.answers
        elif step is CLOSE:
            self.is_over = True
        elif isinstance(step, (int, float)):
            self.wake_at = time.monotonic() + step
        else:
            self.pending = memoryview(step)

    def close(self):
        self.outcome.longest_open_s = max(self.outcome.longest_open_s, time.monotonic() - self.opened_at)
        # No connection of ours stays behind in TIME_WAIT, of which there would soon be too many to open more.
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        except OSError:
            pass  # it has ended by itself
        self.sock.close()


class Crowd:
    """The connections of one attack."""

    def __init__(self, plan, target):
        self.plan, self.target, self.outcome = plan, target, Outcome()
        self.poll = select.epoll()
        self.peers = {}
        self.sleeping, self.count = [], itertools.count()
        self.open_again_at = 0

    def open_missing(self):
        for _ in range(min(OPENED_PER_TURN, self.plan.connections - len(self.peers))):
            if time.monotonic() < self.open_again_at:
                return
            try:
                sock = self.target.open(self.plan.transport, self.plan.receive_buffer, self.plan.alpn)
            except OSError:
                self.outcome.not_opened += 1
                self.open_again_at = time.monotonic() + REFUSED_PAUSE_S
                return
            self.outcome.opened += 1
            peer = Peer(sock, self.plan, self.target, self.outcome)
            self.peers[sock.fileno()] = peer
            self.poll.register(sock.fileno(), peer.wants())
            self.settle(peer)

    def settle(self, peer):
        """After each turn of a connection: it is closed, sleeps, or is looked at again."""
        descriptor = peer.sock.fileno()
        if peer.is_over:
            self.poll.unregister(descriptor)
            del self.peers[descriptor]
            peer.close()
            return
        if peer.wake_at:
            heapq.heappush(self.sleeping, (peer.wake_at, next(self.count), peer))
        self.poll.modify(descriptor, peer.wants())

    def wake(self):
        now = time.monotonic()
        while self.sleeping and self.sleeping[0][0] <= now:
            _, _, peer = heapq.heappop(self.sleeping)
            if not peer.is_over and peer.wake_at:
                peer.wake_at = None
                self.settle(peer)

    def serve(self, descriptor, events):
        peer = self.peers.get(descriptor)
        if peer is None:
            return
        was_asleep = peer.wake_at is not None
        if events & select.EPOLLIN and not peer.plan.is_deaf:
            peer.receive()
        if events & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
            peer.end_by_server()
        if not peer.is_over and not was_asleep:
            peer.advance()
            self.settle(peer)
        elif peer.is_over:
            self.settle(peer)

    def is_ended(self):
        """Whether the server has ended as many connections as there are at a time."""
        return self.outcome.closed_by_server >= self.plan.connections

    def run(self, seconds, until_ended=False):
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + seconds and not (until_ended and self.is_ended()):
            self.open_missing()
            self.wake()
            for descriptor, events in self.poll.poll(min(TURN_S, begun + seconds - now)):
                self.serve(descriptor, events)
        self.outcome.open_at_end = len(self.peers)
        for peer in self.peers.values():
            peer.close()
        self.poll.close()
        self.outcome.seconds = round(time.monotonic() - begun, 3)
        self.outcome.longest_open_s = round(self.outcome.longest_open_s, 3)
        return self.outcome
