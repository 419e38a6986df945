"""The look at everything that the servers and commands of a test run let out, for what must stay inside."""

import base64
import re

from harness import tokens
from harness.endpoint import Sent, basic
from harness.server import Server, printed

# Shorter ones, which some tests send as wrong secrets, are words that may stand anywhere.
LONG_SECRET = 12

PIECE = 12  # so many characters of a signature in a row are a piece of it


def let_out():
    return "\n".join([server.stderr() for server in Server.started] + printed + Sent.answers)


def signature_pieces(all_tokens):
    pieces = set()
    for token in all_tokens:
        signature = token.rpartition(".")[2][:1400]
        pieces.update(signature[at : at + PIECE] for at in range(len(signature) - PIECE + 1))
    # Runs of the same few characters are in anything.
    return {piece for piece in pieces if len(set(piece)) > PIECE // 2}


def assert_nothing_secret_was_logged(world):
    text = let_out()
    clients = [getattr(world, name) for name in ("private", "shared", "rfc", "limited", "rotated")] + world.awkward
    secrets = set(world.secrets()) | {secret for secret in Sent.secrets if len(secret) >= LONG_SECRET}
    secrets |= {base64.b64encode(secret.encode()).decode() for secret in secrets}
    secrets |= {basic(client.client_id, client.secret)[1].split(" ")[1] for client in clients}
    for secret in secrets:
        assert secret not in text, secret
    assert "Authorization" not in text and "Basic " not in text

    # No piece of a token either. The header is left out: it is no secret, and the same in many tokens; some hostile ones have
    # it in the place of another part.
    all_tokens = [token for token in Sent.tokens.union(tokens.made) if token.count(".") >= 2]
    # A part that is not encoded, as some hostile tokens have, is made of words that may stand anywhere.
    encoded = [part for token in all_tokens for part in token.split(".")[1:] if re.fullmatch(r"[A-Za-z0-9_-]+", part)]
    token_texts = "\n".join(encoded)
    headers = "\n".join({token.partition(".")[0] for token in all_tokens})
    pieces = signature_pieces(all_tokens)
    assert secrets and pieces
    for run in set(re.findall(r"[A-Za-z0-9_-]{%d,}" % PIECE, text)):
        if run in headers:
            continue
        assert len(run) < 16 or run not in token_texts, run
        assert not any(run[at : at + PIECE] in pieces for at in range(len(run) - PIECE + 1)), run
