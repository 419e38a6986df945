"""Tokens derived from good ones: those that must stay good (another header, signed again) and those that must not."""

import json

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from signers import ALGORITHM_OF, CURVES, ORDERS, b64url, unb64url

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
TEXTS = ["", "x", "JWT", "at+jwt", "é", "東京", "\U0001f600", "\u0001\u001f", "\"\\/", "\u2028", "alg", "none", "../../x", "x" * 300,
    "\ud7ff\ue000", "'", "</script>"]
NUMBERS = ["0", "-0", "-0.0", "1", "-1", "1e5", "1E+2", "1.50", "0.1e-3", "9007199254740993", "9223372036854775807", "-9223372036854775808",
    "1e308", "1e-400", "2.2250738585072014e-308"]
NAMES = ["x", "cty", "jku", "x5u", "x5t", "x5t#S256", "iss", "aud", "exp", "zip", "enc", "epk", "p2c", "nonce", "url", "Alg", "ALG", "alg ",
    "Kid", "Crit", "B64", "", " ", "\u00e9", "e\u0301", "\U0001f511", "__proto__", "constructor"]
TYPES = ["JWT", "jwt", "at+jwt", "application/at+jwt", "", "JOSE", "JOSE+JSON", "\u00fc", "x" * 100, "secevent+jwt"]


def json_value(rng, depth=0):
    """The text of a JSON value that every reader reads."""
    kind = rng.randrange(6 if depth < 4 else 4)
    if kind == 0:
        return rng.choice(("true", "false", "null"))
    if kind == 1:
        return rng.choice(NUMBERS)
    if kind in (2, 3):
        return json_text(rng, rng.choice(TEXTS))
    values = [json_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 4:
        return "[" + ",".join(values) + "]"
    return "{" + ",".join(f'"m{i}":{value}' for i, value in enumerate(values)) + "}"


def json_text(rng, text):
    """A JSON string, some of its characters as escapes."""
    share = rng.choice((0, 0, 0.2, 1))
    made = ""
    for unit in json.dumps(text, ensure_ascii=rng.random() < 0.5)[1:-1].replace("\\\\", "\\u005c").replace('\\"', "\\u0022"):
        is_plain = unit.isascii() and unit.isalnum() or unit in "+-/.:# "
        is_inside_escape = "\\" in made[-5:]
        if is_plain and not is_inside_escape and rng.random() < share:
            unit = rng.choice((f"\\u{ord(unit):04x}", f"\\u{ord(unit):04X}"))
        made += unit
    return f'"{made}"'


def header_text(rng, members):
    """members (name, text of the value) as JSON, in this order, with white space."""
    spaces = rng.choice(("", "", " ", "\n", "\r\n\t", "   "))

    def gap():
        return spaces if rng.random() < 0.6 else ""

    inside = f"{gap()},{gap()}".join(f"{json_text(rng, name)}{gap()}:{gap()}{value}" for name, value in members)
    return f"{gap()}{{{gap()}{inside}{gap()}}}{gap()}".encode("utf-8")


def good_header(rng, signer):
    members = [("alg", json_text(rng, signer.algorithm))]
    if rng.random() < 0.8:
        members.append(("kid", json_text(rng, signer.kid)))
    if rng.random() < 0.7:
        members.append(("typ", json_text(rng, "JWT" if rng.random() < 0.6 else rng.choice(TYPES))))
    for name in rng.sample(NAMES, rng.choice((0, 0, 0, 1, 1, 2, 5))):
        members.append((name, json_value(rng)))
    if rng.random() < 0.05:
        members.append(("jwk", '{"kty":"oct","k":"AAAA"}'))
    rng.shuffle(members)
    return header_text(rng, members)


def good_payload(rng):
    kind = rng.random()
    if kind < 0.85:
        members = [("sub", json_text(rng, f"user-{rng.randrange(10**9)}")), ("exp", rng.choice(NUMBERS)),
            ("iss", json_text(rng, rng.choice(TEXTS)))]
        members += [(f"c{i}", json_value(rng)) for i in range(rng.randrange(4))]
        return header_text(rng, members)
    if kind < 0.9:
        return json.dumps({"long": "x" * rng.choice((1000, 5000, 20000)), "n": rng.random()}).encode()
    if kind < 0.95:
        return rng.randbytes(rng.randrange(200))
    return rng.choice((b"", b"[]", b"null", b'"text"', b"{", b"\0", b"\xff", b"{}")) + (b" " * rng.randrange(50))


def good(rng, signer):
    return signer.token(good_header(rng, signer), good_payload(rng))


def twin(token, kid):
    """The other signature of ECDSA with the same r: (r, n - s)."""
    head, _, signature = token.rpartition(".")
    raw = unb64url(signature)
    half = len(raw) // 2
    s = ORDERS[kid] - int.from_bytes(raw[half:], "big")
    return f"{head}.{b64url(raw[:half] + s.to_bytes(half, 'big'))}"


# What must be refused. Each takes (rng, signer, token, another good token) and gives a token.


def changed_byte(rng, signer, token, other):
    at = rng.randrange(len(token))
    return token[:at] + rng.choice(ALPHABET) + token[at + 1 :]


def foreign_byte(rng, signer, token, other):
    at = rng.randrange(len(token) + 1)
    return token[:at] + rng.choice("=+/ \t!\"%&,:;<>@[]{}~\x7f\x01.") + token[at + rng.randrange(2) :]


def inserted_byte(rng, signer, token, other):
    at = rng.randrange(len(token) + 1)
    return token[:at] + rng.choice(ALPHABET + ".") * rng.randrange(1, 5) + token[at:]


def deleted_bytes(rng, signer, token, other):
    at = rng.randrange(len(token))
    return token[:at] + token[at + rng.choice((1, 1, 2, 3, 4, 16)) :]


def swapped_bytes(rng, signer, token, other):
    at = rng.randrange(len(token) - 1)
    return token[:at] + token[at + 1] + token[at] + token[at + 2 :]


def flipped_bits(rng, signer, token, other):
    """In the decoded bytes, so that the text stays strict base64url."""
    parts = token.split(".")
    place = rng.randrange(3)
    raw = bytearray(unb64url(parts[place]) or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    parts[place] = b64url(bytes(raw))
    return ".".join(parts)


def cut_off(rng, signer, token, other):
    return token[: rng.randrange(len(token))]


def other_spelling(rng, signer, token, other):
    header, payload, signature = token.split(".")
    return rng.choice((
        token + "=" * (-len(signature) % 4 or 4), token + "==", f"{header}=.{payload}.{signature}", f"{header}.{payload}=.{signature}",
        token.replace("-", "+").replace("_", "/"),
        token.swapcase(), token + ".", "." + token, token.replace(".", ".."), token + rng.choice(" \t"), " " + token,
        f"{header}. {payload}.{signature}", token + "!!!", f'"{token}"', "Bearer " + token,
    ))  # fmt: skip


def spare_bits(rng, signer, token, other):
    parts = token.split(".")
    places = [i for i in range(3) if len(parts[i]) % 4 in (2, 3)]
    if not places:
        return token
    i = rng.choice(places)
    spare = rng.randrange(1, 16 if len(parts[i]) % 4 == 2 else 4)
    parts[i] = parts[i][:-1] + ALPHABET[ALPHABET.index(parts[i][-1]) ^ spare]
    return ".".join(parts)


def mixed_parts(rng, signer, token, other):
    pool = token.split(".") + other.split(".") + [""]
    return ".".join(rng.choice(pool) for _ in range(rng.choice((1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 6))))


def doubled_parts(rng, signer, token, other):
    parts = token.split(".")
    i = rng.randrange(3)
    parts[i] = rng.choice((parts[i] * 2, parts[i][: len(parts[i]) // 2], "", parts[i] + "AAAA", "AAAA" + parts[i]))
    return ".".join(parts)


BAD_MEMBERS = [
    '"alg":"{a}","alg":"{a}"', '"alg":"none","\\u0061lg":"{a}"', '"alg":"{a}","kid":"{k}","kid":"{k}"', '"alg":"{a}","x":1,"x":2',
    '"alg":"{a}","x":{{"y":1,"\\u0079":1}}',
    '"alg":"{a}","crit":["exp"],"exp":1', '"alg":"{a}","crit":[]', '"alg":"{a}","crit":null', '"alg":"{a}","crit":["b64"],"b64":true',
    '"alg":"{a}","b64":false', '"alg":"{a}","b64":true', '"alg":"{a}","\\u0062\\u0036\\u0034":false',
    '"alg":"{a}","kid":1', '"alg":"{a}","kid":null', '"alg":"{a}","kid":["{k}"]', '"alg":"{a}","kid":"other"', '"alg":"{a}","kid":"{k} "',
    '"alg":"{a}","kid":""', '"alg":"{a}","typ":1', '"alg":"{a}","typ":null', '"alg":"{a}","typ":["JWT"]',
    '"kid":"{k}"', '"alg":null', '"alg":1', '"alg":["{a}"]', '"alg":"none"', '"alg":"NONE"', '"alg":""', '"alg":"{l}"', '"alg":"{a} "',
    '"alg":"{a}\\u0000"', '"alg":"ES256K"', '"alg":"HS1"', '"alg":"dir"', '"Alg":"{a}"',
    '"alg":"{a}","x":1e400', '"alg":"{a}","x":9223372036854775808', '"alg":"{a}","x":01', '"alg":"{a}","x":+1', '"alg":"{a}","x":NaN',
    '"alg":"{a}","x":"\\u0000"', '"alg":"{a}","x":"\\ud800"', '"alg":"{a}","x":"\t"', '"alg":"{a}",', ',"alg":"{a}"',
    '"alg":"{a}","x":' + "[" * 70 + "]" * 70, "'alg':'{a}'", '"alg":"{a}","x"', '"alg":"{a}","x":', '"alg":"{a}","x":\'1\'',
    '"alg":"{a}"/**/', '"alg":"{a}","x":"\udcff"',
]  # fmt: skip


def bad_header(rng, signer, token, other):
    """Well signed."""
    text = rng.choice(BAD_MEMBERS).format(a=signer.algorithm, k=signer.kid, l=signer.algorithm.lower())
    header = b"{" + text.encode("utf-8", "surrogateescape") + b"}"
    kind = rng.randrange(12)
    if kind == 0:
        plain = f'{{"alg":"{signer.algorithm}"}}'.encode()
        header = rng.choice((b"\xef\xbb\xbf" + plain, plain + b"\0", plain * 2, b"[" + plain + b"]", plain[:-1],
            plain.decode().encode("utf-16"), b"", b"null", plain + b"}", b"\xa0" + plain))
    return signer.token(header, b'{"n":%d}' % rng.randrange(10**9))


def other_algorithm(rng, signer, token, other):
    """Another name in the header, well signed by this key with this algorithm."""
    name = rng.choice(sorted(set(ALGORITHM_OF.values()) - {signer.algorithm}))
    kid = rng.choice(("", f',"kid":"{name}"', f',"kid":"{signer.kid}"'))
    return signer.token(f'{{"alg":"{name}"{kid}}}'.encode(), b'{"n":%d}' % rng.randrange(10**9))


def unsigned_header(rng, signer, token, other):
    """Another header over the old signature."""
    return b64url(good_header(rng, signer)) + token[token.index(".") :]


def edge_numbers(rng, r, s, n):
    return rng.choice(((0, 0), (0, s), (r, 0), (1, 1), (n, n), (r, n), (n, s), (s, r), (n - r, s), (r, r), (n - 1, n - 1), (1, 0),
        (r, s + 1), (r ^ 1, s)))


def bad_signature(rng, signer, token, other):
    """What the algorithm's own numbers allow."""
    head, _, text = token.rpartition(".")
    raw = unb64url(text)
    half = len(raw) // 2
    kind = rng.randrange(8)
    if kind == 0:
        made = raw[: rng.randrange(len(raw))]
    elif kind == 1:
        made = bytes(rng.randrange(1, 4)) + raw
    elif kind == 2:
        made = raw + rng.randbytes(rng.randrange(1, 20))
    elif kind == 3:
        made = rng.choice((bytes(len(raw)), b"\xff" * len(raw), rng.randbytes(len(raw)), raw[::-1], bytes(len(raw) - 1) + b"\1", b"",
            raw * 2, raw.lstrip(raw[:1])))
    elif signer.kid in CURVES:
        r, s, n = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"), ORDERS[signer.kid]
        if kind == 4:
            made = encode_dss_signature(r, s)
        elif kind == 5:
            made = b"\0" + raw[:half] + b"\0" + raw[half:]
        elif kind == 6 and r + n < 1 << 8 * half and s + n < 1 << 8 * half:
            r, s = rng.choice(((r + n, s), (r, s + n), (r + n, s + n)))
            made = r.to_bytes(half, "big") + s.to_bytes(half, "big")
        else:
            made = b"".join(value.to_bytes(half, "big") for value in edge_numbers(rng, r, s, n))
    elif signer.algorithm == "EdDSA":
        larger = int.from_bytes(raw[half:], "little") + ORDERS[signer.kid] * rng.randrange(1, 4)
        made = raw[:half] + (larger % (1 << 8 * half)).to_bytes(half, "little")
    elif not signer.is_secret:
        larger = int.from_bytes(raw, "big") + signer.modulus()
        made = larger.to_bytes(257, "big").removeprefix(b"\0")
    else:
        made = raw[: len(raw) - 1] + bytes([raw[-1] ^ 1 << rng.randrange(8)])
    return f"{head}.{b64url(made)}"


BREAKING = [
    changed_byte, foreign_byte, inserted_byte, deleted_bytes, swapped_bytes, flipped_bits, cut_off, other_spelling, spare_bits, mixed_parts,
    doubled_parts, unsigned_header, bad_signature,
]  # fmt: skip
SIGNING = [bad_header, other_algorithm]  # these cost a signature each
