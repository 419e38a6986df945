"""Signatures that no honest signer makes, from good ones and from private keys."""

import hashlib
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from harness import tokens

SIGNATURE_BYTES = {
    "HS256": 32, "HS384": 48, "HS512": 64, "RS256": 256, "RS384": 256, "RS512": 256, "PS256": 256, "PS384": 256, "PS512": 256,
    "ES256": 64, "ES384": 96, "ES512": 132, "ed25519": 64, "ed448": 114,
}  # fmt: skip

# FIPS 186-4 appendix D.1.2: the prime of the field and the order of the group.
CURVES = {
    "ES256": (
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    ),
    "ES384": (
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
    "ES512": (
        2**521 - 1,
        2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
    ),
}

# RFC 8032 section 5.1 and 5.2: the order of the group and the bytes of half a signature.
EDWARDS = {
    "ed25519": (2**252 + 27742317777372353535851937790883648493, 32),
    "ed448": (2**446 - 13818066809895115352007386748515426880336692474882178609894547503885, 57),
}

# RFC 8017 section 9.2, note 1
DIGEST_INFO = {
    "sha1": "3021300906052b0e03021a05000414",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
}


def signing_input(token):
    return token.rsplit(".", 1)[0].encode()


def of_other_lengths(good):
    """Every length up to twice the right one: cut off, gone on with zeros or with itself, and led by zeros."""
    for length in [length for length in range(2 * len(good) + 2) if length != len(good)]:
        yield f"{length} bytes", (good * 3)[:length]
        if length > len(good):
            yield f"{length} bytes, zeros behind", good.ljust(length, b"\0")
            yield f"{length} bytes, zeros before", good.rjust(length, b"\0")
        else:
            yield f"{length} bytes, the last ones", good[len(good) - length :]


def uniform(size):
    return [(f"all {byte:#x}", bytes([byte]) * size) for byte in (0, 1, 0x7F, 0x80, 0xFF)]


def ecdsa(algorithm, good):
    """Numbers that are none of 1 to n - 1, or not those of this signature."""
    p, n = CURVES[algorithm]
    size = len(good) // 2
    r, s = int.from_bytes(good[:size], "big"), int.from_bytes(good[size:], "big")
    edges = {"0": 0, "1": 1, "n-1": n - 1, "n": n, "n+1": n + 1, "p-1": p - 1, "p": p, "2^k-1": 2 ** (8 * size) - 1}
    pairs = {f"r={name}": (edge, s) for name, edge in edges.items()}
    pairs.update({f"s={name}": (r, edge) for name, edge in edges.items()})
    pairs.update({f"r={a} s={b}": (edges[a], edges[b]) for a in edges for b in edges})
    pairs.update({"r+n": (r + n, s), "s+n": (r, s + n), "r+n s+n": (r + n, s + n), "n-r": (n - r, s), "swapped": (s, r), "s=r": (r, r)})
    for name, numbers in pairs.items():
        if max(numbers) < 2 ** (8 * size):
            yield name, b"".join(number.to_bytes(size, "big") for number in numbers)
    der = encode_dss_signature(r, s)
    yield from {"DER": der, "DER, cut": der[: 2 * size], "DER, padded": der.ljust(2 * size, b"\0")}.items()
    yield "without leading zeros", r.to_bytes((r.bit_length() + 7) // 8, "big")[1:] + s.to_bytes(size, "big")
    yield "little-endian", good[:size][::-1] + good[size:][::-1]


def other_half(algorithm, good):
    """The same r with n - s, which verifies as well."""
    n, size = CURVES[algorithm][1], len(good) // 2
    return good[:size] + (n - int.from_bytes(good[size:], "big")).to_bytes(size, "big")


def eddsa(kid, good):
    order, size = EDWARDS[kid]
    point, scalar = good[:size], int.from_bytes(good[size:], "little")
    identity = (1).to_bytes(size, "little")
    for times in range(1, 16):
        if scalar + times * order < 2 ** (8 * size):
            yield f"S + {times} L", point + (scalar + times * order).to_bytes(size, "little")
    yield "S = 0", point + bytes(size)
    yield "S = L", point + order.to_bytes(size, "little")
    yield "-S", point + (order - scalar).to_bytes(size, "little")
    yield "R = identity, S = 0", identity + bytes(size)
    yield "R = identity", identity + good[size:]
    yield "R negated", point[:-1] + bytes([point[-1] ^ 0x80]) + good[size:]
    yield "swapped", good[size:] + point
    yield "big-endian", point[::-1] + good[size:][::-1]


class RsaKey:
    """A private key that signs any block of bytes as it stands."""

    def __init__(self, key):
        self.key = key
        self.private = key.get_op_key("sign")
        numbers = self.private.private_numbers()
        self.d, self.n, self.e = numbers.d, numbers.public_numbers.n, numbers.public_numbers.e
        self.size = (self.n.bit_length() + 7) // 8

    def raw(self, block):
        return pow(int.from_bytes(block, "big"), self.d, self.n).to_bytes(self.size, "big")

    def padded(self, tail, head=b"\0\1", fill=b"\xff"):
        return head + fill * (self.size - len(head) - 1 - len(tail)) + b"\0" + tail


def rsa_numbers(rsa, good):
    number = int.from_bytes(good, "big")
    for name, value in {"0": 0, "1": 1, "2": 2, "n-1": rsa.n - 1, "n": rsa.n, "n+1": rsa.n + 1, "n-s": rsa.n - number}.items():
        yield name, value.to_bytes(rsa.size, "big")
    if number + rsa.n < 2 ** (8 * rsa.size):
        yield "s+n", (number + rsa.n).to_bytes(rsa.size, "big")


def pkcs1_block(rsa, algorithm, data):
    name = "sha" + algorithm[2:]
    return rsa.padded(bytes.fromhex(DIGEST_INFO[name]) + hashlib.new(name, data).digest())


def pkcs1(rsa, algorithm, data):
    """RFC 8017 section 8.2.2: the block is compared whole, so none of these is near enough."""
    name = "sha" + algorithm[2:]
    info, digest = bytes.fromhex(DIGEST_INFO[name]), hashlib.new(name, data).digest()
    tail = info + digest
    other = "sha384" if name == "sha256" else "sha256"
    without_null = bytes([0x30, info[1] - 2, 0x30, info[3] - 2]) + info[4:15] + info[17:]
    long_form = bytes([0x30, 0x81]) + info[1:]
    blocks = {
        "block type 0": rsa.padded(tail, b"\0\0", b"\0"),
        "block type 2": rsa.padded(tail, b"\0\2"),
        "no leading zero": rsa.padded(tail, b"\1\1"),
        "other fill": rsa.padded(tail, fill=b"\xfe"),
        "one byte of the fill": rsa.padded(tail).replace(b"\xff" * 9, b"\xff" * 8 + b"\xfe", 1),
        "short fill, something behind": (b"\0\1" + b"\xff" * 8 + b"\0" + tail).ljust(rsa.size, b"\x5a"),
        "no fill": (b"\0\1\0" + tail).ljust(rsa.size, b"\x5a"),
        "one byte behind": rsa.padded(tail + b"\0"),
        "no separator": b"\0\1" + b"\xff" * (rsa.size - 2 - len(tail)) + tail,
        "no DigestInfo": rsa.padded(digest),
        "no parameters": rsa.padded(without_null + digest),
        "length in long form": rsa.padded(long_form + digest),
        "another hash": rsa.padded(bytes.fromhex(DIGEST_INFO[other]) + hashlib.new(other, data).digest()),
        "another hash's name": rsa.padded(bytes.fromhex(DIGEST_INFO[other]) + digest),
        "SHA-1": rsa.padded(bytes.fromhex(DIGEST_INFO["sha1"]) + hashlib.sha1(data).digest()),
        "hash cut off": rsa.padded(info + digest[:-1]),
        "hash of something else": rsa.padded(info + hashlib.new(name, data + b".").digest()),
    }
    for label, block in blocks.items():
        assert len(block) == rsa.size and block != pkcs1_block(rsa, algorithm, data), label
        if int.from_bytes(block, "big") < rsa.n:
            yield label, rsa.raw(block)


def pss(rsa, algorithm, data):
    """RFC 7518 section 3.5: MGF1 of the same hash, a salt of its length."""
    names = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
    chosen = names[algorithm[2:]]
    for length in (0, 1, chosen.digest_size - 1, chosen.digest_size + 1, rsa.size - chosen.digest_size - 2):
        yield f"salt of {length}", rsa.private.sign(data, padding.PSS(padding.MGF1(chosen), length), chosen)
    for other in [value for value in (*names.values(), hashes.SHA1()) if value.name != chosen.name]:
        yield f"MGF1 of {other.name}", rsa.private.sign(data, padding.PSS(padding.MGF1(other), chosen.digest_size), chosen)
        yield other.name, rsa.private.sign(data, padding.PSS(padding.MGF1(other), chosen.digest_size), other)
    yield "PKCS #1 v1.5", rsa.private.sign(data, padding.PKCS1v15(), chosen)


def cube_root_above(number):
    low, high = 0, 1 << (number.bit_length() // 3 + 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < number else (low, middle)
    return low


def forged_for_exponent_3(size, algorithm, data):
    """Bleichenbacher's: a cube that begins like a block, and whose rest nobody looks at in a careless verifier."""
    name = "sha" + algorithm[2:]
    head = b"\0\1" + b"\xff" * 8 + b"\0" + bytes.fromhex(DIGEST_INFO[name]) + hashlib.new(name, data).digest()
    root = cube_root_above(int.from_bytes(head.ljust(size, b"\0"), "big"))
    assert (root**3).to_bytes(size, "big").startswith(head)
    return root.to_bytes(size, "big")


def header_of(algorithm, kid):
    return json.dumps({"alg": algorithm, "kid": kid}, separators=(",", ":")).encode()


def token_of(key, algorithm, payload=b'{"sub":"x"}'):
    return tokens.sign_raw(key, algorithm, header_of(algorithm, key["kid"]), payload)
