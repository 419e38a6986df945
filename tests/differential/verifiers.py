"""Four opinions on the signature of a token: introspectd's, python3-jwcrypto's, npm jose's and LibJWT's."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
from jwcrypto import jwk, jws

FOLDER = pathlib.Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
BINARY = pathlib.Path(os.environ.get("INTROSPECTD", REPOSITORY / "build/release/introspectd")).absolute()

TIMEOUT_S = 300


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)
    return path


def introspectd(folder, signers, mutants):
    """A line each, "ok" or "refused REASON". Symmetric keys never stand in one set with public ones, so there are two processes."""
    running = []
    for is_secret in (False, True):
        places = [i for i, mutant in enumerate(mutants) if signers[mutant.kid].is_secret == is_secret]
        keys = [signer.public for signer in signers.values() if signer.is_secret == is_secret]
        name = "secret" if is_secret else "public"
        (folder / f"{name}.json").write_text(json.dumps({"keys": keys}))
        lines = write_lines(folder / f"{name}.tokens", [mutants[i].token for i in places])
        with open(lines, "rb") as tokens, open(folder / f"{name}.verdicts", "wb") as verdicts:
            process = subprocess.Popen([str(BINARY), "verify", "--jwks", str(folder / f"{name}.json")], stdin=tokens, stdout=verdicts,
                stderr=subprocess.PIPE)
        running.append((places, process, folder / f"{name}.verdicts"))
    made = [None] * len(mutants)
    for places, process, verdicts in running:
        errors = process.communicate(timeout=TIMEOUT_S)[1]
        assert process.returncode in (0, 1) and errors == b"", errors
        lines = verdicts.read_text().splitlines()
        assert len(lines) == len(places)
        for i, line in zip(places, lines):
            made[i] = line
    return made


def jwcrypto(signers, mutants):
    keys = {kid: jwk.JWK(**signer.public) for kid, signer in signers.items()}

    def is_accepted(mutant):
        token = jws.JWS()
        token.allowed_algs = [signers[mutant.kid].algorithm]
        try:
            token.deserialize(mutant.token, keys[mutant.kid])
        except Exception:  # whatever goes wrong inside, it is not accepted
            return False
        return True

    return [is_accepted(mutant) for mutant in mutants]


def require_jose():
    if not (REPOSITORY / "tests/integration/node_modules/jose/package.json").is_file():
        pytest.skip("npm jose is not installed: npm ci --prefix tests/integration")


class Jose:
    """Begins at once and is asked for the result later: the verifiers share the processors."""

    def __init__(self, folder, signers, mutants):
        keys = {kid: signer.public for kid, signer in signers.items()}
        jobs = [[mutant.kid, signers[mutant.kid].algorithm, mutant.token] for mutant in mutants]
        (folder / "jose.jobs").write_text(json.dumps({"keys": keys, "tokens": jobs}))
        self.verdicts = folder / "jose.verdicts"
        node = shutil.which("node") or shutil.which("nodejs")
        with open(folder / "jose.jobs", "rb") as given, open(self.verdicts, "wb") as verdicts:
            self.process = subprocess.Popen([node, str(FOLDER / "verify_with_jose.mjs")], stdin=given, stdout=verdicts)

    def result(self):
        assert self.process.wait(TIMEOUT_S) == 0
        return json.loads(self.verdicts.read_text())


def build_libjwt_verify(folder):
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libjwt"], capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", str(folder / "libjwt_verify"), str(FOLDER / "libjwt_verify.c"), *flags], check=True)
    return folder / "libjwt_verify"


class LibJwt:
    """The same for LibJWT, which knows neither PS* nor EdDSA: None for those."""

    def __init__(self, folder, program, signers, mutants):
        self.places = [i for i, mutant in enumerate(mutants) if mutant.kid[:2] in ("HS", "RS", "ES")]
        self.count = len(mutants)
        keys = []
        for kid, signer in signers.items():
            (folder / f"{kid}.key").write_bytes(signer.pem_or_secret())
            keys.append(f"{kid}={folder / kid}.key")
        lines = write_lines(folder / "libjwt.tokens", [f"{mutants[i].kid} {mutants[i].token}" for i in self.places])
        self.verdicts = folder / "libjwt.verdicts"
        with open(lines, "rb") as given, open(self.verdicts, "wb") as verdicts:
            self.process = subprocess.Popen([str(program), *keys], stdin=given, stdout=verdicts)

    def result(self):
        assert self.process.wait(TIMEOUT_S) == 0
        lines = self.verdicts.read_text().splitlines()
        assert len(lines) == len(self.places)
        made = [None] * self.count
        for i, line in zip(self.places, lines):
            made[i] = line == "ok"
        return made
