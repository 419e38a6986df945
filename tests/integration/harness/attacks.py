"""A server to attack: issuers with keys of their own, and the proof that an attack got nothing."""

import datetime
import hashlib
import hmac
import json
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from harness import expect, tokens
from harness.server import run, wait_until
from harness.tokens import b64url, json_bytes
from harness.world import AUDIENCE

PUBLIC = "https://public.attacks.example"  # public keys of every type; every algorithm is allowed, the symmetric ones too
NARROW = "https://narrow.attacks.example"  # the same keys; RS256 alone
SECRET = "https://secret.attacks.example"  # one symmetric key
TYPED = "https://typed.attacks.example"  # the same; access tokens by their `typ` alone
REQUIRED = "https://required.attacks.example"  # the same; access tokens by a claim alone
BLANK = "https://blank.attacks.example"  # symmetric keys that are blank or short, beside good ones
ONLY_BLANK = "https://only-blank.attacks.example"
SECOND = "https://second.attacks.example"  # another RSA key under the kid that PUBLIC's has

LIMITS = {"max_body": "8MiB", "max_token": "4MiB"}
PUBLIC_KINDS = ("rsa", "p256", "p384", "p521", "ed25519", "ed448")
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}

_keys = {}


def own_keys():
    """Made once a process: the server's, and `stranger-` ones that it does not know."""
    if not _keys:
        _keys.update({kind: tokens.generate_key(kind, kid=kind) for kind in (*PUBLIC_KINDS, "oct")})
        _keys["second"] = tokens.generate_key("rsa", kid="rsa")
        _keys["second-only"] = tokens.generate_key("p256", kid="second-only")
        _keys.update({f"stranger-{kind}": tokens.generate_key(kind, kid=kind) for kind in ("rsa", "p256", "ed25519", "oct")})
    return _keys


def hmac_token(secret, header, payload):
    """Signed with any bytes as the secret, none at all too."""
    signing_input = b64url(json_bytes(header)) + "." + b64url(json_bytes(payload))
    made = hmac.new(secret, signing_input.encode(), HASHES[header["alg"]]).digest()
    tokens.made.append(signing_input + "." + b64url(made))
    return tokens.made[-1]


def claims(issuer=SECRET, **changes):
    return tokens.claims(issuer, AUDIENCE, **changes)


def with_member(claims_or_header, text):
    """The JSON text of an object with more members, given as text."""
    return json_bytes(claims_or_header)[:-1] + b"," + (text if isinstance(text, bytes) else text.encode("utf-8")) + b"}"


def certificate_of(key):
    """Anybody can make one over a public key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "attacker")])
    private = serialization.load_pem_private_key(key.export_to_pem(private_key=True, password=None), None)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    day = datetime.datetime(2026, 1, 1)
    built = builder.serial_number(1).not_valid_before(day).not_valid_after(day.replace(year=2036)).sign(private, hashes.SHA256())
    return {
        "certificate-pem": built.public_bytes(serialization.Encoding.PEM),
        "certificate-der": built.public_bytes(serialization.Encoding.DER),
    }


def blank_keys():
    """Name and length of each symmetric key of the blank issuer. Only the last two may verify anything."""
    return {"blank": 0, "byte": 1, "short": 16, "nearly": 31, "for-256": 32, "strong": 64}


class Target:
    def __init__(self, world, start_server):
        self.keys = own_keys()
        self.blanks = {kid: bytes(range(1, size + 1)) for kid, size in blank_keys().items()}
        self.front, self.rfc = world.private, world.rfc
        public = tokens.jwks(*(self.keys[kind] for kind in PUBLIC_KINDS))
        blanks = [{"kty": "oct", "kid": kid, "k": b64url(secret)} for kid, secret in self.blanks.items()]
        files = {
            "attacked-public.json": public,
            "attacked-secret.json": tokens.jwks(self.keys["oct"]),
            "attacked-blank.json": json.dumps({"keys": [*blanks, {"kty": "oct", "k": ""}]}),
            "attacked-only-blank.json": json.dumps({"keys": [blanks[0], blanks[1], {"kty": "oct", "k": ""}]}),
            "attacked-second.json": tokens.jwks(self.keys["second"], self.keys["second-only"]),
        }
        self.public_set = public
        config = world.config(
            issuers=self._issuers(),
            clients=[world.client_entry(world.private, "front_private"), world.client_entry(world.rfc)],
            limits=LIMITS,
        )
        started = start_server(config, files)
        self.server, self.h1, self.h2c = started.server, started.endpoints["h1"], started.endpoints["h2c"]
        self.good = [self.token("RS256"), self.token("ES256"), self.token("HS256", SECRET), self.token("RS256", SECOND)]
        self.good_stays_active()

    def _issuers(self):
        def issuer(name, keys, algorithms, **more):
            return {
                "issuer": name,
                "jwks_file": f"attacked-{keys}.json",
                "algorithms": algorithms,
                "audience": [AUDIENCE],
                "leeway": "0s",
                **more,
            }

        symmetric = list(HASHES)
        return [
            issuer(PUBLIC, "public", list(tokens.ALGORITHMS)),
            issuer(NARROW, "public", ["RS256"]),
            issuer(SECRET, "secret", symmetric),
            issuer(TYPED, "secret", symmetric, token_types=["at+jwt"]),
            issuer(REQUIRED, "secret", symmetric, require={"token_use": "access"}),
            issuer(BLANK, "blank", symmetric),
            issuer(ONLY_BLANK, "only-blank", symmetric),
            issuer(SECOND, "second", ["RS256", "ES256"]),
        ]

    # Tokens

    def token(self, algorithm="RS256", issuer=PUBLIC, key=None, header=None, **changes):
        """A good token of an issuer, or one with changes."""
        if key is None:
            key = self.keys["second" if issuer == SECOND else tokens.KEY_OF_ALGORITHM[algorithm]]
        return tokens.sign(key, algorithm, claims(issuer, **changes), **(header or {}))

    def signed(self, header=None, payload=None):
        """Signed well by the symmetric issuer's key, whatever header and payload are (objects, or their bytes)."""
        header = {"alg": "HS256", "kid": "oct"} if header is None else header
        return tokens.sign_raw(self.keys["oct"], "HS256", header, claims() if payload is None else payload)

    # What must hold

    def good_stays_active(self, connection=None):
        for token in self.good:
            expect.is_active(self.h1.introspect(token, self.front, connection=connection))

    def is_active(self, token):
        expect.is_active(self.h1.introspect(token, self.front, "json"))
        expect.is_active(self.h2c.introspect(token, self.rfc))

    def is_refused(self, cases, explained=True, logged=True):
        """
        Every token of cases (name, reason, token) is inactive, with nothing more on the wire, turn by turn to a client of Front over
        HTTP/1.1 and to one of RFC 7662 over HTTP/2; the log says why, `explain` says it of the first with each reason, and the good
        tokens stay active. A reason may be a tuple: one of these.
        """
        cases = list(cases)
        with self.h1.connect() as first, self.h2c.connect() as second:
            for turn, (name, _, token) in enumerate(cases):
                try:
                    if turn % 2 == 0:
                        expect.inactive(self.h1.introspect(token, self.front, "json", connection=first), 401)
                    else:
                        expect.inactive(self.h2c.introspect(token, self.rfc, connection=second), 200)
                    self.good_stays_active(first)
                except AssertionError as error:
                    raise AssertionError(f"{name}: {error}") from error
        if logged:
            self.is_logged(cases)
        if explained:
            self.is_explained({reason: (name, token) for name, reason, token in reversed(cases)})

    def is_logged(self, cases):
        """Bursts of lines are thinned, so what is missing is asked again."""
        missing = {tokens.token_name(token): (name, reason, token) for name, reason, token in cases}
        deadline = time.monotonic() + 60
        while True:
            for line in self.server.find_log(event="token_inactive"):
                name, reason, _ = missing.pop(line["token"], (None, None, None))
                reasons = reason if isinstance(reason, tuple) else (reason,)
                assert name is None or line["reason"] in reasons, f"{name}: {line}"
            if not missing:
                return
            assert time.monotonic() < deadline, f"not in the log: {[name for name, _, _ in missing.values()]}"
            time.sleep(1.1)
            with self.h1.connect() as connection:
                for _, _, token in missing.values():
                    expect.inactive(self.h1.introspect(token, self.front, connection=connection), 401)

    def is_explained(self, first_by_reason):
        for reason, (name, token) in first_by_reason.items():
            reasons = reason if isinstance(reason, tuple) else (reason,)
            done = run("explain", "--config", self.server.config_file, "--client", self.front.client_id, "--json", stdin=token + "\n")
            assert done.returncode == 1, f"{name}: {done}"
            story = json.loads(done.stdout)
            assert story["reason"] in reasons and story["answer"] == {"active": False}, f"{name}: {story}"

    def is_never_fetched(self, listener):
        """Nobody came, though every request before this one is answered."""
        self.good_stays_active()
        listener.setblocking(False)
        try:
            sock, address = listener.accept()
        except BlockingIOError:
            return
        sock.close()
        raise AssertionError(f"something was fetched from {address}")


def eventually_logged(target, **members):
    return wait_until(lambda: target.server.find_log(**members))
