"""Issuers whose keys are fetched: their part of a config, and what a server says about them."""

import json

from harness import tokens
from harness.endpoint import parse_json
from harness.server import wait_until
from harness.world import AUDIENCE

SETTINGS = {
    "ca_file": "ca.pem",
    "connect_timeout": "30s",
    "fetch_timeout": "60s",
    "refresh_min": "1s",
    "refresh_max": "1h",
    "cooldown": "1s",
    "stale_max": "1h",
}


def issuer(identifier, jwks_url=None, **changes):
    """An issuer of a config; without jwks_url it is discovered. A change to None removes the member."""
    source = {"discover": True} if jwks_url is None else {"jwks_url": jwks_url}
    entry = {"issuer": identifier, **source, "algorithms": ["ES256", "RS256"], "audience": [AUDIENCE], **SETTINGS, **changes}
    return {name: value for name, value in entry.items() if value is not None}


def config(world, issuers, **changes):
    clients = [world.client_entry(world.private, "front_private"), world.client_entry(world.rfc)]
    return world.config(issuers=issuers, clients=clients, **changes)


def token(key, identifier, kid="its own", **changes):
    """A good token by an EC key. kid None leaves the `kid` out."""
    header = {} if kid == "its own" else {"kid": kid}
    return tokens.sign(key, "ES256", tokens.claims(identifier, AUDIENCE, **changes), **header)


def new_key(kid):
    return tokens.generate_key("p256", kid=kid)


def readyz(running):
    """Status, the problems by issuer, and all of the answer."""
    response = running.admin.request("GET", "/readyz")
    assert response.get("content-type") == "application/json", response
    body = json.loads(response.body)
    return response.status, {problem["issuer"]: problem for problem in body["issuers"]}, body


def becomes_active(endpoint, token, client):
    """Waits until the server has the keys."""
    return wait_until(lambda: parse_json(endpoint.introspect(token, client).body).get("active"))


def changes(running, identifier):
    return running.server.find_log(event="keys_changed", issuer=identifier)


def failures(running, identifier):
    return running.server.find_log(event="keys_refresh_failed", issuer=identifier)
