"""Bytes: text that is no text, members that are too long, one changed character, and the same token in another spelling."""

import json

import pytest

from harness import expect, tokens
from harness.attacks import PUBLIC, SECRET, Target, claims, with_member
from harness.endpoint import FORM, JSON, basic
from harness.tokens import b64url, json_bytes

BASE = {"alg": "HS256", "kid": "oct"}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture(scope="module")
def target(world, start_module_server):
    return Target(world, start_module_server)


# Text that is no text

NOT_UTF8 = {
    "lone ff": b"\xff", "lone fe": b"\xfe", "lone continuation": b"\x80", "two continuations": b"\xbf\xbf", "cut off": b"\xe2\x82",
    "cut off of four": b"\xf0\x9f\x98",
    "lead and letter": b"\xc3A", "overlong slash": b"\xc0\xaf", "overlong quote": b"\xc0\xa2", "overlong NUL": b"\xc0\x80",
    "overlong of three": b"\xe0\x80\xaf", "overlong of four": b"\xf0\x80\x80\xaf",
    "overlong of five": b"\xf8\x80\x80\x80\xaf", "overlong of six": b"\xfc\x80\x80\x80\x80\xaf", "c1": b"\xc1\xbf",
    "surrogate": b"\xed\xa0\x80", "low surrogate": b"\xed\xbf\xbf",
    "pair as six bytes": b"\xed\xa0\xbd\xed\xb8\x80", "above the last": b"\xf4\x90\x80\x80", "f5": b"\xf5\x80\x80\x80",
    "latin-1": "\u00e9".encode("latin-1"), "utf-16": "\u00e9".encode("utf-16-le"),
}  # fmt: skip
BAD_ESCAPES = [
    "\\ud800", "\\udbff", "\\udc00", "\\udfff", "\\ud800x", "\\ud800\\ud800", "\\udc00\\ud800", "\\ud83d\\u0041", "\\ud83d \\ude00",
    "\\ud83d\\\\ude00", "\\u0000", "x\\u0000", "\\u0000x",
    "\\u00", "\\u", "\\uzzzz", "\\u+041", "\\u 041", "\\x41", "\\0", "\\'", "\\a", "\\v", "\\U0001f600", "\\u{41}", "\\",
]  # fmt: skip


def test_invalid_utf8(target):
    cases = []
    for name, raw in NOT_UTF8.items():
        cases.append((f"header, {name}", "malformed", target.signed(with_member(BASE, b'"x":"' + raw + b'"'))))
        cases.append((f"header's kid, {name}", "malformed", target.signed(b'{"alg":"HS256","kid":"oct' + raw + b'"}')))
        cases.append((f"payload, {name}", "malformed", target.signed(payload=with_member(claims(), b'"x":"a' + raw + b'b"'))))
        cases.append((f"member's name, {name}", "malformed", target.signed(payload=with_member(claims(), b'"' + raw + b'":1'))))
        cases.append((f"mapped member, {name}", "malformed",
            target.signed(payload=with_member(claims(front_channel_name=None), b'"front_channel_name":"' + raw + b'"'))))
        cases.append((f"outside strings, {name}", "malformed", target.signed(payload=json_bytes(claims()) + raw)))
    target.is_refused(cases)


def test_bad_escapes(target):
    cases = []
    for escape in BAD_ESCAPES:
        cases.append((f"header, {escape}", "malformed", target.signed(with_member(BASE, f'"x":"{escape}"'))))
        cases.append((f"payload, {escape}", "malformed", target.signed(payload=with_member(claims(), f'"x":"{escape}"'))))
        cases.append((f"name, {escape}", "malformed", target.signed(payload=with_member(claims(), f'"{escape}":1'))))
    target.is_refused(cases)
    target.is_active(target.signed(payload=with_member(claims(),
        '"x":"\\ud83d\\ude00 \\uDBFF\\uDFFF \\u0001 \\u007f \\ufffe \\uffff \\/ \\b\\f"')))


def test_nul_in_every_place(target):
    """Where a string ends at NUL for one reader, another still reads on."""
    cases = []
    for name in ("iss", "aud", "sub", "jti", "front_channel_name", "front_channel_address", "scope"):
        value = str(claims()[name])
        for text in (f"{value}\\u0000", f"{value}\\u0000.evil.example", f"\\u0000{value}", f"{value[:3]}\\u0000{value[3:]}"):
            cases.append((f"{name} {text}", "malformed", target.signed(payload=with_member(claims(**{name: None}), f'"{name}":"{text}"'))))
        raw = with_member(claims(**{name: None}), f'"{name}":"{value}'.encode() + b'\0"')
        cases.append((f"{name} raw", "malformed", target.signed(payload=raw)))
    for name in ("alg", "kid", "typ"):
        value = {**BASE, "typ": "JWT"}[name]
        rest = {key: member for key, member in BASE.items() if key != name}
        for text in (f"{value}\\u0000", f"\\u0000{value}", f"{value}\\u0000none"):
            cases.append((f"{name} {text}", "malformed", target.signed(with_member(rest, f'"{name}":"{text}"'))))
    for text in ('"iss\\u0000":"x"', '"\\u0000":1', '"aud\\u0000x":1', '"a":{"b":["\\u0000"]}', '"aud\\u0000":"x","sub\\u0000":"x"'):
        cases.append((text, "malformed", target.signed(payload=with_member(claims(), text))))
    list_of = with_member(claims(aud=None), f'"aud":["{claims()["aud"]}","x\\u0000"]')
    cases.append(("in a list", "malformed", target.signed(payload=list_of)))
    target.is_refused(cases)


def test_json_that_is_almost_json(target):
    text = json_bytes(claims()).decode()
    variants = {
        "BOM": "\ufeff" + text, "BOM behind": text + "\ufeff", "comment": "/* */" + text, "line comment": text + "//",
        "trailing comma": text[:-1] + ",}", "leading comma": "{," + text[1:],
        "single quotes": text.replace('"', "'"), "no quotes": text.replace('"iss"', "iss"), "semicolon": text.replace(",", ";", 1),
        "two colons": text.replace(":", "::", 1), "no colon": text.replace(":", " ", 1),
        "raw newline in a string": text.replace("Acme ", "Acme\n"), "raw tab in a string": text.replace("Acme ", "Acme\t"),
        "raw control": text.replace("Acme ", "Acme\x01"),
        "form feed between": text.replace(",", ",\f", 1), "vertical tab between": "\v" + text, "no-break space": "\u00a0" + text,
        "line separator": "\u2028" + text, "guard": ")]}',\n" + text, "in brackets": f"({text})",
        "list": f"[{text}]", "behind null": "null" + text, "cut off": text[:-1], "one brace more": text + "}", "empty": "{",
        "nothing but space": "   ", "infinity": text[:-1] + ',"x":Infinity}',
        "member without value": text[:-1] + ',"x"}', "value without member": text[:-1] + ",1}", "number as name": text[:-1] + ",1:1}",
        "null as name": text[:-1] + ",null:1}",
    }  # fmt: skip
    payloads = [(name, variant.encode()) for name, variant in variants.items()]
    payloads += [(name, text.encode(name)) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")]
    payloads += [("utf-7 sign", b"+/v8-" + text.encode()), ("gzip sign", b"\x1f\x8b" + text.encode())]
    cases = [(f"payload, {name}", "malformed", target.signed(payload=payload)) for name, payload in payloads]
    head = json_bytes(BASE).decode()
    for name, header in [("BOM", "\ufeff" + head), ("trailing comma", head[:-1] + ",}"), ("comment", head + "//"), ("list", f"[{head}]"),
        ("twice", head * 2), ("NUL", head + "\0"), ("cut off", head[:-1])]:
        cases.append((f"header, {name}", "malformed", target.signed(header.encode())))
    cases += [(f"header, {name}", "malformed", target.signed(head.encode(name))) for name in ("utf-16", "utf-16-le", "utf-32")]
    target.is_refused(cases)
    spaced = json.dumps(claims(), indent="\t").replace("\n", "\r\n").encode()
    target.is_active(target.signed(b" \r\n\t" + json_bytes(BASE) + b"\n", b"\n" + spaced + b"\r\n "))


# Members that are too long


def test_members_that_are_too_long(target):
    """A mapped member is bounded by its bytes, not by its characters; Front's client needs it."""
    for name in ("front_channel_name", "front_channel_address"):
        cases = []
        for text in ("x" * 1025, "\u6771" * 342, "\U0001f600" * 257, "x" * (1 << 20), "\u0080x", "x\u009f", "x\x7f", "x\x01",
            "x\r\nSet-Cookie: a=b"):
            cases.append((f"{name}, {text[:5]!r} {len(text)}", "mapping_missing", target.signed(payload=claims(**{name: text}))))
        for case in cases:  # one by one: it is RFC 7662's client for whom these are active
            expect.inactive(target.h1.introspect(case[2], target.front), 401)
            expect.is_active(target.h2c.introspect(case[2], target.rfc))
        target.is_logged(cases)
        target.is_explained({"mapping_missing": (cases[0][0], cases[0][2])})
        for text in ("x" * 1024, "\u6771" * 341, "\U0001f600" * 256):
            expect.is_active(target.h1.introspect(target.signed(payload=claims(**{name: text})), target.front))
    target.good_stays_active()


def test_long_members_that_nobody_reads(target):
    for text in (f'"x":"{"x" * (1 << 20)}"', f'"{"x" * (1 << 20)}":1', f'"x":[{",".join("0" for _ in range(200_000))}]'):
        target.is_active(target.signed(payload=with_member(claims(), text)))
    target.is_active(target.signed(with_member(BASE, f'"x":"{"x" * (1 << 20)}"')))


def test_longer_than_the_limit(target):
    target.is_refused([("four mebibytes", "too_long", target.signed(payload=claims(filler="x" * (4 << 20)))[: (4 << 20) + 1])],
        explained=False)


# One changed character of a cached token

FAMILIES = ["RS256", "PS256", "ES256", "HS256", "EdDSA"]
REASONS = ("malformed", "bad_signature", "critical_header", "algorithm_not_allowed", "unknown_key", "wrong_issuer")


def other_characters(character):
    """The two whose bits differ least, in the lowest and in the highest of the six, and one that is no digit of base64url."""
    value = ALPHABET.index(character)
    return ALPHABET[value ^ 1], ALPHABET[value ^ 32], "+"


@pytest.mark.parametrize("algorithm", FAMILIES)
def test_one_changed_character(target, algorithm):
    """The first, the middle and the last of each part, and the signature's last four; the good one is in the cache all the while."""
    good = target.token(algorithm, SECRET if algorithm == "HS256" else PUBLIC)
    target.is_active(good)
    target.good.append(good)
    first_dot, second_dot = good.index("."), good.rindex(".")
    parts = [(0, first_dot), (first_dot + 1, second_dot), (second_dot + 1, len(good))]
    places = {place for begin, end in parts for place in (begin, (begin + end) // 2, end - 1)} | set(range(len(good) - 4, len(good)))
    cases = []
    for place in sorted(places):
        for character in other_characters(good[place]):
            changed = good[:place] + character + good[place + 1 :]
            cases.append((f"{place} to {character}", "malformed" if character == "+" else REASONS, changed))
    for character in ALPHABET.replace(good[-1], ""):
        is_same_bytes = tokens.signature_of(good[:-1] + character) == tokens.signature_of(good)
        reason = "malformed" if is_same_bytes else ("malformed", "bad_signature")
        cases.append((f"last to {character}", reason, good[:-1] + character))
    cases += [(f"dot at {place}", "malformed", good[:place] + other + good[place + 1 :]) for place in (first_dot, second_dot)
        for other in "A-,:/ "]
    target.is_refused(cases, explained=False, logged=False)
    target.is_refused(cases[::4], explained=False)
    target.good.remove(good)


@pytest.mark.parametrize("algorithm", FAMILIES)
def test_characters_left_out_doubled_and_swapped(target, algorithm):
    good = target.token(algorithm, SECRET if algorithm == "HS256" else PUBLIC)
    target.is_active(good)
    target.good.append(good)
    header, payload, signature = good.split(".")
    other = target.token(algorithm, SECRET if algorithm == "HS256" else PUBLIC, sub="somebody else").split(".")
    parts = [
        (payload, header, signature), (signature, payload, header), (header, signature, payload), (header, header, signature),
        (payload, payload, signature), (header, payload, payload),
        (header, payload, header), (other[0], other[1], signature), (header, other[1], signature), (header, payload, other[2]),
        (header, payload, signature + signature),
        (header, payload * 2, signature), (header * 2, payload, signature), (header, "", signature), ("", payload, signature),
        (header, payload, ""), ("", "", ""), ("", "", signature),
        (header[:-1], payload, signature), (header, payload[:-1], signature), (header, payload, signature[:-1]),
        (header[1:], payload, signature), (header, payload[1:], signature), (header, payload, signature[1:]),
        (header, payload, signature[:-4]), (header, payload, signature[4:]), (header, payload, signature + "AAAA"),
        (header, payload, "AAAA" + signature), (header, payload + "AAAA", signature), (header + "AAAA", payload, signature),
        (header, payload, signature[::-1]), (header, payload, signature.swapcase()), (header.swapcase(), payload, signature),
        (header + payload[:1], payload[1:], signature), (header, payload + signature[:1], signature[1:]),
    ]  # fmt: skip
    target.is_refused([(f"{i}", REASONS, ".".join(three)) for i, three in enumerate(parts)], explained=False)
    target.good.remove(good)


# The same token in another spelling


def spellings(good):
    """Whatever decodes to the same bytes for a lenient reader: (name, the other spelling)."""
    header, payload, signature = good.split(".")
    for places in ((0,), (1,), (2,), (0, 1, 2)):
        for pad in ("=", "==", "====", "=A", "%3D"):
            padded = [part + pad if i in places else part for i, part in enumerate((header, payload, signature))]
            yield f"padding {pad} {places}", ".".join(padded)
    for space in (" ", "\t", "\n", "\r\n", "\v", "\f", "\u00a0", "\u200b", "\ufeff", "\x01", "\x7f", "+"):
        name = ascii(space)
        yield f"{name} in front", space + good
        yield f"{name} behind", good + space
        yield f"{name} inside", good[:9] + space + good[9:]
        yield f"{name} around a dot", f"{header}{space}.{space}{payload}.{signature}"
        yield f"{name} every 64", space.join(good[i : i + 64] for i in range(0, len(good), 64))
    for dot in ("..", ",", ":", "/", "|", "%2E", "%2e", "\u002e\u200b", "\uff0e", "\u3002", "\u2024", "\u00b7", "\\u002e", "&#46;"):
        yield f"dots as {ascii(dot)}", good.replace(".", dot)
    for name, other in [
        ("dot in front", "." + good), ("dot behind", good + "."), ("dots around", f".{good}."), ("two dots behind", good + ".."),
        ("scheme", "Bearer " + good), ("scheme in lower case", "bearer " + good),
        ("quoted", f'"{good}"'), ("in brackets", f"<{good}>"), ("twice", f"{good} {good}"), ("comma", f"{good},{good}"),
        ("newline", f"{good}\n{good}"), ("joined", good + good), ("tilde", good + "~"),
        ("upper case", good.upper()), ("lower case", good.lower()), ("full width", "".join(chr(ord(c) + 0xFEE0) for c in good)),
        ("JSON escapes", "".join(f"\\u{ord(c):04x}" for c in good)),
        ("percent", "".join(f"%{ord(c):02X}" for c in good)), ("entities", "".join(f"&#{ord(c)};" for c in good)),
        ("hexadecimal", good.encode().hex()), ("base64url once more", b64url(good.encode())),
        ("data URL", "data:application/jwt," + good), ("junk behind", good + "!!!"), ("fragment", good + "#x"), ("query", good + "?x=1"),
        ("parameter", good + ";x=1"), ("ampersand", good + "&x=1"),
    ]:  # fmt: skip
        yield name, other


def spare_bits(good):
    """Each part whose last character has bits that are not used, with those bits set."""
    parts = good.split(".")
    for i, part in enumerate(parts):
        for spare in range(1, {2: 16, 3: 4}.get(len(part) % 4, 1)):
            last = ALPHABET[ALPHABET.index(part[-1]) | spare]
            yield f"spare bits {spare} of part {i}", ".".join([*parts[:i], part[:-1] + last, *parts[i + 1 :]])


@pytest.mark.parametrize("algorithm", ["RS256", "HS256"])
def test_the_same_token_in_another_spelling(target, algorithm):
    """One token has one spelling: what is revoked, counted or cached by its text cannot come back as another."""
    issuer = SECRET if algorithm == "HS256" else PUBLIC
    # Every part is to have spare bits, and a character that the two alphabets of base64 spell differently.
    for size in range(200):
        filler = "???>>>~~~"[size % 9 :] + "x" * (size % 7)
        key = target.keys[tokens.KEY_OF_ALGORITHM[algorithm]]
        good = tokens.sign(key, algorithm, claims(issuer, filler="?>~" * 3 + "x" * (size % 5)), x="?>~" * 3 + filler)
        parts = good.split(".")
        if all(len(part) % 4 and ("-" in part or "_" in part) for part in parts):
            break
        tokens.made.pop()
    assert good in tokens.made
    target.is_active(good)
    target.good.append(good)
    cases = [(name, ("malformed", "encrypted", "bad_signature"), other) for name, other in spellings(good)]
    cases += [(name, "malformed", other) for name, other in spare_bits(good)]
    for i, part in enumerate(parts):
        standard = part.replace("-", "+").replace("_", "/")
        cases.append((f"standard alphabet in part {i}", "malformed", ".".join([*parts[:i], standard, *parts[i + 1 :]])))
    for name, _, other in cases:
        assert other != good, name
    target.is_refused(cases, explained=False)
    target.is_refused([case for case in cases if case[0].startswith(("standard", "spare bits 1 ", "padding = "))])
    target.good.remove(good)


def test_the_same_token_in_another_spelling_of_the_body(target):
    """What the body's own format undoes is not part of the token."""
    good = target.good[0]
    credentials = basic(target.front.client_id, target.front.secret)
    percent = "".join(f"%{ord(c):02x}" for c in good)
    bodies = [
        (FORM, f"token={percent}"), (FORM, "token=" + good.replace(".", "%2E")), (FORM, f"%74oken={good}"), (FORM, f"&&token={good}&"),
        (FORM, f"x=1&token={good}&y"),
        (JSON, '{"token":"' + "".join(f"\\u{ord(c):04x}" for c in good) + '"}'),
        (JSON, '{"\\u0074oken":"' + good.replace(".", "\\u002E") + '"}'), (JSON, f' \r\n{{ "token"\t:\n"{good}" }} '),
        (JSON, f'{{"x":{{"token":"other"}},"token":"{good}"}}'),
    ]  # fmt: skip
    for content_type, body in bodies:
        for endpoint in (target.h1, target.h2c):
            expect.is_active(endpoint.post(body.encode(), content_type=content_type, authorization=credentials))


def test_bodies_that_say_two_things(target):
    good, credentials = target.good[0], basic(target.front.client_id, target.front.secret)
    bodies = [
        (FORM, f"token=other&token={good}"), (FORM, f"token={good}&token={good}"), (FORM, f"token={good}&%74oken=other"),
        (FORM, f"token={good[:20]}%zz{good[20:]}"), (FORM, f"token={good}%"), (FORM, f"token={good}%0"),
        (JSON, f'{{"token":"other","token":"{good}"}}'), (JSON, f'{{"token":"{good}","\\u0074oken":"other"}}'),
        (JSON, f'{{"token":"{good}\\u0000"}}'), (JSON, f'{{"token":"\\ud800{good}"}}'),
        (JSON, f'{{"token":"{good}"}}{{"token":"{good}"}}'), (JSON, f'{{"token":"{good}"}}\0'), (JSON, f'\ufeff{{"token":"{good}"}}'),
        (JSON, f'[{{"token":"{good}"}}]'), (JSON, f'"{good}"'), (JSON, good),
        (JSON, f'{{"token":"{good}\n"}}'), (JSON, f"{{'token':'{good}'}}"), (JSON, f'{{"token":"{good}",}}'),
        (JSON, f'{{"token":"{good}","x":1e400}}'), (JSON, f'{{"token":"{good}","x":"\x01"}}'), (JSON, f'{{"Token":"{good}"}}'),
    ]  # fmt: skip
    for content_type, body in bodies:
        for endpoint in (target.h1, target.h2c):
            expect.invalid_request(endpoint.post(body.encode(), content_type=content_type, authorization=credentials))
    for place in (0, 20, len(good)):
        expect.inactive(target.h1.post(f"token={good[:place]}%00{good[place:]}".encode(), authorization=credentials), 401)
    for raw in (b"\xff", b"\xc0\xae", b"\xed\xa0\x80"):
        body = b'{"token":"' + good[:20].encode() + raw + good[20:].encode() + b'"}'
        expect.invalid_request(target.h1.post(body, content_type=JSON, authorization=credentials))
        expect.inactive(target.h1.post(b"token=" + good.encode() + raw, authorization=credentials), 401)
    target.good_stays_active()
