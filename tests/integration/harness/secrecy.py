"""The look at everything that the servers of a test run logged."""

import base64
import re

from harness import tokens
from harness.endpoint import basic
from harness.server import Server


def assert_nothing_secret_was_logged(world):
    logged = "\n".join(server.stderr() for server in Server.started)
    secrets = world.secrets()
    secrets += [base64.b64encode(secret.encode()).decode() for secret in secrets]
    clients = [getattr(world, name) for name in ("private", "shared", "rfc", "limited", "rotated")] + world.awkward
    secrets += [basic(client.client_id, client.secret)[1].split(" ")[1] for client in clients]
    for secret in secrets:
        assert secret not in logged
    assert "Authorization" not in logged and "Basic " not in logged

    # No piece of a token either. The header is left out: it is no secret, and the same in many tokens.
    token_texts = "\n".join(part for token in tokens.made for part in token.split(".")[1:])
    for run in set(re.findall(r"[A-Za-z0-9_-]{16,}", logged)):
        assert run not in token_texts, run
